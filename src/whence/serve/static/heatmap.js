// Paints relevance from its numbers, with the colours of whence.viz, so that every change of
// opacity, threshold, sign, colours or scale is a repaint and never a request.
import { address } from "./api.js";

const STEPS = 256; // colours on either side of zero
export const COLOURS = await (await fetch(address("static/colours.json"))).json();
for (const map of Object.values(COLOURS)) {
  map.table = Uint8Array.from(atob(map.table), (letter) => letter.charCodeAt(0));
}

const dark = matchMedia("(prefers-color-scheme: dark)");
// On a dark page zero is black, on a light one white.
export const suited = () => (dark.matches ? "hot-cold" : "red-blue");
export const onScheme = (act) => dark.addEventListener("change", act);

export const PLAIN = {
  view: "map", opacity: 0.9, threshold: 0, sign: "both", colours: null, scale: null, outline: true,
};

export function largest({ values }) {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
}

// Half to even, as numpy rounds, so that canvas and PNG files agree to the byte.
const rint = (x) => {
  const near = Math.round(x);
  return Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : near;
};

// Values over the scale, clipped to [-1, 1]; what is below the threshold or of the wrong sign: 0.
// scale: the |value| of full colour, a pair of them (for, against), or null for the largest.
export function normalise(map, { scale, threshold, sign }) {
  const [up, down] = Array.isArray(scale) ? scale : [scale, scale].map((s) => s || largest(map));
  return Float64Array.from(map.values, (value) => {
    const part = Math.max(-1, Math.min(1, value / ((value < 0 ? down : up) || 1)));
    const hidden = (sign === "for" && part < 0) || (sign === "against" && part > 0);
    return hidden || Math.abs(part) < threshold ? 0 : part;
  });
}

// RGBA bytes of a map alone, as viz.colourise gives them.
export function colourise(map, options) {
  const { table } = COLOURS[options.colours ?? suited()];
  const pixels = new Uint8ClampedArray(4 * map.values.length);
  normalise(map, options).forEach((part, k) => {
    const from = 3 * (rint(part * STEPS) + STEPS);
    pixels.set([table[from], table[from + 1], table[from + 2], 255], 4 * k);
  });
  return pixels;
}

// RGBA bytes to lay over the grey picture, as viz.overlay: a vivid colour, its opacity |R|.
function veil(map, options) {
  const { vivid } = COLOURS[options.colours ?? suited()];
  const pixels = new Uint8ClampedArray(4 * map.values.length);
  normalise(map, options).forEach((part, k) => {
    const opacity = rint(Math.abs(part) * options.opacity * 255);
    pixels.set([...vivid[part >= 0 ? 0 : 1], opacity], 4 * k);
  });
  return pixels;
}

function surface(pixels, height, width) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  canvas.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
  return canvas;
}

function greyOf({ shape: [height, width, channels = 1], values }) {
  if (channels === 1) return { height, width, values };
  const grey = Float32Array.from({ length: height * width }, (_, k) =>
    0.299 * values[3 * k] + 0.587 * values[3 * k + 1] + 0.114 * values[3 * k + 2]);
  return { height, width, values: grey };
}

function pictureBytes({ shape: [height, width, channels = 1], values }, grey) {
  const pixels = new Uint8ClampedArray(4 * height * width);
  for (let k = 0; k < height * width; k++) {
    const [r, g, b] = [0, 1, 2].map((c) => values[k * channels + Math.min(c, channels - 1)]);
    const luminance = 0.299 * r + 0.587 * g + 0.114 * b;
    const [red, green, blue] = grey ? [luminance, luminance, luminance] : [r, g, b];
    pixels.set([255 * red, 255 * green, 255 * blue, 255], 4 * k);
  }
  return pixels;
}

// Line segments along which a picture passes through half of its brightness, in units of pixels.
function* isoline({ height, width, values }) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (!(high > low)) return;
  const half = (low + high) / 2;
  const at = (row, column) => values[row * width + column] - half;
  for (let row = 0; row + 1 < height; row++) {
    for (let column = 0; column + 1 < width; column++) {
      const corners = [[0, 0], [0, 1], [1, 1], [1, 0]];
      const crossings = [];
      corners.forEach(([down, right], k) => {
        const [toDown, toRight] = corners[(k + 1) % 4];
        const from = at(row + down, column + right), to = at(row + toDown, column + toRight);
        if (from < 0 === to < 0) return;
        const part = from / (from - to);
        crossings.push(column + 0.5 + right + part * (toRight - right),
          row + 0.5 + down + part * (toDown - down));
      });
      for (let k = 0; k + 3 < crossings.length; k += 4) yield crossings.slice(k, k + 4);
    }
  }
}

function strokeOutline(context, picture, size) {
  const grey = greyOf(picture);
  const [x, y] = [size.width / grey.width, size.height / grey.height];
  context.beginPath();
  for (const [x0, y0, x1, y1] of isoline(grey)) {
    context.moveTo(x0 * x, y0 * y);
    context.lineTo(x1 * x, y1 * y);
  }
  context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--outline");
  context.lineWidth = Math.max(1, size.height / 200);
  context.lineCap = "round";
  context.stroke();
}

// Whole multiples of the map keep squares crisp; a coarse map takes the picture's shape.
function fit(canvas, map, side) {
  const shape = map.picture?.shape ?? [map.height, map.width];
  const factor = Math.max(1, Math.round(side / Math.max(shape[0], shape[1])));
  const [height, width] = [shape[0] * factor, shape[1] * factor];
  if (canvas.height !== height || canvas.width !== width) Object.assign(canvas, { height, width });
}

// Draws a map {height, width, values, picture} into a canvas. view: "map", "overlay", "picture".
export function paint(canvas, map, options = {}, side = 448) {
  const chosen = { ...PLAIN, ...options };
  fit(canvas, map, side);
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  context.imageSmoothingEnabled = false;
  context.clearRect(0, 0, width, height);
  if (chosen.view !== "map" && map.picture) {
    const [tall, wide] = map.picture.shape;
    const below = surface(pictureBytes(map.picture, chosen.view === "overlay"), tall, wide);
    context.drawImage(below, 0, 0, width, height);
  }
  if (chosen.view === "picture") return;
  const bytes = chosen.view === "map" ? colourise(map, chosen) : veil(map, chosen);
  context.drawImage(surface(bytes, map.height, map.width), 0, 0, width, height);
  if (chosen.view === "map" && chosen.outline && map.picture) {
    strokeOutline(context, map.picture, canvas);
  }
}

// A frame around one pixel of the map, for the eye to find it.
export function mark(canvas, { height, width }, row, column) {
  const context = canvas.getContext("2d");
  const [x, y] = [canvas.width / width, canvas.height / height];
  for (const [colour, grow] of [["#fff", 2.5], ["#000", 1]]) {
    context.strokeStyle = colour;
    context.lineWidth = grow;
    context.strokeRect(column * x - 1.5, row * y - 1.5, x + 3, y + 3);
  }
}

// A strip of the colours from against to for.
export function legend(canvas, colours) {
  const width = 2 * STEPS + 1;
  const values = Float64Array.from({ length: width }, (_, k) => (k - STEPS) / STEPS);
  Object.assign(canvas, { width, height: 1 });
  const bytes = colourise({ values }, { ...PLAIN, colours, scale: 1 });
  canvas.getContext("2d").putImageData(new ImageData(bytes, width, 1), 0, 0);
}

// Tells the map's pixel under mouse, finger or keyboard cursor; `show` gets (row, column) or null.
export function cursor(canvas, shape, show) {
  let spot = null;
  const move = (row, column) => {
    const { height, width } = shape();
    spot = [Math.max(0, Math.min(height - 1, row)), Math.max(0, Math.min(width - 1, column))];
    show(...spot);
  };
  const point = ({ offsetX, offsetY }) => {
    const { height, width } = shape();
    move(Math.floor((offsetY * height) / canvas.clientHeight),
      Math.floor((offsetX * width) / canvas.clientWidth));
  };
  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", point);
  canvas.addEventListener("pointerleave", ({ pointerType }) => {
    if (pointerType === "touch") return; // a lifted finger leaves what it pointed at
    spot = null;
    show(null);
  });
  canvas.addEventListener("blur", () => { spot = null; show(null); });
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const { height, width } = shape();
    const far = event.shiftKey ? Math.max(1, Math.round(Math.max(height, width) / 10)) : 1;
    const [row, column] = spot ?? [Math.floor(height / 2), Math.floor(width / 2)];
    move(row + far * step[0], column + far * step[1]);
  });
}
