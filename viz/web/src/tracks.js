// Where moving things are: stretches of time, decoded into keyframes, a few kept.
import { Damaged, view } from "./data.js";

const KEPT = 4;

export class Tracks {
  constructor(said, run, store) {
    this.model = said.model;
    this.kinds = said.kinds;
    this.things = said.things;
    this.said = said;
    this.chunks = said.chunks;
    this.quantum_m = said.quantum_m ?? run.quantum_m;
    this.store = store;
    this.kept = new Map();
  }

  async load() {
    this.ids = await this.store.array(this.said.id);
    this.kindOf = await this.store.array(this.said.kind);
  }

  // Which stretch holds a second; -1 when none does.
  find(second) {
    const found = this.chunks.findIndex((chunk) => second >= chunk.from_s && second < chunk.to_s);
    if (found >= 0) return found;
    const last = this.chunks.length - 1;
    return last >= 0 && second >= this.chunks[last].from_s && second <= this.chunks[last].to_s ? last : -1;
  }

  ready(number) {
    const found = this.kept.get(number);
    return found instanceof Stretch ? found : null;
  }

  async stretch(number) {
    let found = this.kept.get(number);
    if (found) this.kept.delete(number);
    else found = this.decode(number);
    this.kept.set(number, found);
    for (const old of this.kept.keys()) {
      if (this.kept.size <= KEPT) break;
      this.kept.delete(old);
    }
    const stretch = await found;
    if (this.kept.has(number)) this.kept.set(number, stretch);
    return stretch;
  }

  async decode(number) {
    const said = this.chunks[number];
    try {
      return new Stretch(said, await this.store.bytes(said.thing.chunk), this.quantum_m);
    } catch (error) {
      this.kept.delete(number);
      throw error;
    }
  }
}

export class Stretch {
  constructor(said, bytes, quantum) {
    const read = (name) => view(bytes, said[name]);
    this.from_s = said.from_s;
    this.to_s = said.to_s;
    this.faces = read("heading");
    this.thing = Uint32Array.from(read("thing"));
    for (let i = 1; i < this.thing.length; i++) this.thing[i] += this.thing[i - 1];
    const rows = read("rows");
    this.first = new Uint32Array(rows.length + 1);
    for (let i = 0; i < rows.length; i++) this.first[i + 1] = this.first[i] + rows[i];
    const total = this.first[rows.length];
    this.t = new Float32Array(total);
    this.x = new Float32Array(total);
    this.y = new Float32Array(total);
    this.fill(read, quantum);
  }

  fill(read, quantum) {
    const [x0, y0, t, dx, dy] = [read("x0"), read("y0"), read("t"), read("dx"), read("dy")];
    if (t.length < this.t.length || dx.length < this.t.length || dy.length < this.t.length) throw new Damaged("a stretch is too short");
    for (let i = 0; i < x0.length; i++) {
      let [tenths, x, y] = [0, x0[i], y0[i]];
      for (let k = this.first[i]; k < this.first[i + 1]; k++) {
        tenths += t[k];
        x += dx[k];
        y += dy[k];
        this.t[k] = this.from_s + tenths / 10;
        this.x[k] = x * quantum;
        this.y[k] = y * quantum;
      }
    }
  }

  // Position of one row of the stretch at a second, [x, y]; null when it is not there.
  at(row, second) {
    const [from, to] = [this.first[row], this.first[row + 1] - 1];
    if (to < from || second < this.t[from] - 0.051 || second > this.t[to] + 0.051) return null;
    let k = from;
    while (k < to && this.t[k + 1] <= second) k++;
    const next = Math.min(k + 1, to);
    const span = this.t[next] - this.t[k];
    const share = span > 0 ? Math.min(1, Math.max(0, (second - this.t[k]) / span)) : 0;
    return [this.x[k] + share * (this.x[next] - this.x[k]), this.y[k] + share * (this.y[next] - this.y[k])];
  }

  // Direction of motion on the segment that starts at keyframe k, or of the nearest segment that moves.
  heading(row, k) {
    const [from, to] = [this.first[row], this.first[row + 1] - 1];
    for (let i = k; i >= from; i--) {
      if (i < to && this.moves(i)) return Math.atan2(this.y[i + 1] - this.y[i], this.x[i + 1] - this.x[i]);
    }
    for (let i = k + 1; i < to; i++) {
      if (this.moves(i)) return Math.atan2(this.y[i + 1] - this.y[i], this.x[i + 1] - this.x[i]);
    }
    return Math.PI / 2 - (this.faces[row] / 128) * Math.PI;
  }

  moves(k) {
    return this.x[k + 1] !== this.x[k] || this.y[k + 1] !== this.y[k];
  }
}
