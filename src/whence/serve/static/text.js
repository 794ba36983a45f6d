// The page "Text": words in colour, what happens without some of them, and how a text goes on.
import { address, get, latest, post } from "./api.js";
import { legend, onScheme } from "./heatmap.js";
import { goOn, record, restart, watchMatrix } from "./language.js";
import { $, bars, complain, download, element, fill, methods, short, signed, tell } from "./page.js";
import { ends, ground, named, pieces, top } from "./words.js";

// about: the answer for the whole text, asked with key; gone: numbers of the words taken away.
const state = { model: null, key: null, about: null, shown: null, batch: null, at: 0,
  gone: new Set(), past: [], future: [], isSample: !$("plain") };
const LIVE = 2000, PAUSE = 300; // characters that are explained while typing, after milliseconds
const isLanguage = () => state.model.kind === "language";
const isBatch = () => document.querySelector("[name=mode]:checked").value === "many";
const buttons = () => $("words").querySelectorAll("button");

// -- asking

function question(...names) {
  const given = ["model", ...names].map((name) => [name, $(name).value.trim()]);
  return Object.fromEntries(given.filter(([, value]) => value));
}
const HOW = ["method", "composite"];

const refresh = latest(async (stale) => {
  const ask = isLanguage() ? askLanguage : isBatch() ? askLines : askText;
  for (const id of ["result", "batch"]) $(id).classList.add("busy");
  try {
    const show = await ask();
    if (stale()) return;
    complain($("wrong"), null);
    only(...(ask === askLines ? ["batch"] : ["result", "more"]));
    show();
  } catch (error) {
    if (!stale()) complain($("wrong"), error);
  } finally {
    for (const id of ["result", "batch"]) $(id).classList.remove("busy");
  }
});

function only(...shown) {
  for (const id of ["result", "more", "batch"]) $(id).hidden = !shown.includes(id);
  for (const id of ["editing", "scores-card"]) $(id).hidden = isLanguage();
  $("matrix-card").hidden = !isLanguage();
  if ($("plain")) $("plain").hidden = true;
  legend($("legend"));
}

async function askText() {
  const asked = { ...question(...HOW, "target", "against"), text: $("text").value };
  const key = JSON.stringify(asked), without = [...state.gone];
  if (state.key !== key) {
    state.about = await post("api/explain/text", asked);
    state.key = key;
  }
  let { about } = state;
  if (without.length) { // the class stays the one of the whole text
    const target = about.texts[0].target.index;
    about = await post("api/explain/text", { ...asked, target, without });
  }
  return () => showText(about, state.about.texts[0]);
}

async function askLines() {
  const texts = $("text").value.split("\n").map((line) => line.trim()).filter(Boolean);
  const asked = question(...HOW, "target", "against");
  const batch = await post("api/explain/text", { ...asked, texts });
  return () => { state.batch = batch; showLines(); };
}

const askLanguage = () => goOn($("model").value, $("text").value,
  $("tokens").valueAsNumber || undefined, question(...HOW, "of"));

// -- words

function showText(about, whole) {
  const shown = state.shown = about.texts[0], { target, against, relevance, words } = shown;
  const what = against ? `${target.name} rather than ${against.name}` : target.name;
  $("why").textContent = `Why ${what}?`;
  $("timing").textContent = `${short(about.seconds, 2)} s`;
  const box = $("words"), scale = top(relevance), away = new Set(shown.deleted);
  if (box.dataset.text !== shown.text || buttons().length !== words.length) {
    box.replaceChildren(...pieces(words, relevance, shown.text, scale, "button"));
    box.dataset.text = shown.text;
  }
  const unknown = new Set(shown.unknown);
  buttons().forEach((button, k) => {
    button.className = away.has(k) ? "piece gone" : ground(relevance[k], scale);
    button.classList.toggle("odd", unknown.has(k));
    button.tabIndex = k === state.at ? 0 : -1;
    button.title = (away.has(k) ? "deleted" : signed(relevance[k])) +
      (unknown.has(k) ? "; the model does not know this word" : "");
    button.setAttribute("aria-label", `${words[k]}: ${button.title}`);
    button.setAttribute("aria-pressed", away.has(k));
  });
  ends(scale);
  if ($("readout").textContent) readout(buttons()[state.at]);
  const moved = away.size ? movement(shown, whole) : "", said = sentence(shown, what);
  $("moved").textContent = moved;
  $("live").textContent = moved || said;
  scores(shown, whole);
  const apart = shown.specials.map((each, k) => `${each} ${signed(shown.special_relevance[k])}`);
  const notes = [...shown.notes, ...(apart.length ? [`Special tokens: ${apart.join(", ")}.`] : [])];
  const values = [...relevance, ...shown.special_relevance];
  tell($("says"), { ...about, ...shown, notes, depth: null, map: { values } }, said);
  $("undo").disabled = !state.past.length;
  $("redo").disabled = !state.future.length;
  $("restore").disabled = !away.size;
}

function scores({ classes, target, deleted }, whole) {
  const many = classes.length > 10, ranked = [...classes].sort((a, b) => many * (b.score - a.score));
  const shown = ranked.slice(0, 10), before = new Map(whole.classes.map((each) => [each.index, each]));
  bars($("scores"), shown, target.index, ({ index, name }) => {
    const { classes } = state.model; // by number where another class has the same name
    $("target").value = classes.indexOf(name) === classes.lastIndexOf(name) ? name : index;
    refresh();
  });
  $("scores").classList.toggle("moving", deleted.length > 0);
  if (deleted.length) shown.forEach(({ index, score }, k) => {
    const from = before.has(index) ? `${short(before.get(index).score)} → ` : "";
    $("scores").children[k].firstChild.children[2].textContent = from + short(score);
  });
}

const readout = (button) => ($("readout").textContent = button.getAttribute("aria-label"));

// The number of the word that speaks most for (1) or against (-1) the class; -1 for none.
const strongest = ({ relevance }, sign) => relevance.reduce((best, value, k) =>
  (sign * value > (best < 0 ? 0 : sign * relevance[best]) ? k : best), -1);

function sentence(shown, what) {
  const side = (sum, sign) => {
    const k = strongest(shown, sign);
    return k < 0 ? "none" : `${signed(sum)}, most by ${named(shown.words[k])}`;
  };
  return `The score for ${what} is ${short(shown.score)}. For it: ${side(shown.positive, 1)}. ` +
    `Against it: ${side(shown.negative, -1)}.`;
}

function movement({ deleted, words, score }, whole) {
  const names = deleted.slice(0, 3).map((k) => named(words[k])).join(", ");
  const more = deleted.length > 3 ? ` and ${deleted.length - 3} more` : "";
  return `Without ${names}${more}, the score for ${whole.target.name} goes from ` +
    `${short(whole.score)} to ${short(score)}.`;
}

// -- taking words away

function change(next) {
  if (next.size === state.shown.words.length) {
    return complain($("wrong"), { message: "One word has to stay.", advice: "Restore some first." });
  }
  Object.assign(state, { past: [...state.past, state.gone], future: [], gone: next });
  refresh();
}

function toggle(k, keep = false) {
  const next = new Set(state.gone);
  if (!next.delete(k) || keep) next.add(k);
  if (next.size !== state.gone.size) change(next);
}

function travel(from, to) {
  if (!state[from].length) return;
  state[to].push(state.gone);
  state.gone = state[from].pop();
  refresh();
}

function forget() {
  Object.assign(state, { gone: new Set(), past: [], future: [], at: 0 });
  restart();
}

function keys(event) {
  const { key, ctrlKey, metaKey, shiftKey } = event, all = buttons();
  const to = { ArrowLeft: state.at - 1, ArrowRight: state.at + 1, Home: 0, End: all.length - 1 }[key];
  const isUndo = (ctrlKey || metaKey) && key.toLowerCase() === "z";
  if (to !== undefined && all[to]) {
    all[state.at].tabIndex = -1;
    all[to].tabIndex = 0;
    all[to].focus();
  } else if (isUndo) travel(...(shiftKey ? ["future", "past"] : ["past", "future"]));
  else if (!isLanguage() && ["Delete", "Backspace"].includes(key)) toggle(state.at, true);
  else return;
  event.preventDefault();
}

// -- many lines

const ORDERS = {
  lines: () => 0, high: (a, b) => b.score - a.score, low: (a, b) => a.score - b.score,
  class: (a, b) => a.target.index - b.target.index || b.score - a.score,
};

function showLines() {
  const { texts } = state.batch, all = Math.max(...texts.map(({ relevance }) => top(relevance)));
  const rows = texts.map((item, k) => ({ ...item, k })).sort(ORDERS[$("sort").value]);
  $("rows").replaceChildren(...rows.map(({ text, words, relevance, target, score, conserves, k }) => {
    const scale = $("shared").checked ? all : top(relevance);
    const fails = conserves === false ? "; the book does not balance" : "";
    return element("li", { value: k + 1 },
      element("div", { className: "words reading", dir: "auto" },
        ...pieces(words, relevance, text, scale)),
      element("p", { className: "row small" },
        element("strong", { textContent: target.name }),
        element("span", { className: "soft number", textContent: `score ${short(score)}${fails}` }),
        element("button", { type: "button", textContent: "Open",
          aria: { label: `Open line ${k + 1}` }, onclick: () => open(text) })));
  }));
  const names = [...new Set(rows.map(({ target }) => target.name))];
  $("count").textContent = names.map((name) =>
    `${rows.filter(({ target }) => target.name === name).length} × ${name}`).join(", ");
  $("live").textContent = `${rows.length} lines: ${$("count").textContent}.`;
}

function open(text, isSample = false) {
  document.querySelector("[name=mode][value=one]").checked = true;
  $("text").value = text;
  state.isSample = isSample;
  forget();
  return refresh();
}

// -- beginning

async function useModel(models) {
  state.model = models.find(({ name }) => name === $("model").value);
  const about = encodeURIComponent(state.model.name);
  for (const each of document.querySelectorAll(".of-text")) each.hidden = isLanguage();
  for (const each of document.querySelectorAll(".of-language")) each.hidden = !isLanguage();
  $("classes").replaceChildren(...state.model.classes.map((value) => element("option", { value })));
  $("target").value = $("against").value = "";
  const [choices, samples] = await Promise.all(
    [get(`api/methods?model=${about}`), get(`api/samples?model=${about}`)]);
  methods(choices, $("method"), $("composite"), $("about"), refresh);
  const read = async ({ url }) => (await fetch(address(url), { credentials: "same-origin" })).text();
  $("samples").replaceChildren(...samples.map((each) => element("button", {
    type: "button", textContent: each.name, onclick: async () => open(await read(each), true),
  })));
  if (state.isSample && samples.length) return open(await read(samples[0]), true);
  forget();
  await refresh();
}

function listen() {
  let timer = null;
  $("ask").onsubmit = async (event) => {
    event.preventDefault();
    clearTimeout(timer);
    await refresh();
    $(isBatch() && !isLanguage() ? "batch" : "result").scrollIntoView({ block: "nearest" });
  };
  $("text").oninput = () => {
    forget();
    state.isSample = false;
    clearTimeout(timer);
    const isShort = $("text").value.length <= LIVE && $("text").value.trim();
    if (isShort && !isLanguage()) timer = setTimeout(refresh, PAUSE);
  };
  for (const id of ["target", "against", "tokens", "of"]) $(id).onchange = refresh;
  for (const each of document.querySelectorAll("[name=mode]")) each.onchange = refresh;
  const button = ({ target }) => (isLanguage() ? null : target.closest("button"));
  const at = (event) => { if (button(event)) state.at = Number(button(event).dataset.k); };
  $("words").onpointerover = (event) => button(event) && readout(button(event));
  $("words").addEventListener("focusin", (event) => {
    at(event);
    if (button(event)) readout(button(event));
    else state.at = Math.max(0, [...buttons()].indexOf(event.target));
  });
  $("words").onclick = (event) => { at(event); if (button(event)) toggle(state.at); };
  $("words").onkeydown = keys;
  $("delete").onclick = () => toggle(state.at, true);
  $("strongest").onclick = () => {
    const k = strongest(state.shown, 1);
    if (k >= 0) toggle(k, true);
  };
  $("undo").onclick = () => travel("past", "future");
  $("redo").onclick = () => travel("future", "past");
  $("restore").onclick = () => change(new Set());
  $("sort").onchange = $("shared").onchange = showLines;
  $("save").onclick = () => download(new Blob(
    [JSON.stringify(isLanguage() ? record() : state.shown)], { type: "application/json" }),
  "whence-text.json");
  watchMatrix();
  onScheme(() => legend($("legend")));
}

async function begin() {
  for (const each of document.querySelectorAll(".no-js")) each.hidden = true;
  listen();
  const models = (await get("api/models")).filter(({ kind }) => ["text", "language"].includes(kind));
  fill($("model"), models.map(({ name, title }) => ({ value: name, text: name, title })),
    $("model").value);
  $("model").onchange = () => useModel(models);
  await useModel(models);
  document.body.dataset.ready = "yes";
}

begin().catch((error) => complain($("wrong"), error));
