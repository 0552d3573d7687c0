// One run of the index: its samples, its ports' tables, its clock, its journal.
import { ABSENT, undoRows, view } from "./data.js";
import { Tracks } from "./tracks.js";

export class Run {
  constructor(said, store) {
    Object.assign(this, said);
    this.store = store;
    this.tables = new Map();
    this.start = Date.parse(`${said.clock0}Z`);
    this.end_s = Math.max(0, Math.min(said.duration_s, said.committed_s));
    this.journal = [...(said.journal ?? [])].sort((one, other) => one.t_s - other.t_s);
    this.offset_s = said.offset_s ?? 0;
    this.tracks = (said.movers ?? []).map((movers) => new Tracks(movers, this, store));
  }

  async load() {
    this.times = await this.store.array(this.times_s);
    await Promise.all(this.tracks.map((tracks) => tracks.load()));
  }

  // Index of the last sample at or before a second; -1 before the first.
  sample(second) {
    let low = 0;
    let high = this.times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle] <= second + 1e-6) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  // The table of a port, decoded once. `count`: elements.
  async table(port, count) {
    let table = this.tables.get(port);
    if (!table) {
      const bytes = await this.store.bytes(port.data.chunk);
      table = this.tables.get(port) ?? undoRows(view(bytes, port.data).slice(), count);
      this.tables.set(port, table);
    }
    return table;
  }

  part(model, set) {
    return this.parts.find((part) => part.model === model && part.set === set);
  }

  // A recorded value as number or boolean; null where it is absent.
  static read(port, table, count, sample, element) {
    if (sample < 0) return null;
    const code = table[sample * count + element];
    if (port.type === "switch") return code === 1;
    return code === ABSENT ? null : port.low + (code / 65534) * (port.high - port.low);
  }

  async value(model, set, id, name, second) {
    const part = this.part(model, set);
    const element = part ? part.ids.indexOf(id) : -1;
    const port = part?.ports.find((one) => one.name === name);
    if (element < 0 || !port) throw new Error(`${model}.${set}.${id}: no ${name}`);
    const table = await this.table(port, part.ids.length);
    return Run.read(port, table, part.ids.length, this.sample(second), element);
  }

  // The whole curve of one element: numbers, NaN where absent.
  async curve(port, count, element) {
    const table = await this.table(port, count);
    return Float64Array.from(this.times, (_, sample) => {
      const value = Run.read(port, table, count, sample, element);
      return value === null ? NaN : Number(value);
    });
  }
}
