// What the pages share: numbers in words, bars, lists of choices, errors, downloads.
import { numbers } from "./api.js";

export const $ = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const { data, aria, ...plain } = properties;
  const made = Object.assign(document.createElement(tag), plain);
  Object.assign(made.dataset, data);
  for (const [name, value] of Object.entries(aria ?? {})) made.setAttribute(`aria-${name}`, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}

export function short(value, digits = 3) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const text = size !== 0 && (size >= 1e5 || size < 1e-3)
    ? value.toExponential(1) : Number(value.toPrecision(digits)).toString();
  return text.replace("-", "−");
}

export const signed = (value) => (value > 0 ? "+" : "") + short(value);
export const percent = (part) => `${Math.round(100 * part)} %`;

export function fill(select, entries, chosen) {
  select.replaceChildren(...entries.map(({ value, text, title = "" }) =>
    element("option", { value, textContent: text, title })));
  if (entries.some(({ value }) => value === chosen)) select.value = chosen;
}

// Bars of scores from zero; each is a button. They are reused, so that focus stays while drawing.
export function bars(list, classes, target, choose) {
  const scores = classes.map(({ score }) => score);
  const low = Math.min(0, ...scores), span = Math.max(0, ...scores) - low || 1;
  while (list.children.length > classes.length) list.lastChild.remove();
  classes.forEach((entry, k) => {
    const button = list.children[k]?.firstChild ?? blankBar(list);
    const [name, track, value, part] = button.children;
    name.textContent = name.title = entry.name;
    track.firstChild.style.setProperty("--from", (Math.min(0, entry.score) - low) / span);
    track.firstChild.style.setProperty("--part", Math.abs(entry.score) / span);
    value.textContent = short(entry.score);
    part.textContent = percent(entry.probability);
    button.setAttribute("aria-pressed", entry.index === target);
    button.dataset.index = entry.index;
    button.onclick = () => choose(entry);
  });
}

function blankBar(list) {
  const button = element("button", { type: "button" },
    element("span", { className: "name" }),
    element("span", { className: "track" }, element("span", { className: "fill" })),
    element("span", { className: "value" }),
    element("span", { className: "part" }));
  list.append(element("li", {}, button));
  return button;
}

// An answer of the API with its arrays unpacked: what the painter takes.
export function unpack(answer) {
  const { shape: [height, width], values } = numbers(answer.relevance);
  const picture = answer.picture ? numbers(answer.picture) : null;
  return { ...answer, map: { height, width, values, picture } };
}

const ROWS = ["upper", "middle", "lower"], COLUMNS = ["left", "centre", "right"];

// Which ninth of the map holds most evidence of one sign, in words.
export function place({ height, width, values }, sign) {
  const sums = new Float64Array(9);
  values.forEach((value, k) => {
    const row = Math.floor((3 * Math.floor(k / width)) / height);
    const column = Math.floor((3 * (k % width)) / width);
    sums[3 * row + column] += Math.max(0, sign * value);
  });
  const best = sums.indexOf(Math.max(...sums));
  const [row, column] = [ROWS[Math.floor(best / 3)], COLUMNS[best % 3]];
  return row === "middle" && column === "centre" ? "in the centre"
    : row === "middle" ? `at the ${column}`
    : column === "centre" ? `in the ${row} middle` : `at the ${row} ${column}`;
}

// What is seen, in a sentence made of the numbers; the text alternative of the picture as well.
export function sentence(answer) {
  const { target, against, score, positive, negative, map, decomposes } = answer;
  const what = against ? `${target.name} rather than ${against.name}` : target.name;
  const least = 1e-4 * (positive - negative); // less than this is rounding, not evidence
  if (!(least > 0)) return `Nothing in the picture speaks for or against ${what}.`;
  const start = `The score for ${what} is ${short(score)}. `;
  const [up, down] = decomposes.startsWith("the score")
    ? ["Evidence for it", "Against it"] : ["Positive values", "Negative values"];
  return start +
    `${up}: ${positive > least ? `${signed(positive)}, strongest ${place(map, 1)}` : "none"}. ` +
    `${down}: ${-negative > least ? `${short(negative)}, strongest ${place(map, -1)}` : "none"}.`;
}

const LOSSES = {
  bias: "biases", epsilon: "the stabiliser ε", dropped: "paths that were not followed",
  softmax: "softmax and norms",
};

// The ledger in plain words.
export function plain({ ledger, score, decomposes, depth, map }) {
  if (!ledger) return `No account to balance: this method decomposes ${decomposes}.`;
  const arrived = map.values.reduce((sum, value) => sum + value, 0);
  if (depth) return `Of the score ${short(score)}, ${short(arrived)} passes through ${depth}.`;
  const lost = Object.keys(LOSSES)
    .filter((name) => Math.abs(ledger[name]) > 1e-4 * Math.max(Math.abs(score), 1e-9))
    .map((name) => `${short(ledger[name])} stayed with ${LOSSES[name]}`);
  return `Of the score ${short(score)}, ${short(arrived)} arrived here` +
    (lost.length ? `; ${lost.join(", ")}.` : "; nothing was lost on the way.");
}

export function tell(box, answer, text = sentence(answer)) {
  const state = answer.conserves === null ? "none" : answer.conserves ? "yes" : "no";
  const failed = state === "no" ? " The book does not balance: read this map with care." : "";
  box.replaceChildren(
    element("p", { className: "sentence", textContent: text }),
    element("p", {
      className: "verdict soft", data: { holds: state }, title: answer.verdict ?? "",
      textContent: plain(answer) + failed,
    }),
    answer.notes.length
      ? element("ul", { className: "notes" },
          ...answer.notes.map((note) => element("li", { textContent: note })))
      : "",
  );
}

export function complain(box, error) {
  box.hidden = !error;
  if (!error) return box.replaceChildren();
  box.replaceChildren(element("strong", { textContent: error.message }), error.advice ?? "");
}

export function download(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// Fills method and composite lists for a model, and says what the chosen method is.
export function methods(choices, method, composite, about, changed) {
  const chosen = [method.value, composite.value];
  fill(method, choices.methods.map((entry) =>
    ({ value: entry.name, text: entry.name, title: entry.summary })), chosen[0] || "lrp");
  fill(composite, [{ value: "", text: "the method's own" }, ...choices.composites.map((entry) =>
    ({ value: entry.name, text: entry.name, title: entry.summary }))], chosen[1]);
  const show = () => {
    const entry = choices.methods.find(({ name }) => name === method.value);
    composite.disabled = !entry?.takes_composite;
    if (composite.disabled) composite.value = "";
    const rules = choices.composites.find(({ name }) => name === composite.value);
    about.textContent = [entry?.summary, rules?.summary].filter(Boolean).join(" ");
  };
  method.onchange = composite.onchange = () => { show(); changed(); };
  show();
}
