// Words on grounds of their relevance, as parts.html and pieces.css have them.
import { $, element, short, signed } from "./page.js";

const cut = (word) => (word.length > 40 ? `${[...word].slice(0, 39).join("")}…` : word);
export const named = (text) => `“${cut(text.trim() || text)}”`;
export const top = (values) => values.reduce((most, each) => Math.max(most, Math.abs(each)), 0) || 1;

// What stands between the words in the text; where a model spells them its own way, a space.
function gaps(words, text) {
  let from = 0;
  return words.map((word, k) => {
    const ahead = text.slice(from, from + word.length + 40);
    const at = ahead.toLowerCase().indexOf(word.toLowerCase());
    if (at < 0) return k ? " " : "";
    from += at + word.length;
    const gap = ahead.slice(0, at);
    return gap.trim() ? " " : gap;
  });
}

export const ground = (value, scale) =>
  `piece r${Math.round(10 * Math.max(-1, Math.min(1, value / scale))) || 0}`;

export function piece(word, value, scale, tag = "span", data = {}) {
  const className = ground(value, scale), type = tag === "button" ? tag : undefined;
  return element(tag, { className, type, textContent: word, title: signed(value), data });
}

export function pieces(words, values, text, scale = top(values), tag = "span") {
  const between = gaps(words, text);
  return words.flatMap((word, k) => [between[k], piece(word, values[k], scale, tag, { k })]);
}

// What full colour stands for.
export function ends(scale) {
  $("low").textContent = `against ${short(-scale)}`;
  $("high").textContent = `for ${signed(scale)}`;
}
