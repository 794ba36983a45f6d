// The page "Prototypes": a search is followed while it runs; what was found is kept to compare.
import { base64, get, post } from "./api.js";
import { legend, onScheme, paint } from "./heatmap.js";
import {
  $, complain, download, element, fill, methods, percent, sentence, short, tell, unpack,
} from "./page.js";

const state = { models: [], shown: null, picked: null, answer: null, past: [], ticket: null };
const MOST_PAST = 5, FEW = 20, LARGE = 64; // questions kept; classes with buttons; pixels
const png = (data) => `data:image/png;base64,${data}`;
const isLarge = ({ inputs }) => Math.max(...inputs.shape.slice(2)) >= LARGE;
const titled = ({ model, prior, strength, seed }) => model +
  (prior === "none" ? ", no prior" : `, prior ${prior}${strength === 1 ? "" : ` × ${strength}`}`) +
  (seed ? `, seed ${seed}` : "");
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const away = ({ prototypes }) => median(prototypes.map(({ nearest }) => nearest?.distance ?? NaN));
const named = (suffix) =>
  `whence-prototypes-${titled(state.shown)}.${suffix}`.replace(/[^\w.-]+/g, "_");
const called = ({ label, name }) => `a real ${label ?? name}`;

// -- searching

function question(more) {
  const classes = $("classes").value.split(",").map((each) => each.trim()).filter(Boolean);
  const given = ["strength", "steps", "count", "seed"].map((id) => [id, $(id).valueAsNumber]);
  return {
    model: $("model").value, prior: $("prior").value, start: $("start").value || null,
    ...Object.fromEntries(given.filter(([, value]) => Number.isFinite(value))),
    classes: classes.length && classes[0] !== "all" ? classes : null, ...more,
  };
}

async function search(more = {}) {
  if (state.ticket) return;
  const ticket = state.ticket = crypto.getRandomValues(new Uint32Array(4)).join("-");
  const running = (on) => { $("go").disabled = on; $("stop").hidden = $("way").hidden = !on; };
  running(true);
  const timer = setInterval(() => follow(ticket), 250);
  try {
    const found = await post("api/prototypes", { ...question(more), ticket });
    complain($("wrong"), null);
    state.past = [found, ...state.past.filter(({ command }) => command !== found.command)];
    state.past.length = Math.min(state.past.length, MOST_PAST);
    show(found);
  } catch (error) {
    complain($("wrong"), error);
  }
  clearInterval(timer);
  running(false);
  state.ticket = null;
}

async function follow(ticket) {
  const now = await get(`api/prototypes/progress?ticket=${ticket}`).catch(() => ({}));
  if (!now.running || ticket !== state.ticket) return;
  $("progress").value = now.steps ? now.step / now.steps : 0;
  $("doing").textContent = now.objective === null ? now.doing
    : `step ${now.step} of ${now.steps}, mean log-probability ${short(now.objective)}`;
}

// -- showing

function show(found) {
  Object.assign(state, { shown: found, picked: null });
  $("result").hidden = false;
  $("detail").hidden = true;
  if ($("plain")) $("plain").hidden = true;
  $("gallery-title").textContent = titled(found);
  const { target } = found.prototypes[3] ?? found.prototypes[0];
  $("title").textContent = `What does the model think a ${target.name} looks like?`;
  $("timing").textContent = found.remembered ? "remembered" : `${short(found.seconds, 2)} s`;
  $("gallery").classList.toggle("large", isLarge(found));
  $("gallery").replaceChildren(...found.prototypes.map(card));
  const { reality } = found;
  $("measure").textContent = reality
    ? `Median distance to the nearest of ${reality.pictures} real pictures (${reality.data}): ` +
      `${short(away(found))}. From one real picture to the next it is ${short(reality.usual)}.`
    : "There are no real pictures here to compare with.";
  $("notes").replaceChildren(...found.notes.map((text) => element("li", { textContent: text })),
    element("li", {}, "In a terminal: ", element("code", { textContent: found.command })));
  $("live").textContent =
    `${found.prototypes.length} prototypes: ${titled(found)}. ${$("measure").textContent}`;
  compare();
}

function card({ target, read_as, nearest, ...each }, k) {
  const isOdd = read_as.index !== target.index;
  return element("li", {}, element("button",
    { type: "button", aria: { pressed: "false" }, onclick: () => pick(k) },
    element("img", { src: png(each.png), alt: `A prototype of ${target.name}` }),
    element("strong", { textContent: target.name }),
    element("span", { className: isOdd ? "odd" : "", textContent: isOdd ? `read as ${read_as.name}`
      : `score ${short(each.score)}, ${percent(each.probability)}` }),
    nearest ? element("span", { className: "near" },
      element("img", { src: png(nearest.png), alt: "" }),
      `${short(nearest.distance)} from ${called(nearest)}`) : null));
}

// One row for each question asked before, to see what a prior does.
function compare() {
  const rows = state.past.filter(({ model }) => model === state.shown.model);
  $("others").hidden = rows.length < 2;
  $("strips").replaceChildren(...rows.map((found) => {
    const sure = found.prototypes.reduce((sum, each) => sum + each.probability, 0);
    return element("li", {}, element("button",
      { type: "button", aria: { pressed: found === state.shown }, onclick: () => show(found) },
      element("span", { className: "row" }, ...found.prototypes.slice(0, 12).map((each) =>
        element("img", { src: png(each.png), alt: "" }))),
      element("span", { textContent: `${titled(found)}: mean probability ` +
        `${percent(sure / found.prototypes.length)}, ${short(away(found))} from real pictures` })));
  }));
}

async function pick(k) {
  Object.assign(state, { picked: k, answer: null });
  const { target, nearest, ...each } = state.shown.prototypes[k];
  Array.from($("gallery").children, ({ firstChild }, index) =>
    firstChild.setAttribute("aria-pressed", index === k));
  $("detail").hidden = false;
  $("detail").classList.toggle("large", isLarge(state.shown));
  $("detail-title").textContent = $("picture").alt = `A prototype of ${target.name}`;
  $("picture").src = $("save-png").href = png(each.png);
  $("save-png").download = named(`${target.name}.png`);
  $("picture-text").textContent =
    `score ${short(each.score)}, probability ${percent(each.probability)}`;
  $("real-figure").hidden = !nearest;
  if (nearest) {
    $("real").src = png(nearest.png);
    $("real").alt = called(nearest);
    $("real-text").textContent = `${called(nearest)}, ${short(nearest.distance)} away`;
  }
  await explain();
  $("detail").scrollIntoView({ block: "nearest" });
}

async function explain() {
  const { shown: found, picked } = state;
  if (picked === null) return;
  const { shape: [count, ...shape], data } = found.inputs;
  const all = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const size = all.length / count; // its numbers exactly as the server sent them
  try {
    const answer = unpack(await post("api/explain/input", {
      model: found.model, target: found.prototypes[picked].target.index,
      method: $("method").value, composite: $("composite").value || null,
      input: { shape, data: base64(all.subarray(picked * size, (picked + 1) * size)) },
    }));
    complain($("wrong"), null);
    if (found !== state.shown || picked !== state.picked) return;
    state.answer = answer;
    repaint();
    tell($("says"), answer);
    $("live").textContent = $("map").ariaLabel = `Heatmap. ${sentence(answer)}`;
  } catch (error) {
    complain($("wrong"), error);
  }
}

function repaint() {
  legend($("legend"), isLarge(state.shown) ? "red-blue" : null);
  if (!state.answer) return;
  const sizes = state.answer.map.values.filter(Boolean).map(Math.abs).sort();
  const scale = sizes[Math.floor(0.99 * sizes.length)];
  const over = { view: "overlay", colours: "red-blue", scale };
  paint($("map"), state.answer.map, isLarge(state.shown) ? over : {}, 256);
}

// -- setting up

function chips(classes) {
  const chosen = new Set(), few = classes.length <= FEW;
  $("chips").hidden = !few;
  $("classes").hidden = few;
  $("classes").value = few ? "" : classes[Math.floor(0.34 * classes.length)];
  $("names").replaceChildren(...classes.map((value) => element("option", { value })));
  $("chips").replaceChildren(...classes.slice(0, FEW).map((name, k) => element("button", {
    type: "button", textContent: name, aria: { pressed: "false" },
    onclick: ({ currentTarget }) => {
      if (!chosen.delete(k)) chosen.add(k);
      currentTarget.setAttribute("aria-pressed", chosen.has(k));
      $("classes").value = [...chosen].join(",");
    },
  })));
}

function about() {
  $("prior-text").textContent = $("prior").selectedOptions[0].title;
  $("strength").disabled = $("prior").value === "none";
}

async function useModel() {
  const name = encodeURIComponent($("model").value);
  const [can, known] = await Promise.all(
    [get(`api/prototypes/choices?model=${name}`), get(`api/methods?model=${name}`)]);
  fill($("prior"), can.priors.map(({ name, text }) => ({ value: name, text: name, title: text })),
    $("prior").value);
  about();
  fill($("start"), [{ value: "", text: "the usual" },
    ...can.starts.map((name) => ({ value: name, text: name }))], $("start").value);
  $("steps").value = can.steps;
  methods(known, $("method"), $("composite"), $("about"), explain);
  chips(state.models.find(({ name }) => name === $("model").value).classes);
}

async function begin() {
  $("ask").onsubmit = (event) => { event.preventDefault(); search(); };
  $("stop").onclick = () => post("api/prototypes/stop", { ticket: state.ticket });
  $("save-json").onclick = () => download(
    new Blob([JSON.stringify(state.shown)], { type: "application/json" }), named("json"));
  $("prior").onchange = about;
  onScheme(() => state.answer && repaint());
  state.models = (await get("api/models")).filter(({ kind }) => ["image", "digits"].includes(kind));
  fill($("model"), state.models.map(({ name, title }) => ({ value: name, text: name, title })),
    $("model").value);
  $("model").onchange = useModel;
  await useModel();
  document.body.dataset.ready = "yes";
  const hasGenerator = Array.from($("prior").options).some(({ value }) => value === "generator");
  if (!hasGenerator || $("plain")) return;
  await search({ prior: "none" }); // the contrast that the page is about
  $("prior").value = "generator";
  about();
  await search();
}

begin().catch((error) => complain($("wrong"), error));
