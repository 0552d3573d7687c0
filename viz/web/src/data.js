// Chunks of data in the page: base64 of raw deflate, opened when they are needed, a few kept.

const TYPES = { u1: Uint8Array, i2: Int16Array, u2: Uint16Array, i4: Int32Array, u4: Uint32Array, f4: Float32Array, f8: Float64Array };
const KEPT = 12;
export const ABSENT = 65535;

export class Damaged extends Error {}

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const plain = atob(text);
  const bytes = new Uint8Array(plain.length);
  for (let i = 0; i < plain.length; i++) bytes[i] = plain.charCodeAt(i);
  return bytes;
}

async function inflate(packed) {
  const stream = new DecompressionStream("deflate-raw");
  const writer = stream.writable.getWriter();
  const written = writer.write(packed).then(() => writer.close());
  written.catch(() => undefined); // the reader below fails with the same cause
  const reader = stream.readable.getReader();
  const pieces = [];
  let length = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    pieces.push(next.value);
    length += next.value.length;
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

export class Store {
  constructor(page) {
    this.nodes = new Map();
    for (const node of page.querySelectorAll("script.twin-chunk")) this.nodes.set(node.dataset.name, node);
    this.packed = new Map();
    this.open = new Map();
  }

  unpackText(name) {
    if (!this.packed.has(name)) {
      const node = this.nodes.get(name);
      if (!node) throw new Damaged(`chunk ${name} is missing`);
      try {
        this.packed.set(name, fromBase64(node.textContent.trim()));
      } catch {
        throw new Damaged(`chunk ${name} is damaged`);
      }
      node.textContent = "";
    }
    return this.packed.get(name);
  }

  // Turn the text of one more chunk into bytes; false when none is left. Meant for idle moments.
  unpackOne() {
    for (const name of this.nodes.keys()) {
      if (!this.packed.has(name)) {
        this.unpackText(name);
        return true;
      }
    }
    return false;
  }

  // The bytes of a chunk, as a promise.
  bytes(name) {
    let found = this.open.get(name);
    if (found) {
      this.open.delete(name);
    } else {
      found = Promise.resolve()
        .then(() => inflate(this.unpackText(name)))
        .catch((error) => {
          this.open.delete(name);
          throw error instanceof Damaged ? error : new Damaged(`chunk ${name} is damaged`);
        });
    }
    this.open.set(name, found);
    if (this.open.size > KEPT) this.open.delete(this.open.keys().next().value);
    return found;
  }

  // An array that the index names: {chunk, at, n, type, planes}.
  async array(ref) {
    return Array.isArray(ref) ? ref : view(await this.bytes(ref.chunk), ref);
  }
}

// Read an array out of a chunk's bytes; of `planes` all first bytes stand before all second ones.
export function view(bytes, ref) {
  const Type = TYPES[ref.type];
  const size = Type ? Type.BYTES_PER_ELEMENT : 0;
  if (!size || ref.at + ref.n * size > bytes.length) throw new Damaged(`chunk ${ref.chunk} is too short`);
  if (!ref.planes || size === 1) return new Type(bytes.buffer, bytes.byteOffset + ref.at, ref.n);
  return fromPlanes(bytes, ref, new Type(ref.n), size);
}

function fromPlanes(bytes, ref, found, size) {
  const { at, n } = ref;
  if (size === 2) {
    for (let i = 0; i < n; i++) found[i] = bytes[at + i] | (bytes[at + n + i] << 8);
    return found;
  }
  const mixed = new Uint8Array(found.buffer);
  for (let plane = 0; plane < size; plane++) {
    const from = at + plane * n;
    for (let i = 0; i < n; i++) mixed[i * size + plane] = bytes[from + i];
  }
  return found;
}

// Undo a table's differences between rows (samples), in place, modulo its type.
export function undoRows(table, elements) {
  for (let i = elements; i < table.length; i++) table[i] += table[i - elements];
  return table;
}
