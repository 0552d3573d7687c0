// Moving things: one small body drawn many times; two keyframes each, the graphics card goes between them.
import { BufferAttribute, DynamicDrawUsage, Group, InstancedBufferAttribute, InstancedBufferGeometry, Mesh, Vector4 } from "three";
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
  person: [[-0.42, 0.42, 0.5, 0.34, 0, 0.8], [-0.3, 0.3, 0.24, 0.2, 0.84, 1]],
  car: [[-0.5, 0.5, 0.5, 0.5, 0.1, 0.56], [-0.34, 0.2, 0.46, 0.36, 0.56, 1]],
  bus: [[-0.5, 0.5, 0.5, 0.48, 0.06, 1]],
  box: [[-0.5, 0.5, 0.5, 0.5, 0, 1]],
  blue_light: [[-0.5, 0.5, 0.5, 0.48, 0.08, 0.8], [-0.05, 0.2, 0.4, 0.36, 0.8, 1]],
};
const SIMPLE = [[-0.5, 0.5, 0.5, 0.3, 0, 1]];

function bodyGeometry(boxes) {
  const [positions, index] = [[], []];
  for (const [x0, x1, low, high, z0, z1] of boxes) {
    const first = positions.length / 3;
    const shrink = low > 0 ? high / low : 1;
    const [m, h] = [(x0 + x1) / 2, (x1 - x0) / 2];
    for (const [z, half, long] of [[z0, low, h], [z1, high, h * (0.4 + 0.6 * shrink)]]) {
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

const VERTEX = /* glsl */ `
attribute vec4 aPath, aWhen;
uniform vec3 uSize[KINDS];
uniform vec4 uColour[KINDS];
uniform float uLeast;
varying vec3 vAt, vColour;
varying float vAway, vThing;
void main() {
  int kind = int(aWhen.w + 0.5);
  vec4 colour = uColour[kind];
  bool there = uTime >= aWhen.x - 0.051 && uTime <= aWhen.y + 0.051 && colour.a > 0.5;
  float share = clamp((uTime - aWhen.x) / max(0.001, aWhen.y - aWhen.x), 0.0, 1.0);
  vec2 here = mix(aPath.xy, aPath.zw, share);
  vec3 size = uSize[kind];
  vec4 foot = modelViewMatrix * vec4(here, 0.0, 1.0);
  float tall = max(size.x, size.z) * uPixels / max(1.0, -foot.z);
  float grow = max(1.0, uLeast / tall);
  vec3 body = position * size * grow;
  float c = cos(aWhen.z), s = sin(aWhen.z);
  vec4 at = modelViewMatrix * vec4(here + vec2(c * body.x - s * body.y, s * body.x + c * body.y), body.z + 0.2, 1.0);
  vAt = position;
  vColour = colour.rgb;
  vAway = length(at.xyz);
  vThing = float(gl_InstanceID);
  gl_Position = there ? projectionMatrix * at : vec4(2.0, 2.0, 2.0, 1.0);
}`;

const FRAGMENT = /* glsl */ `
uniform float uLamps, uBlue;
varying vec3 vAt, vColour;
varying float vAway, vThing;
void main() {
  if (uPick > 0.5) { gl_FragColor = picked(vThing); return; }
  float light = 0.74 + 0.26 * smoothstep(0.0, 0.9, vAt.z);
  vec3 colour = vColour * mix(light * 0.92, light, uNight);
  if (uLamps > 0.5) {
    float night = uNight;
    colour *= 1.0 - 0.25 * night;
    if (vAt.x > 0.42 && vAt.z < 0.6) colour = mix(colour, vec3(1.0, 0.96, 0.82), night);
    if (vAt.x < -0.44 && vAt.z < 0.6) colour = mix(colour, vec3(0.95, 0.16, 0.12), night);
  }
  if (uBlue > 0.5 && vAt.z > 0.8) colour = mix(vec3(0.1, 0.25, 0.6), vec3(0.45, 0.72, 1.0), uBlink);
  gl_FragColor = vec4(mix(colour, hazed(colour, vAway), 0.6), 1.0);
}`;

// All things of one model; a mesh for each body among its kinds.
export class MoverLayer {
  constructor(run, tracks, shared, firstColour) {
    this.run = run;
    this.tracks = tracks;
    this.group = new Group();
    this.stretch = null;
    this.time = -1;
    this.counts = tracks.kinds.map(() => 0);
    this.colours = tracks.kinds.map((_, i) => kindColour(firstColour + i));
    this.uColour = this.colours.map((text) => new Vector4(...[1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16) / 255), 1));
    this.bodies = [...new Set(tracks.kinds.map((kind) => kind.body))].map((body) => this.body(body, shared));
  }

  body(name, shared) {
    const sizes = this.tracks.kinds.map((kind) => ({ x: kind.size_m[0], y: kind.size_m[1], z: kind.size_m[2] }));
    const one = material(shared, {
      defines: { KINDS: sizes.length },
      uniforms: {
        uSize: { value: sizes },
        uColour: { value: this.uColour },
        uLeast: { value: LEAST[name] ?? 4 },
        uLamps: { value: ["car", "bus", "blue_light"].includes(name) ? 1 : 0 },
        uBlue: { value: name === "blue_light" ? 1 : 0 },
      },
      vertex: VERTEX,
      fragment: FRAGMENT,
    });
    const geometries = [SHAPES[name] ?? SHAPES.box, SIMPLE].map((boxes) => {
      const { position, index } = bodyGeometry(boxes);
      const geometry = new InstancedBufferGeometry();
      geometry.setAttribute("position", position);
      geometry.setIndex(index);
      return geometry;
    });
    const mesh = new Mesh(geometries[0], one);
    mesh.frustumCulled = false;
    mesh.renderOrder = 2;
    mesh.userData.movers = true;
    this.group.add(mesh);
    return { name, mesh, geometries, rows: new Uint32Array(0), path: null, when: null };
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
      if (!body.path || body.path.count < rows.length) this.grow(body, rows.length);
      for (const geometry of body.geometries) geometry.instanceCount = rows.length;
    }
  }

  grow(body, count) {
    const room = Math.max(64, Math.ceil(count * 1.25));
    body.path = new InstancedBufferAttribute(new Float32Array(room * 4), 4).setUsage(DynamicDrawUsage);
    body.when = new InstancedBufferAttribute(new Float32Array(room * 4), 4).setUsage(DynamicDrawUsage);
    for (const geometry of body.geometries) {
      geometry.dispose();
      geometry.setAttribute("aPath", body.path);
      geometry.setAttribute("aWhen", body.when);
    }
  }

  clear() {
    this.stretch = null;
    for (const body of this.bodies) for (const geometry of body.geometries) geometry.instanceCount = 0;
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
      if (changed) body.path.needsUpdate = body.when.needsUpdate = true;
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
    const [path, when, at] = [body.path.array, body.when.array, slot * 4];
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

  // Few triangles when the viewer is far away or the machine is slow.
  simple(on) {
    for (const body of this.bodies) body.mesh.geometry = body.geometries[on ? 1 : 0];
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
