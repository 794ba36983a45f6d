// The page "Draw a digit": the drawing is sent while it grows, the newest answer is shown.
import { address, base64, get, latest, post } from "./api.js";
import { COLOURS, cursor, largest, legend, mark, onScheme, paint } from "./heatmap.js";
import {
  $, bars, complain, element, fill, methods, place, sentence, short, signed, tell, unpack,
} from "./page.js";

const SIDE = 224, SENT = 56; // of the ink, and of what is sent: multiples of 8 and of 28
const STEP = SIDE / 16, MOST_UNDO = 40;
const ink = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
const pen = ink.getContext("2d", { willReadFrequently: true });
const past = [];
const state = { tool: "pen", target: null, answer: null, borrowed: false, maps: [] };

// -- ink

function remember() {
  past.push(pen.getImageData(0, 0, SIDE, SIDE));
  if (past.length > MOST_UNDO) past.shift();
  $("undo").disabled = false;
}

function changed() {
  const pad = $("pad"), context = pad.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  context.globalCompositeOperation = "copy";
  context.imageSmoothingEnabled = true;
  context.drawImage(ink, 0, 0, pad.width, pad.height);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = style.getPropertyValue("--ink");
  context.fillRect(0, 0, pad.width, pad.height);
  context.globalCompositeOperation = "destination-over";
  context.fillStyle = style.getPropertyValue("--paper");
  context.fillRect(0, 0, pad.width, pad.height);
  $("hint").hidden = !isBlank();
  refresh();
}

function sentPixels() {
  const small = Object.assign(document.createElement("canvas"), { width: SENT, height: SENT });
  const context = small.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(ink, 0, 0, SENT, SENT);
  return context.getImageData(0, 0, SENT, SENT).data.filter((_, k) => k % 4 === 3);
}

const isBlank = () => sentPixels().every((value) => value === 0);

function wipe() {
  pen.globalCompositeOperation = "source-over";
  pen.clearRect(0, 0, SIDE, SIDE);
  state.borrowed = false;
  $("tip").textContent = "or take a sample below";
}

function stroke(from, to, pressure) {
  pen.globalCompositeOperation = state.tool === "pen" ? "source-over" : "destination-out";
  Object.assign(pen, { lineCap: "round", lineJoin: "round", strokeStyle: "#000" });
  pen.lineWidth = (SIDE * $("width").valueAsNumber / 100) * (0.5 + pressure);
  pen.beginPath();
  pen.moveTo(...from);
  pen.lineTo(...to);
  pen.stroke();
}

function shift(right, down) {
  remember();
  const copy = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  copy.getContext("2d").drawImage(ink, 0, 0);
  pen.globalCompositeOperation = "copy";
  pen.drawImage(copy, right * STEP, down * STEP);
  pen.globalCompositeOperation = "source-over";
  changed();
}

function undo() {
  if (past.length) pen.putImageData(past.pop(), 0, 0);
  $("undo").disabled = past.length === 0;
  changed();
}

async function takeSample(url) {
  const image = element("img", { src: address(url) });
  await image.decode();
  wipe();
  pen.imageSmoothingEnabled = false; // the digit as it is, pixel by pixel
  pen.drawImage(image, 0, 0, SIDE, SIDE);
  const pixels = pen.getImageData(0, 0, SIDE, SIDE);
  for (let k = 0; k < pixels.data.length; k += 4) {
    pixels.data.set([0, 0, 0, pixels.data[k]], k); // brightness becomes ink
  }
  pen.putImageData(pixels, 0, 0);
}

// -- the pen

let last = null;
const spot = ({ offsetX, offsetY }) =>
  [(offsetX * SIDE) / $("pad").clientWidth, (offsetY * SIDE) / $("pad").clientHeight];
const pressure = (event) => (event.pointerType === "pen" ? event.pressure : 0.5);

$("pad").addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  remember();
  if (state.borrowed && state.tool === "pen") wipe();
  $("pad").setPointerCapture(event.pointerId);
  last = spot(event);
  stroke(last, last, pressure(event));
  changed();
});
$("pad").addEventListener("pointermove", (event) => {
  if (last === null) return;
  const all = event.getCoalescedEvents?.() ?? [];
  for (const each of all.length ? all : [event]) {
    const next = spot(each);
    stroke(last, next, pressure(each));
    last = next;
  }
  changed();
});
for (const name of ["pointerup", "pointercancel"]) {
  $("pad").addEventListener(name, () => { last = null; });
}
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
$("pad").addEventListener("keydown", (event) => {
  const undoing = event.key === "z" && (event.ctrlKey || event.metaKey);
  if (!ARROWS[event.key] && !undoing) return;
  event.preventDefault();
  if (undoing) undo();
  else shift(...ARROWS[event.key]);
});

// -- asking

const question = (more) => ({
  model: $("model").value,
  method: $("method").value,
  composite: $("composite").value || undefined,
  pixels: base64(sentPixels()),
  ...more,
});

const ask = async (more) => unpack(await post("api/explain/digit", question(more)));

const refresh = latest(async (stale) => {
  if (isBlank()) return blank();
  $("map").classList.add("busy");
  try {
    const answer = await ask(state.target === null ? {} : { target: state.target });
    complain($("wrong"), null);
    $("map").classList.remove("busy");
    show(answer);
    if (!stale()) await showPair(answer, stale);
  } catch (error) {
    complain($("wrong"), error);
  } finally {
    $("map").classList.remove("busy");
  }
});

function blank() {
  state.answer = null;
  state.maps = [];
  for (const id of ["map", "map-for", "map-rival", "map-contrast"]) {
    $(id).getContext("2d").clearRect(0, 0, $(id).width, $(id).height);
    $(id).setAttribute("aria-label", "No heatmap: nothing is drawn");
  }
  for (const id of ["text-for", "text-rival", "text-contrast", "text-pair", "timing"]) {
    $(id).textContent = "";
  }
  $("map-title").textContent = "Why this digit?";
  $("scores").replaceChildren();
  $("says").replaceChildren(element("p", { className: "soft", textContent: "Nothing is drawn." }));
}

const look = () => ({ colours: $("colours").value || null });

function show(answer) {
  state.answer = answer;
  const { target, seconds } = answer;
  $("map-title").textContent = `Why ${target.name}?`;
  $("timing").textContent = `${Math.max(1, Math.round(1000 * seconds))} ms`;
  paint($("map"), answer.map, look());
  $("map").setAttribute("aria-label", `Heatmap for ${target.name}. ${sentence(answer)}`);
  const classes = [...answer.classes].sort((a, b) => a.index - b.index);
  bars($("scores"), classes, target.index, ({ index }) => choose(index));
  tell($("says"), answer);
}

async function showPair(answer, stale) {
  const others = answer.classes.filter(({ index }) => index !== answer.target.index);
  const highest = others.reduce((a, b) => (a.score >= b.score ? a : b));
  const rival = others.find(({ index }) => String(index) === $("against").value) ?? highest;
  const against = await ask({ target: rival.index });
  if (stale()) return;
  const contrast = await ask({ target: answer.target.index, against: rival.index });
  if (stale()) return;
  const [one, other] = [answer.target.name, rival.name];
  state.maps = [
    ["for", answer, `for ${one}`],
    ["rival", against, `for ${other}`],
    ["contrast", contrast, `${one} rather than ${other}`],
  ];
  paintPair();
  const tells = contrast.positive > -contrast.negative
    ? `What tells ${one} from ${other} lies ${place(contrast.map, 1)}. ` : "";
  $("text-pair").textContent = `${tells}One scale for all three maps.`;
  $("live").textContent = sentence(answer);
}

// One scale for all three, so that equal colours are equal amounts.
function paintPair() {
  const scale = Math.max(...state.maps.map(([, { map }]) => largest(map))) || 1;
  for (const [id, answer, title] of state.maps) {
    paint($(`map-${id}`), answer.map, { ...look(), scale }, 256);
    $(`map-${id}`).setAttribute("aria-label", `Heatmap ${title}. ${sentence(answer)}`);
    $(`text-${id}`).replaceChildren(
      element("strong", { textContent: title }),
      element("span", { className: "soft", textContent: `score ${short(answer.score)}` }));
  }
}

function repaint() {
  legend($("legend"), look().colours);
  if (!state.answer) return;
  paint($("map"), state.answer.map, look());
  if (state.maps.length) paintPair();
}

function choose(target) {
  state.target = target;
  $("target").value = target ?? "";
  $("follow").setAttribute("aria-pressed", target === null);
  refresh();
}

cursor($("map"), () => state.answer?.map ?? { height: 1, width: 1 }, (row, column) => {
  if (!state.answer) return;
  const { map } = state.answer;
  paint($("map"), map, look());
  if (row === null) return void ($("readout").textContent = "");
  mark($("map"), map, row, column);
  const value = map.values[row * map.width + column];
  $("readout").textContent = `row ${row + 1}, column ${column + 1}: ${signed(value)}`;
});

// -- setting up

function tool(name) {
  state.tool = name;
  for (const id of ["pen", "eraser"]) $(id).setAttribute("aria-pressed", id === name);
}

async function useModel(models) {
  const model = models.find(({ name }) => name === $("model").value);
  const classes = model.classes.map((name, index) => ({ value: String(index), text: name }));
  fill($("target"), [{ value: "", text: "the highest score" }, ...classes], $("target").value);
  fill($("against"), [{ value: "", text: "the runner-up" }, ...classes], $("against").value);
  const about = encodeURIComponent(model.name);
  const [choices, samples] = await Promise.all(
    [get(`api/methods?model=${about}`), get(`api/samples?model=${about}`)]);
  methods(choices, $("method"), $("composite"), $("about"), refresh);
  $("samples").replaceChildren(...samples.map(({ name, label, url }) =>
    element("button", {
      type: "button",
      data: { sample: name },
      aria: { label: `sample: a ${label ?? name}` },
      onclick: async () => { remember(); await takeSample(url); changed(); },
    }, element("img", { src: address(url), alt: "" }))));
  return samples;
}

async function begin() {
  $("pen").onclick = () => tool("pen");
  $("eraser").onclick = () => tool("eraser");
  $("undo").onclick = undo;
  $("clear").onclick = () => { remember(); wipe(); changed(); };
  for (const [key, way] of Object.entries(ARROWS)) {
    $(`shift-${key.slice(5).toLowerCase()}`).onclick = () => shift(...way);
  }
  $("follow").onclick = () => choose(null);
  $("target").onchange = ({ target }) => choose(target.value === "" ? null : Number(target.value));
  $("against").onchange = refresh;
  fill($("colours"), [{ value: "", text: "as the page" },
    ...Object.keys(COLOURS).map((name) => ({ value: name, text: name }))]);
  $("colours").onchange = repaint;
  onScheme(() => { repaint(); changed(); });
  $("undo").disabled = true;
  const models = (await get("api/models")).filter(({ kind }) => kind === "digits");
  fill($("model"), models.map(({ name, title }) => ({ value: name, text: name, title })));
  $("model").onchange = async () => { await useModel(models); refresh(); };
  const samples = await useModel(models);
  repaint();
  const first = samples.find(({ label }) => label === "3") ?? samples[0];
  if (first && isBlank()) {
    await takeSample(first.url);
    state.borrowed = true; // the first stroke of the pen makes room for the visitor's own
    $("tip").textContent = "an example: draw over it";
  }
  changed();
  document.body.dataset.ready = "yes";
}

begin().catch((error) => complain($("wrong"), error));
