// The page "Compare": methods by samples, measured in steps; each answer is shown as it comes.
import { get, numbers, post } from "./api.js";
import { cursor, mark, onScheme, paint } from "./heatmap.js";
import { $, complain, element, short, signed, unpack } from "./page.js";

const SMALL = 112, LARGE = 448;
let state = { run: 0 };

// -- asking

const question = () => ({
  model: $("model").value,
  metric: $("metric").value,
  methods: Array.from(document.querySelectorAll("#methods [name]:checked"), ({ value }) => value),
  samples: $("samples").valueAsNumber || undefined,
  budget_seconds: $("budget").valueAsNumber || undefined,
  target: $("target").value || undefined,
});

async function compare() {
  stop();
  const run = state.run + 1;
  state = { run, id: null, answer: null, samples: [], open: null, stopped: false };
  $("stop").disabled = false;
  $("result").dataset.finished = "no";
  $("result").classList.add("busy");
  try {
    let answer = await post("api/compare", question());
    for (state.id = answer.id; show(answer, run) && !answer.finished;) {
      answer = await post(`api/compare/${answer.id}`, {});
    }
  } catch (error) {
    if (run === state.run && !state.stopped) complain($("wrong"), error);
  }
  if (run !== state.run) return;
  $("stop").disabled = true;
  $("result").classList.remove("busy");
  $("result").dataset.finished = "yes";
  if (state.answer) $("live").textContent = [state.answer.progress, ...state.answer.says].join(" ");
}

// Ends what runs: its next answer is the last, or belongs to an older run and is not shown.
function stop() {
  if (!state.id || state.answer.finished) return;
  state.stopped = true;
  post(`api/compare/${state.id}/stop`, {}).catch(() => {});
}

function show(answer, run) {
  if (run !== state.run) {
    post(`api/compare/${answer.id}/stop`, {}).catch(() => {});
    return false;
  }
  complain($("wrong"), null);
  state.answer = answer;
  state.samples.push(...answer.new.map(unpacked));
  $("result").hidden = false;
  $("result").classList.remove("busy");
  if ($("plain")) $("plain").hidden = true;
  const { progress, done, asked, seconds, budget, samples = state.samples.length } = answer;
  $("says-title").textContent = `What ${done} samples say, by ${answer.metric.name}`;
  $("progress").textContent = progress;
  $("bar").value = answer.finished ? 1 : Math.min(1, Math.max(done / asked, seconds / budget));
  list($("says"), "p", answer.says);
  list($("notes"), "li", answer.notes);
  $("protocol").textContent = answer.protocol;
  $("shown").textContent = done > samples ? `the first ${samples} of ${done}` : "";
  showGrid();
  showNumbers();
  return true;
}

const list = (box, tag, texts) =>
  box.replaceChildren(...texts.map((textContent) => element(tag, { textContent })));

function unpacked(sample) {
  const picture = numbers(sample.picture);
  const maps = Object.entries(sample.relevance).map(([method, relevance]) =>
    [method, relevance && { ...unpack({ relevance }).map, picture }]);
  return { ...sample, picture, maps: Object.fromEntries(maps) };
}

// -- the grid

// Full colour is what 99 of 100 values stay below: single large ones would leave all else pale.
function draw(canvas, map, side) {
  const sizes = map.values.filter((value) => value !== 0).map(Math.abs).sort();
  const view = map.picture.shape.length === 2 ? "map" : "overlay";
  paint(canvas, map, { view, scale: sizes[Math.floor(0.99 * (sizes.length - 1))] || null }, side);
}

const told = ({ mean, low, high }, form = short) =>
  mean === null ? "–" : form(mean) + (low === null ? "" : ` [${form(low)}, ${form(high)}]`);
const span = (className, textContent) =>
  element("span", { className, textContent, title: textContent });

function showGrid() {
  const { samples, answer } = state;
  const titles = samples.map(({ label, target, picture }) => {
    const canvas = element("canvas"), [height, width] = picture.shape;
    paint(canvas, { height, width, picture }, { view: "picture" }, SMALL);
    const wrong = label !== null && label !== target.name;
    return element("th", { scope: "col" }, canvas, span("", target.name),
      wrong ? span("soft", `is ${label}`) : null);
  });
  const corner = element("th", { scope: "col", textContent: "the samples, and what is explained" });
  $("samples-row").replaceChildren(element("tr", {}, corner, ...titles));
  $("grid").replaceChildren(...answer.rows.map((row) => {
    const swatch = element("span", { className: "swatch" });
    swatch.style.background = row.colour;
    const head = element("th", { scope: "row" }, element("strong", {}, swatch, row.method),
      span("number", told(row.score)), span("soft", row.summary));
    return element("tr", {}, head, ...samples.map((sample) => cell(row.method, sample)));
  }));
}

function cell(method, sample) {
  const map = sample.maps[method];
  if (!map) return element("td", { className: "soft", textContent: "–" });
  const canvas = element("canvas");
  draw(canvas, map, SMALL);
  const title = `${method}: ${sample.target.name}, sample ${sample.name}`;
  return element("td", {}, element("button", {
    type: "button", title, aria: { label: `enlarge ${title}` },
    onclick: () => enlarge(map, title, sample.pooled),
  }, canvas));
}

function enlarge(map, title, pooled) {
  state.open = map;
  $("large-title").textContent = title;
  $("large-map").setAttribute("aria-label", `Heatmap of ${title}`);
  $("readout").textContent = "Point at the map, or use arrow keys, to read its values." +
    (pooled > 1 ? ` Each is the sum over ${pooled} × ${pooled} pixels.` : "");
  draw($("large-map"), map, LARGE);
  $("large").showModal();
}

cursor($("large-map"), () => state.open ?? { height: 1, width: 1 }, (row, column) => {
  if (!state.open || row === null) return;
  draw($("large-map"), state.open, LARGE);
  mark($("large-map"), state.open, row, column);
  const value = state.open.values[row * state.open.width + column];
  $("readout").textContent = `row ${row + 1}, column ${column + 1}: ${signed(value)}`;
});

// -- numbers

function showNumbers() {
  const { metric, charts, pairs, rows } = state.answer;
  const scores = rows.map(({ method, score }) => `${method} ${told(score)}`).join(", ");
  for (const id of ["intervals", "curves"]) {
    $(id).hidden = !charts[id];
    if (charts[id]) $(id).src = `data:image/svg+xml,${encodeURIComponent(charts[id])}`;
    $(id).alt = `${metric.name}, mean ${id}; ${metric.better} is better: ${scores}`;
  }
  $("pairs").replaceChildren(...pairs.map(({ first, second, difference, p, better }) => {
    const cells = [told(difference, signed), p === null ? "–" : short(p, 2), better ?? "open"];
    return element("tr", {},
      element("th", { scope: "row", textContent: `${first} less ${second}` }),
      ...cells.map((text, k) => element("td", { className: k < 2 ? "n" : "", textContent: text })));
  }));
}

async function begin() {
  const metrics = await get("api/compare/metrics");
  $("metric").onchange = () => {
    const { summary, better } = metrics.find(({ name }) => name === $("metric").value);
    $("about").textContent = `${summary}; ${better} is better.`;
  };
  $("metric").onchange();
  $("ask").onsubmit = (event) => { event.preventDefault(); compare(); };
  $("stop").onclick = stop;
  $("close").onclick = () => $("large").close();
  onScheme(() => state.answer && showGrid());
  document.body.dataset.ready = "yes";
  if (!$("plain")) await compare();
}

begin().catch((error) => complain($("wrong"), error));
