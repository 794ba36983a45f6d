// The page "Inside": the operations of one explanation, and the flow of relevance between them.
import { get, latest, numbers, post } from "./api.js";
import { onScheme, paint } from "./heatmap.js";
import { $, complain, element, fill, methods, short } from "./page.js";

const REASONS = ["bias", "epsilon", "dropped", "softmax", "unexplained"];
const NARROW = 560; // pixels: narrower streams stay readable up to here
const state = { model: null, answer: null };

function question() {
  const asked = { model: $("model").value, stations: Number($("stations").value) };
  const own = state.model.kind === "text" && $("text").value.trim() !== "";
  asked[own ? "text" : "sample"] = own ? $("text").value : $("sample").value;
  for (const name of ["method", "composite", "target", "against"]) {
    if ($(name).value.trim() !== "") asked[name] = $(name).value.trim();
  }
  const room = Math.floor($("flow").clientWidth || $("ask").parentElement.clientWidth - 40);
  return { ...asked, width: Math.max(280, Math.min(NARROW, room)) };
}

const refresh = latest(async (stale) => {
  $("result").hidden = false; // so that its width is known
  $("result").classList.add("busy");
  try {
    const answer = await post("api/inside", question());
    if (stale()) return;
    state.answer = answer;
    complain($("wrong"), null);
    show();
  } catch (error) {
    $("result").hidden = state.answer === null;
    complain($("wrong"), error);
  } finally {
    $("result").classList.remove("busy");
  }
});

function show() {
  const { answer } = state, { target, against, svg, verdict, conserves, notes } = answer;
  if ($("plain")) $("plain").remove();
  const what = against ? `${target.name} rather than ${against.name}` : target.name;
  $("flow-title").textContent = `Where the score for ${what} went`;
  $("timing").textContent = `${short(answer.seconds, 2)} s`;
  const drawing = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
  $("flow").replaceChildren(document.importNode(drawing, true));
  for (const part of $("flow").querySelectorAll("[data-station]")) {
    part.onclick = () => choose(Number(part.dataset.station));
  }
  $("verdict").textContent = verdict;
  $("verdict").dataset.holds = conserves === null ? "none" : conserves ? "yes" : "no";
  $("notes").hidden = !notes.length;
  $("notes").replaceChildren(...notes.map((note) => element("li", { textContent: note })));
  $("live").textContent = answer.words;
  strip();
  ledger();
  const has = (wanted) => answer.stations.findIndex((station) =>
    station.operations.length > 0 && wanted(station));
  const ruled = ({ map, operations }) =>
    map && operations.some((number) => !answer.operations[number].rule.startsWith("("));
  const first = has(ruled);
  choose(first > 0 ? first : has(() => true), false);
}

function mapOf({ map }) {
  const { shape: [height, width], values } = numbers(map);
  return { height, width, values };
}

// Small maps of the stations that have one; each is a button.
function strip() {
  const shown = state.answer.stations.map((station, k) => ({ ...station, k }))
    .filter(({ map }) => map);
  $("strip-card").hidden = !shown.length;
  $("strip").replaceChildren(...shown.map((station) => {
    const canvas = element("canvas", { width: 96, height: 96 });
    paint(canvas, mapOf(station), {}, 96);
    const name = station.path || station.name;
    return element("button", {
      type: "button", title: name, data: { station: station.k },
      aria: { pressed: "false" }, onclick: () => choose(station.k),
    }, canvas, element("span", { textContent: name }));
  }));
}

// Whether a loss is more than the rounding of single precision.
function counts(lost = 0) {
  const { score, arrived } = state.answer;
  return Math.abs(lost) > 1e-6 * Math.max(Math.abs(score), Math.abs(arrived));
}

// The ledger as a table; what nothing was booked in has no column.
function ledger() {
  const { operations } = state.answer;
  const reasons = REASONS.filter((why) => operations.some(({ lost }) => counts(lost[why])));
  const head = ["operation", "module", "rule", "line", "received", "passed on", ...reasons];
  const cell = (tag, text, number) =>
    element(tag, { textContent: text, className: number ? "n" : "" });
  const rows = operations.map((each) => {
    const button = element("button", {
      type: "button", className: "link", textContent: each.name,
      onclick: () => choose(each.station),
    });
    const values = [each.received, each.passed, ...reasons.map((why) => each.lost[why] ?? 0)];
    return element("tr", { data: { station: each.station } },
      element("td", {}, button), cell("td", each.path), cell("td", each.rule),
      cell("td", each.source), ...values.map((value) => cell("td", short(value, 4), true)));
  });
  $("table-card").hidden = false;
  $("ledger").replaceChildren(
    element("thead", {}, element("tr", {}, ...head.map((name, k) =>
      Object.assign(cell("th", name, k > 3), { scope: "col" })))),
    element("tbody", {}, ...rows));
}

// One station in full: what it received and kept, its rules with equations, and its map.
function choose(k, told = true) {
  const { stations, operations, rules } = state.answer, station = stations[k];
  for (const part of document.querySelectorAll("[data-station]")) {
    const on = Number(part.dataset.station) === k;
    part.classList.toggle("on", on);
    if (part.hasAttribute("aria-pressed")) part.setAttribute("aria-pressed", on);
  }
  const inside = station.operations.map((number) => operations[number]);
  $("chosen-title").textContent = [station.name, station.path].filter(Boolean).join(" · ");
  const facts = [["received", short(station.received, 4)],
    ...(inside.length || k === 0 ? [["passed on", short(station.passed, 4)]] : []),
    ...REASONS.filter((why) => counts(station.lost[why])).map((why) => [why, short(station.lost[why])]),
    ["rule", [...new Set(inside.map(({ rule }) => rule))].join("; ")],
    ["line", [...new Set(inside.map(({ source }) => source))].join(", ")]];
  $("facts").replaceChildren(...facts.filter(([, value]) => value).map(([name, value]) =>
    element("div", {}, element("dt", { textContent: name }),
      element("dd", { textContent: value }))));
  const used = rules.filter(({ name }) => inside.some(({ rule }) => rule.split("(")[0] === name));
  $("rules").replaceChildren(...used.map((rule) => element("div", { className: "stack tight" },
    element("p", { className: "small", textContent: `${rule.name}: ${rule.summary}.` }),
    rule.equation ? element("pre", { textContent: rule.equation, tabIndex: 0 }) : null,
    element("p", { className: "small soft", textContent: rule.papers }))));
  $("map").hidden = !station.map;
  if (station.map) {
    const map = mapOf(station), size = `${map.height} by ${map.width}`;
    paint($("map"), map, {}, 256);
    $("map").setAttribute("aria-label", `Map of the relevance that arrived here, ${size}`);
  }
  if (told) $("live").textContent = `${$("chosen-title").textContent}: ${short(station.received)}`;
}

async function useModel(models) {
  const model = state.model = models.find(({ name }) => name === $("model").value);
  const about = encodeURIComponent(model.name), chosen = $("sample").value;
  $("text-field").hidden = model.kind !== "text";
  $("classes").replaceChildren(...model.classes.map((value) => element("option", { value })));
  const [choices, samples] = await Promise.all(
    [get(`api/methods?model=${about}`), get(`api/samples?model=${about}`)]);
  choices.methods = choices.methods.filter(({ name }) =>
    [...$("method").options].some(({ value }) => value === name));
  methods(choices, $("method"), $("composite"), $("about"), refresh);
  fill($("sample"), samples.map(({ name, label }) =>
    ({ value: name, text: label ? `${label}: ${name}` : name })), chosen);
}

async function begin() {
  const models = await get("api/models");
  $("model").onchange = async () => {
    $("target").value = $("against").value = $("text").value = "";
    await useModel(models);
    await refresh();
  };
  $("sample").onchange = () => { $("text").value = ""; refresh(); };
  for (const id of ["target", "against", "stations", "text"]) $(id).onchange = refresh;
  $("ask").onsubmit = (event) => { event.preventDefault(); refresh(); };
  onScheme(() => state.answer && show());
  await useModel(models);
  if ($("sample").value || $("text").value) await refresh();
  document.body.dataset.ready = "yes";
}

begin().catch((error) => complain($("wrong"), error));
