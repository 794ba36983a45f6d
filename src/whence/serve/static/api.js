// Talks to the server. Addresses are relative to this file, so that any proxy sub-path works.
const ROOT = new URL("../", import.meta.url);

export class Wrong extends Error {
  constructor({ code, message, what_to_do }) {
    super(message);
    this.code = code;
    this.advice = what_to_do;
  }
}

export const address = (path) => new URL(path, ROOT).href;

async function read(response) {
  const body = await response.json().catch(() => null);
  if (response.ok && body !== null) return body;
  throw new Wrong(body?.error ?? {
    code: "unreadable",
    message: `The server answered with status ${response.status}.`,
    what_to_do: "Try again; look at the terminal where the server runs.",
  });
}

const PATIENCE = [500, 1500, 4000]; // milliseconds to wait when the server is busy

async function ask(path, options = {}) {
  for (const pause of PATIENCE) {
    try {
      return await once(path, options);
    } catch (error) {
      if (error.code !== "busy") throw error;
      await new Promise((wake) => setTimeout(wake, pause));
    }
  }
  return once(path, options);
}

async function once(path, options) {
  try {
    return await read(await fetch(address(path), { credentials: "same-origin", ...options }));
  } catch (error) {
    if (error instanceof Wrong || error.name === "AbortError") throw error;
    throw new Wrong({
      code: "unreachable",
      message: "The server does not answer.",
      what_to_do: "See whether it still runs, then try again.",
    });
  }
}

export const get = (path, signal) => ask(path, { signal });

export const post = (path, body, signal) =>
  ask(path, body instanceof FormData
    ? { method: "POST", body, signal }
    : {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "Content-Type": "application/json" },
        signal,
      });

// {shape, data: base64 of little-endian float32} -> {shape, values: Float32Array}
export function numbers({ shape, data }) {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const length = bytes.length / 4;
  return { shape, values: Float32Array.from({ length }, (_, k) => view.getFloat32(4 * k, true)) };
}

export function base64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

// Runs the newest job only: one runs, one waits, anything older is dropped and never shown.
export function latest(work) {
  let waiting = null, running = false;
  return async function again(...what) {
    waiting = what;
    if (running) return;
    running = true;
    while (waiting) {
      const now = waiting;
      waiting = null;
      await work(() => waiting !== null, ...now);
    }
    running = false;
  };
}
