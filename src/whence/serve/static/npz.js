// Arrays as a file of numpy: a zip, nothing compressed, of one .npy for each name. No pickles.
const TYPES = { Float32Array: "<f4", Int32Array: "<i4" };

// arrays: { name: { shape, values } }, values a Float32Array or an Int32Array.
export function npz(arrays) {
  const entries = Object.entries(arrays)
    .map(([name, array]) => [new TextEncoder().encode(`${name}.npy`), npy(array)]);
  const parts = [], places = [];
  let place = 0;
  for (const [name, data] of entries) {
    const about = [[20, 2], [0x800, 2], [0, 2], [0, 2], [33, 2], [crc(data), 4], // 0x800: names in UTF-8; 33: 1980
      [data.length, 4], [data.length, 4], [name.length, 2], [0, 2]];
    parts.push(fields([0x04034b50, 4], ...about), name, data);
    places.push(fields([0x02014b50, 4], [20, 2], ...about, [0, 2], [0, 2], [0, 2], [0, 4],
      [place, 4]), name);
    place += 30 + name.length + data.length;
  }
  const size = places.reduce((sum, part) => sum + part.length, 0), count = entries.length;
  const end = fields([0x06054b50, 4], [0, 4], [count, 2], [count, 2], [size, 4], [place, 4], [0, 2]);
  return new Blob([...parts, ...places, end], { type: "application/zip" });
}

function npy({ shape, values }) {
  const sides = shape.join(", ") + (shape.length === 1 ? "," : "");
  const type = TYPES[values.constructor.name];
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': (${sides}), }`;
  const head = text.padEnd(64 * Math.ceil((text.length + 11) / 64) - 11) + "\n";
  const made = new Uint8Array(10 + head.length + values.byteLength);
  made.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, head.length & 255, head.length >> 8]);
  made.set(new TextEncoder().encode(head), 10);
  made.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 10 + head.length);
  return made;
}

// Whole numbers of so many bytes, the lowest first.
function fields(...pairs) {
  return Uint8Array.from(pairs.flatMap(([value, bytes]) =>
    Array.from({ length: bytes }, (_, k) => (value >>> (8 * k)) & 255)));
}

function crc(data) {
  let found = -1;
  for (const byte of data) {
    found ^= byte;
    for (let bit = 0; bit < 8; bit++) found = (found >>> 1) ^ (0xedb88320 & -(found & 1));
  }
  return ~found;
}
