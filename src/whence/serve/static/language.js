// How a language model goes on with a text, and which tokens each generated one comes from.
import { numbers, post } from "./api.js";
import { cursor, mark, onScheme, paint } from "./heatmap.js";
import { $, percent, short, signed, tell } from "./page.js";
import { ends, named, piece, top } from "./words.js";

let said = null, chosen = 0; // both answers of the server; the generated token that is looked at

// Asks for the text to go on and where that comes from; gives a function that shows it.
export async function goOn(model, text, tokens, how) {
  const begun = await post("api/continue", { model, text, tokens });
  const continuation = begun.generated.map(({ id }) => id);
  const why = await post("api/explain/continuation", { model, text, continuation, ...how });
  return () => {
    const spent = begun.seconds + why.seconds;
    said = { ...begun, ...why, ...numbers(why.relevance), spent };
    choose(Math.min(chosen, continuation.length - 1));
  };
}

export const restart = () => { chosen = 0; };
export const record = () => ({ ...said, values: [...said.values] });

const grid = () => ({ values: said.values, height: said.shape[0], width: said.shape[1] });
const drawMatrix = () => said && paint($("matrix"), grid(), {}, 640);

function choose(k) {
  const { tokens, prompt, generated } = said, width = tokens.length;
  const values = [...said.values.subarray(k * width, (k + 1) * width)], scale = top(values);
  chosen = k;
  $("words").dataset.text = "";
  $("words").replaceChildren(...tokens.flatMap((token, j) => {
    const made = piece(token.trim() || "⏎", values[j], scale, j < prompt ? "span" : "button");
    if (j >= prompt + k) made.className = "piece later";
    if (j >= prompt) {
      Object.assign(made, { tabIndex: j - prompt === k ? 0 : -1, title: "" });
      made.setAttribute("aria-pressed", j - prompt === k);
      made.onclick = () => {
        choose(j - prompt);
        $("words").querySelectorAll("button")[j - prompt].focus();
      };
    }
    return [token.match(/^\s*/)[0], made];
  }));
  const token = named(tokens[prompt + k]);
  $("why").textContent = `Where does ${token} come from?`;
  $("timing").textContent = `${short(said.spent, 2)} s`;
  $("readout").textContent = "Click a generated token; arrow keys go from one to the next.";
  ends(scale);
  const from = values.map((value, j) => [Math.abs(value), j]).sort((a, b) => b[0] - a[0]).slice(0, 3)
    .filter(([size]) => size).map(([, j]) => `${named(tokens[j])} (${signed(values[j])})`);
  const others = generated[k].likeliest.map((each) =>
    `${named(each.text)} ${percent(each.probability)}`);
  const text = `${token} comes most from ${from.join(", ") || "nothing"}. ` +
    `Likeliest at its place: ${others.join(", ")}.`;
  tell($("says"), { ...said, conserves: said.conserves[k], ledger: said.ledgers[k], depth: null,
    verdict: said.verdicts[k], score: said.scores[k], map: { values } }, text);
  $("live").textContent = text;
  drawMatrix();
}

function readCell(row, column) {
  drawMatrix();
  if (row === null) return;
  mark($("matrix"), grid(), row, column);
  const { tokens, prompt, values } = said;
  $("cell").textContent = `${named(tokens[prompt + row])} from ${named(tokens[column])}: ` +
    signed(values[row * tokens.length + column]);
}

export function watchMatrix() {
  cursor($("matrix"), grid, readCell);
  onScheme(drawMatrix);
}
