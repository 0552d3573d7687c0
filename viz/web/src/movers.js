// Moving things: one small body drawn many times; two keyframes each, the graphics card goes between them.
import {
  BufferAttribute,
  BufferGeometry,
  DynamicDrawUsage,
  Group,
  InstancedBufferAttribute,
  InstancedBufferGeometry,
  Mesh,
  Points,
  Vector3,
  Vector4,
} from "three";
import { BODY, SPRITE } from "./movershade.js";
import { material } from "./shade.js";

// Colours of kinds: told apart also by colour-blind people, bright enough for the night.
const PALETTE = ["#f4f1de", "#56b4e9", "#f0a202", "#cc79a7", "#31c48d", "#f0e442", "#e4572e", "#9f8cf0", "#8ecae6", "#b8b8b8"];
const NEVER = 1e9;

// Smallest height or length on the screen, in pixels: people and cars are drawn larger from afar.
const LEAST = { person: 4.2, car: 4.2, bus: 6, box: 4, blue_light: 9 };

export function kindColour(number) {
  return PALETTE[number % PALETTE.length];
}

// Bodies in a unit box: x forward. Each a list of [x from, x to, half width foot, half width top, z from, z to].
const SHAPES = {
  person: [
    [-0.42, 0.42, 0.5, 0.34, 0, 0.8],
    [-0.3, 0.3, 0.24, 0.2, 0.84, 1],
  ],
  car: [
    [-0.5, 0.5, 0.5, 0.5, 0.1, 0.56],
    [-0.34, 0.2, 0.46, 0.36, 0.56, 1],
  ],
  bus: [[-0.5, 0.5, 0.5, 0.48, 0.06, 1]],
  box: [[-0.5, 0.5, 0.5, 0.5, 0, 1]],
  blue_light: [
    [-0.5, 0.5, 0.5, 0.48, 0.08, 0.8],
    [-0.05, 0.2, 0.4, 0.36, 0.8, 1],
  ],
};

function bodyGeometry(boxes) {
  const [positions, index] = [[], []];
  for (const [x0, x1, low, high, z0, z1] of boxes) {
    const first = positions.length / 3;
    const shrink = low > 0 ? high / low : 1;
    const [m, h] = [(x0 + x1) / 2, (x1 - x0) / 2];
    for (const [z, half, long] of [
      [z0, low, h],
      [z1, high, h * (0.4 + 0.6 * shrink)],
    ]) {
      positions.push(m - long, -half, z, m + long, -half, z, m + long, half, z, m - long, half, z);
    }
    for (let i = 0; i < 4; i++) {
      const [a, b] = [first + i, first + ((i + 1) % 4)];
      index.push(a, b, b + 4, a, b + 4, a + 4);
    }
    index.push(first + 4, first + 5, first + 6, first + 4, first + 6, first + 7);
  }
  return { position: new BufferAttribute(new Float32Array(positions), 3), index };
}

// All things of one model; a mesh for each body among its kinds.
export class MoverLayer {
  constructor(run, tracks, shared, firstColour) {
    this.run = run;
    this.tracks = tracks;
    this.group = new Group();
    this.stretch = null;
    this.ahead = null; // the stretch that comes next
    this.time = -1;
    this.counts = tracks.kinds.map(() => 0);
    this.colours = tracks.kinds.map((_, i) => kindColour(firstColour + i));
    this.uColour = this.colours.map((text) => new Vector4(...[1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16) / 255), 1));
    this.bodies = [...new Set(tracks.kinds.map((kind) => kind.body))].map((body) => this.body(body, shared));
  }

  // A body as it is seen near by (drawn once a thing) and from afar (a point a thing): the same keyframes feed both.
  body(name, shared) {
    const said = {
      defines: { KINDS: this.tracks.kinds.length },
      uniforms: {
        uSize: { value: this.tracks.kinds.map((kind) => new Vector3(...kind.size_m)) },
        uColour: { value: this.uColour },
        uLeast: { value: LEAST[name] ?? 4 },
        uLamps: { value: ["car", "bus", "blue_light"].includes(name) ? 1 : 0 },
        uBlue: { value: name === "blue_light" ? 1 : 0 },
        uUpright: { value: name === "person" ? 1 : 0 },
      },
    };
    const near = new InstancedBufferGeometry();
    const { position, index } = bodyGeometry(SHAPES[name] ?? SHAPES.box);
    near.setAttribute("position", position);
    near.setIndex(index);
    const meshes = [
      new Mesh(near, material(shared, { ...said, ...BODY })),
      new Points(new BufferGeometry(), material(shared, { ...said, ...SPRITE })),
    ];
    for (const mesh of meshes) {
      mesh.frustumCulled = false;
      mesh.renderOrder = 2;
      this.group.add(mesh);
    }
    meshes[1].visible = false;
    return { name, meshes, rows: new Uint32Array(0), path: [], when: [] };
  }

  // Give the stretch at a second to the card: room for every thing in it.
  load(stretch) {
    this.stretch = stretch;
    this.time = -1;
    const { thing } = stretch;
    for (const body of this.bodies) {
      const rows = [];
      for (let i = 0; i < thing.length; i++) if (this.tracks.kinds[this.tracks.kindOf[thing[i]]]?.body === body.name) rows.push(i);
      body.rows = Uint32Array.from(rows);
      body.cursor = new Uint32Array(rows.length);
      body.next = new Float32Array(rows.length);
      if (!body.path.length || body.path[0].count < rows.length) this.grow(body, rows.length);
      this.limit(body, rows.length);
    }
  }

  limit(body, count) {
    body.meshes[0].geometry.instanceCount = count;
    body.meshes[1].geometry.setDrawRange(0, count);
  }

  grow(body, count) {
    const room = Math.max(64, Math.ceil(count * 1.25)) * 4;
    for (const [name, key] of [
      ["aPath", "path"],
      ["aWhen", "when"],
    ]) {
      const held = new Float32Array(room);
      body[key] = [InstancedBufferAttribute, BufferAttribute].map((Kind) => new Kind(held, 4).setUsage(DynamicDrawUsage));
      body.meshes.forEach(({ geometry }, i) => {
        geometry.dispose();
        geometry.setAttribute(name, body[key][i]);
      });
    }
    body.meshes[1].geometry.setAttribute("position", body.path[1]);
  }

  clear() {
    this.stretch = null;
    for (const body of this.bodies) this.limit(body, 0);
    this.counts.fill(0);
  }

  // Move to a second: only things that pass a keyframe are written again, all of them after a jump.
  update(second) {
    if (!this.stretch || this.time === second) return;
    const jump = this.time < 0 || second < this.time;
    for (const body of this.bodies) {
      let changed = false;
      for (let slot = 0; slot < body.rows.length; slot++) {
        if (!jump && second < body.next[slot]) continue;
        this.write(body, slot, second, jump);
        changed = true;
      }
      if (changed) for (const attribute of [...body.path, ...body.when]) attribute.needsUpdate = true;
    }
    if (jump || Math.floor(second) !== Math.floor(this.time)) this.count(second);
    this.time = second;
  }

  write(body, slot, second, jump) {
    const { stretch } = this;
    const row = body.rows[slot];
    const [from, to] = [stretch.first[row], stretch.first[row + 1] - 1];
    let k = jump ? from : Math.max(from, body.cursor[slot]);
    while (k < to && stretch.t[k + 1] <= second) k++;
    body.cursor[slot] = k;
    const last = Math.min(k + 1, to);
    body.next[slot] = k < to ? stretch.t[k + 1] : NEVER;
    const [path, when, at] = [body.path[0].array, body.when[0].array, slot * 4];
    path[at] = stretch.x[k];
    path[at + 1] = stretch.y[k];
    path[at + 2] = stretch.x[last];
    path[at + 3] = stretch.y[last];
    when[at] = stretch.t[k];
    when[at + 1] = stretch.t[last];
    when[at + 2] = stretch.heading(row, k);
    when[at + 3] = this.tracks.kindOf[stretch.thing[row]];
  }

  count(second) {
    this.counts.fill(0);
    const { first, t, thing } = this.stretch;
    for (let row = 0; row < thing.length; row++) {
      if (second >= t[first[row]] && second <= t[first[row + 1] - 1]) this.counts[this.tracks.kindOf[thing[row]]]++;
    }
  }

  showKind(kind, on) {
    this.uColour[kind].w = on ? 1 : 0;
  }

  // Points instead of bodies: when the viewer is far away, or the machine is slow.
  simple(on) {
    for (const { meshes } of this.bodies) {
      meshes[0].visible = !on;
      meshes[1].visible = on;
    }
  }

  // Where a thing is now, [x, y]; null when it is not in the city.
  position(thing) {
    if (!this.stretch) return null;
    for (let row = 0; row < this.stretch.thing.length; row++) {
      const at = this.stretch.thing[row] === thing ? this.stretch.at(row, Math.max(0, this.time)) : null;
      if (at) return at;
    }
    return null;
  }
}
