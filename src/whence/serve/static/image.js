// The page "Image": one request for an explanation, every change of its look a repaint.
import { address, get, latest, post } from "./api.js";
import { COLOURS, cursor, largest, legend, mark, onScheme, paint, suited } from "./heatmap.js";
import {
  $, bars, complain, download, element, fill, methods, sentence, short, signed, tell, unpack,
} from "./page.js";
import { npz } from "./npz.js";
import { svg } from "./svg.js";

const state = { model: null, file: null, sample: null, raw: null, answer: null };
const SIDE = 672;

// -- asking

function question() {
  const form = new FormData();
  for (const name of ["model", "method", "composite", "depth", "target", "against"]) {
    if ($(name).value.trim() !== "") form.set(name, $(name).value.trim());
  }
  if (state.file) form.set("picture", state.file, state.file.name || "picture");
  else form.set("sample", state.sample);
  return form;
}

const refresh = latest(async (stale) => {
  if (!state.file && !state.sample) return;
  $("result").classList.add("busy");
  try {
    const raw = await post("api/explain/image", question());
    if (stale()) return;
    Object.assign(state, { raw, answer: unpack(raw) });
    complain($("wrong"), null);
    show();
  } catch (error) {
    complain($("wrong"), error);
  } finally {
    $("result").classList.remove("busy");
  }
});

function show() {
  const { answer } = state, { target, against, seconds } = answer;
  for (const id of ["result", "more"]) $(id).hidden = false;
  if ($("plain")) $("plain").hidden = true;
  const rival = against ? ` rather than ${against.name}` : "";
  $("map-title").textContent = `Why ${target.name}${rival}?`;
  $("timing").textContent = `${short(seconds, 2)} s`;
  $("map").setAttribute("aria-label", `Heatmap for ${target.name}. ${sentence(answer)}`);
  const classes = [...answer.classes].sort((a, b) => b.score - a.score).slice(0, 10);
  bars($("scores"), classes, target.index, ({ index }) => {
    $("target").value = called(index);
    refresh();
  });
  tell($("says"), answer);
  $("live").textContent = sentence(answer);
  repaint();
}

// A class by its name where that is no other's, else by its number.
function called(index) {
  const { classes } = state.model, name = classes[index];
  return classes.indexOf(name) === classes.lastIndexOf(name) ? name : String(index);
}

// -- the look

function scaleOf(map) {
  const kind = $("scale").value;
  const sizes = (sign) => map.values.filter((value) => sign * value > 0).map(Math.abs);
  const top = (values) => values.reduce((a, b) => Math.max(a, b), 0);
  if (kind === "own") return $("own").valueAsNumber > 0 ? $("own").valueAsNumber : null;
  if (kind === "sides") return [top(sizes(1)) || 1, top(sizes(-1)) || 1];
  if (kind === "largest") return null;
  const sorted = map.values.filter((value) => value !== 0).map(Math.abs).sort();
  return quantile(sorted, 0.99) || null;
}

// Between the two nearest values, as numpy has it.
function quantile(sorted, part) {
  const place = part * (sorted.length - 1), below = Math.floor(place);
  const next = sorted[Math.min(below + 1, sorted.length - 1)];
  return sorted[below] + (place - below) * (next - sorted[below]);
}

const radio = (name) => document.querySelector(`#look [name=${name}]:checked`).value;

const look = () => ({
  view: radio("view"),
  sign: radio("sign"),
  opacity: $("opacity").valueAsNumber,
  threshold: $("threshold").valueAsNumber,
  colours: $("colours").value || (radio("view") === "map" ? suited() : "red-blue"),
  scale: scaleOf(state.answer.map),
});

function repaint() {
  $("own-field").hidden = $("scale").value !== "own";
  $("opacity").disabled = radio("view") !== "overlay";
  $("opacity-text").textContent = `${Math.round(100 * $("opacity").valueAsNumber)} %`;
  $("threshold-text").textContent = `${Math.round(100 * $("threshold").valueAsNumber)} %`;
  if (!state.answer) return;
  const chosen = look(), { map } = state.answer;
  paint($("map"), map, chosen, SIDE);
  legend($("legend"), chosen.colours);
  const [up, down] = [chosen.scale ?? largest(map)].flat().concat(chosen.scale ?? largest(map));
  $("low").textContent = `against ${short(-down)}`;
  $("high").textContent = `for ${signed(up)}`;
}

cursor($("map"), () => state.answer?.map ?? { height: 1, width: 1 }, (row, column) => {
  if (!state.answer) return;
  const { map } = state.answer;
  paint($("map"), map, look(), SIDE);
  if (row === null) return void ($("readout").textContent = "");
  mark($("map"), map, row, column);
  const value = map.values[row * map.width + column];
  $("readout").textContent = `row ${row + 1}, column ${column + 1}: ${signed(value)}`;
});

// -- downloads

const named = (suffix) => {
  const { model, method, target } = state.answer;
  return `whence-${model}-${method}-${target.name}.${suffix}`.replace(/[^\w.-]+/g, "_");
};

const nineDigits = (value) => Number(value.toPrecision(9)); // enough for float32, to the bit

const SAVES = {
  png: (save) => $("map").toBlob(save),
  svg: (save) => save(new Blob(
    [svg($("map"), state.answer.map, look(), $("map").getAttribute("aria-label"))],
    { type: "image/svg+xml" })),
  csv: (save) => {
    const { height, width, values } = state.answer.map;
    const rows = Array.from({ length: height }, (_, row) =>
      Array.from(values.subarray(row * width, (row + 1) * width), nineDigits).join(","));
    save(new Blob([rows.join("\n") + "\n"], { type: "text/csv" }));
  },
  npz: (save) => {
    const { map: { height, width, values, picture }, classes } = state.answer;
    save(npz({
      relevance: { shape: [height, width], values },
      ...(picture && { picture }),
      classes: { shape: [classes.length], values: Int32Array.from(classes, ({ index }) => index) },
      scores: { shape: [classes.length], values: Float32Array.from(classes, ({ score }) => score) },
    }));
  },
  json: (save) => save(new Blob([JSON.stringify(state.raw)], { type: "application/json" })),
};

// -- choosing a picture

function take(file) {
  if (!file) return;
  Object.assign(state, { file, sample: null });
  press();
  $("picture-label").textContent = `Picture: ${file.name || "pasted"}`;
  refresh();
}

function takeSample({ name, label }) {
  Object.assign(state, { file: null, sample: name });
  $("picture").value = "";
  $("picture-label").textContent = `Picture: ${label ?? name}`;
  press();
  refresh();
}

function press() {
  for (const button of $("samples").children) {
    button.setAttribute("aria-pressed", button.dataset.sample === state.sample);
  }
}

async function useModel(models) {
  const model = state.model = models.find(({ name }) => name === $("model").value);
  const about = encodeURIComponent(model.name);
  fill($("depth"), [{ value: "", text: "the picture" },
    ...model.layers.map((name) => ({ value: name, text: name }))]);
  $("classes").replaceChildren(...model.classes.map((value) => element("option", { value })));
  $("target").value = $("against").value = "";
  const [choices, samples] = await Promise.all(
    [get(`api/methods?model=${about}`), get(`api/samples?model=${about}`)]);
  methods(choices, $("method"), $("composite"), $("about"), refresh);
  $("samples").classList.toggle("digits", model.kind === "digits");
  $("samples").replaceChildren(...samples.map((each) => {
    const about = each.label ?? each.name;
    return element("button", {
      type: "button", title: about, data: { sample: each.name },
      aria: { label: `sample: ${about}`, pressed: "false" }, onclick: () => takeSample(each),
    }, element("img", { src: address(each.url), alt: "", loading: "lazy" }));
  }));
  if (state.file) return refresh();
  if (samples.length) return takeSample(samples[0]);
  Object.assign(state, { sample: null, answer: null });
  for (const id of ["result", "more"]) $(id).hidden = true;
}

function listen() {
  $("ask").onsubmit = async (event) => {
    event.preventDefault();
    await refresh();
    $("result").scrollIntoView({ block: "nearest" });
  };
  for (const id of ["depth", "target", "against"]) $(id).onchange = refresh;
  $("picture").onchange = () => take($("picture").files[0]);
  addEventListener("paste", ({ clipboardData }) =>
    take([...clipboardData.files].find(({ type }) => type.startsWith("image/"))));
  const over = (on) => (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", on);
  };
  for (const name of ["dragenter", "dragover"]) addEventListener(name, over(true));
  addEventListener("dragleave", over(false));
  addEventListener("drop", (event) => { over(false)(event); take(event.dataTransfer.files[0]); });
  $("look").oninput = repaint;
  $("look").onsubmit = (event) => event.preventDefault();
  for (const [kind, make] of Object.entries(SAVES)) {
    $(`save-${kind}`).onclick = () => make((blob) => download(blob, named(kind)));
  }
  onScheme(repaint);
}

async function begin() {
  for (const each of document.querySelectorAll(".no-js")) each.hidden = true;
  fill($("colours"), [{ value: "", text: "as the page" },
    ...Object.keys(COLOURS).map((name) => ({ value: name, text: name }))]);
  listen();
  repaint();
  const models = (await get("api/models")).filter(({ kind }) => ["image", "digits"].includes(kind));
  fill($("model"), models.map(({ name, title }) => ({ value: name, text: name, title })),
    $("model").value);
  $("model").onchange = () => useModel(models);
  await useModel(models);
  document.body.dataset.ready = "yes";
}

begin().catch((error) => complain($("wrong"), error));
