// Element sets on the map: ribbons, pipes, cables, markers, areas, surfaces, clouds; coloured by one port, crossed out where off.
import { Group, Mesh } from "three";
import { ABSENT } from "./data.js";
import { bodies, crosses, flats, lines, markers } from "./forms.js";
import { DARK, NONE, NORMAL, States, WEAK } from "./shade.js";

const PLAIN = [148, 163, 184];
export const ON = [86, 180, 233];
export const OFF = [213, 94, 0];
const FAINT = new Set(["area", "cloud"]); // forms that fade where there is nothing of what they show
const CROSSED = new Set(["road", "tube", "wire", "marker"]);

// What a set is made of, by form and by the shape of its elements.
function builder(part, single) {
  if (part.form === "road") return single ? markers : flats;
  if (part.form === "tube" || part.form === "wire") return single ? markers : lines;
  if (part.form === "marker") return markers;
  if (part.form === "cloud") return part.closed || single ? bodies : lines;
  return part.closed || !single ? flats : markers;
}

export class PartLayer {
  constructor(run, part, cmaps) {
    this.run = run;
    this.part = part;
    this.cmaps = cmaps;
    this.count = part.ids.length;
    this.key = `${part.model}.${part.set}`;
    this.port = part.ports.find((port) => port.name === part.colour) ?? null;
    this.switches = part.ports.filter((port) => port.type === "switch");
    this.states = new States(this.count);
    this.depths = part.depth ? new Float32Array(this.count) : null;
    this.group = new Group();
    this.painted = null;
  }

  async build(shared, number) {
    const { store } = this.run;
    const [xy, counts, widths, heights] = await Promise.all(
      ["xy", "rows", "width_m", "height_m"].map((name) => store.array(this.part[name])),
    );
    const single = !counts.some((rows) => rows > 1);
    const shape = { xy, counts, widths, heights, form: this.part.form, closed: this.part.closed, states: this.states, number };
    const { meshes, centres } = builder(this.part, single)(shared, shape);
    this.centres = centres;
    for (const mesh of meshes) this.group.add(mesh);
    if (CROSSED.has(this.part.form) && this.switches.length) this.group.add(crosses(shared, shape, centres));
    this.lift = meshes.flatMap((mesh) => (mesh.userData.lift ? [mesh] : []));
  }

  // Every table this layer needs to be painted, decoded.
  async ready() {
    const depth = this.part.ports.find((port) => port.name === this.part.depth);
    const wanted = [...new Set([this.port, depth, ...this.switches].filter(Boolean))];
    const tables = await Promise.all(wanted.map((port) => this.run.table(port, this.count)));
    this.tables = new Map(wanted.map((port, i) => [port, tables[i]]));
    this.depthPort = depth;
  }

  paint(sample) {
    if (!this.tables || (this.painted && this.painted[0] === sample && this.painted[1] === this.port)) return;
    this.painted = [sample, this.port];
    const bytes = this.states.bytes;
    const colour = this.colours();
    const at = sample * this.count;
    const off = sample < 0 ? [] : this.switches.map((port) => this.tables.get(port));
    for (let element = 0; element < this.count; element++) {
      let state = colour(sample < 0 ? -1 : at + element, bytes, element * 4);
      for (const table of off) if (table[at + element] === 0 && table[element] === 1) state = DARK;
      bytes[element * 4 + 3] = state;
    }
    this.states.changed();
    this.raise(sample);
  }

  // A function that writes the colour of a cell of the table and returns the element's state.
  colours() {
    const { port } = this;
    if (!port) return (_, bytes, to) => write(bytes, to, PLAIN);
    const table = this.tables.get(port);
    if (port.type === "switch") return (cell, bytes, to) => (cell < 0 ? NONE : write(bytes, to, table[cell] ? ON : OFF));
    const map = this.cmaps.get(port.cmap) ?? this.cmaps.get("viridis");
    const [low, high] = port.range ?? [port.low, port.high];
    const span = high - low || 1;
    const step = (port.high - port.low) / 65534;
    const fades = FAINT.has(this.part.form) && low === 0;
    return (cell, bytes, to) => {
      if (cell < 0 || table[cell] === ABSENT) return NONE;
      const share = (port.low + table[cell] * step - low) / span;
      const row = Math.min(255, Math.max(0, Math.round(share * 255))) * 3;
      bytes[to] = map[row];
      bytes[to + 1] = map[row + 1];
      bytes[to + 2] = map[row + 2];
      return fades ? WEAK + Math.round((NORMAL - WEAK) * Math.min(1, Math.max(0, share * 8))) : NORMAL;
    };
  }

  // Lift a surface by its depth: vertices move, nothing is built anew.
  raise(sample) {
    if (!this.depthPort || !this.lift.length) return;
    const table = this.tables.get(this.depthPort);
    const step = (this.depthPort.high - this.depthPort.low) / 65534;
    for (const mesh of this.lift) {
      const attribute = mesh.geometry.getAttribute("aLift");
      const elements = mesh.geometry.getAttribute("aElement").array;
      for (let i = 0; i < elements.length; i++) {
        const code = sample < 0 ? ABSENT : table[sample * this.count + elements[i]];
        attribute.array[i] = code === ABSENT ? 0 : this.depthPort.low + code * step;
      }
      attribute.needsUpdate = true;
    }
  }

  // Is an element off at a sample where one of its switches was on at first?
  isDark(sample, element) {
    if (sample < 0 || !this.tables) return false;
    return this.switches.some((port) => this.tables.get(port)[sample * this.count + element] === 0 && this.tables.get(port)[element] === 1);
  }

  meshes() {
    return this.group.children.filter((child) => child instanceof Mesh);
  }
}

function write(bytes, to, colour) {
  bytes[to] = colour[0];
  bytes[to + 1] = colour[1];
  bytes[to + 2] = colour[2];
  return NORMAL;
}
