// A map as an SVG file: rectangles of runs of one colour, or a picture where those are too many.
import { PLAIN, colourise } from "./heatmap.js";

const MOST = 10000;

export function svg(canvas, map, options, title) {
  const chosen = { ...PLAIN, ...options };
  const safe = title.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
  const runs = chosen.view === "map" ? rectangles(map, colourise(map, chosen)) : [];
  const size = runs.length && runs.length <= MOST ? map : canvas;
  const body = size === map ? runs.join("")
    : `<image width="${canvas.width}" height="${canvas.height}" href="${canvas.toDataURL()}"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" ` +
    `width="${canvas.width}" height="${canvas.height}" role="img" shape-rendering="crispEdges">` +
    `<title>${safe}</title>${body}</svg>\n`;
}

function rectangles({ height, width }, bytes) {
  const hex = (byte) => byte.toString(16).padStart(2, "0");
  const colour = (k) => "#" + Array.from(bytes.subarray(4 * k, 4 * k + 3), hex).join("");
  const made = [];
  for (let row = 0; row < height; row++) {
    for (let from = 0, to = 1; from < width; from = to, to = from + 1) {
      const fill = colour(row * width + from);
      while (to < width && colour(row * width + to) === fill) to++;
      made.push(`<rect x="${from}" y="${row}" width="${to - from}" height="1" fill="${fill}"/>`);
    }
  }
  return made;
}
