// The city itself: sky, ground, places, streets and buildings; at night lamps and windows, dark where no light is given.
import { BackSide, Mesh, PlaneGeometry, SphereGeometry } from "three";
import { material, STATE, States } from "./shade.js";
import { eachShape, middle, openRing, ribbon, triangles, Vertices } from "./shapes.js";

// Places of these kinds are not plain ground: [by day, by night].
const COVER = {
  river: ["#7fa6c4", "#10243c"],
  lake: ["#7fa6c4", "#10243c"],
  water: ["#7fa6c4", "#10243c"],
  sea: ["#7fa6c4", "#10243c"],
  park: ["#a9bf90", "#12241c"],
  green: ["#a9bf90", "#12241c"],
  forest: ["#97b283", "#10211a"],
  plaza: ["#d8d2c4", "#1b2130"],
};
const PLAIN = ["#bfc0b4", "#121927"];
// What lies on the ground is drawn before all that stands on it, in order: nothing flickers, and depth is not asked.
export const FLAT = { transparent: false, depthTest: false, depthWrite: false };

export function sky(shared) {
  const dome = new Mesh(
    new SphereGeometry(1, 24, 12),
    material(shared, {
      ...FLAT,
      side: BackSide,
      vertex: `varying vec3 vUp; void main() { vUp = position; gl_Position = (projectionMatrix * mat4(mat3(modelViewMatrix)) * vec4(position, 1.0)).xyww; }`,
      fragment: `varying vec3 vUp; void main() {
        if (uPick > 0.5) discard;
        float up = clamp(normalize(vUp).z, 0.0, 1.0);
        gl_FragColor = vec4(mix(uHorizon, uSky, pow(up, 0.45)), 1.0);
      }`,
    }),
  );
  dome.frustumCulled = false;
  dome.renderOrder = -110;
  return dome;
}

export function ground(shared, bounds) {
  const size = 30 * Math.max(bounds[2] - bounds[0], bounds[3] - bounds[1], 500);
  const plane = new Mesh(
    new PlaneGeometry(size, size, 40, 40),
    material(shared, {
      ...FLAT,
      vertex: `varying vec3 vAt; void main() { vec4 at = modelViewMatrix * vec4(position, 1.0); vAt = at.xyz; gl_Position = projectionMatrix * at; }`,
      fragment: `varying vec3 vAt; void main() {
        if (uPick > 0.5) discard;
        gl_FragColor = vec4(hazed(uGround, length(vAt)), 1.0);
      }`,
    }),
  );
  plane.position.set((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2, 0);
  plane.renderOrder = -100;
  return plane;
}

export async function places(shared, said, store) {
  const vertices = new Vertices({ position: 3, day: 3, night: 3 });
  for (const place of said) {
    if (!place.ring) continue;
    const xy = await store.array(place.ring);
    const points = openRing(Array.from({ length: xy.length / 2 }, (_, i) => [xy[2 * i], xy[2 * i + 1]]));
    const [day, night] = (COVER[place.kind] ?? PLAIN).map(rgb);
    const first = vertices.count;
    for (const [x, y] of points) vertices.push({ position: [x, y, 0], day, night });
    for (const [a, b, c] of triangles(points)) vertices.triangle(first + a, first + b, first + c);
  }
  const mesh = new Mesh(
    vertices.geometry(),
    material(shared, {
      ...FLAT,
      vertex: `attribute vec3 day, night; varying vec3 vColour; varying float vAway; void main() {
        vec4 at = modelViewMatrix * vec4(position, 1.0); vAway = length(at.xyz); vColour = mix(day, night, uNight); gl_Position = projectionMatrix * at; }`,
      fragment: `varying vec3 vColour; varying float vAway; void main() {
        if (uPick > 0.5) discard;
        gl_FragColor = vec4(hazed(vColour, vAway), 1.0);
      }`,
    }),
  );
  mesh.renderOrder = -90;
  mesh.frustumCulled = false;
  return mesh;
}

function rgb(text) {
  return [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16) / 255);
}

export async function streets(shared, said, store) {
  const [xy, counts, widths] = await Promise.all([store.array(said.xy), store.array(said.rows), store.array(said.width_m)]);
  const vertices = new Vertices({ position: 3, aAcross: 1, aAlong: 1, aElement: 1 });
  const centres = [];
  eachShape(xy, counts, (points, element) => {
    centres.push(middle(points, false));
    const width = Math.max(4, widths[element] || 0);
    ribbon(vertices, points, width, ([x, y], aAcross, aAlong) => ({ position: [x, y, 0], aAcross, aAlong, aElement: element }));
  });
  const states = new States(counts.length);
  const mesh = new Mesh(
    vertices.geometry(),
    material(shared, {
      ...FLAT,
      side: 2,
      uniforms: { uState: { value: states.texture } },
      vertex: `${STATE} attribute float aAcross, aAlong, aElement; varying vec4 vRoad; varying float vAway, vLit;
        void main() { vec4 at = modelViewMatrix * vec4(position, 1.0); vAway = length(at.xyz);
          vRoad = vec4(aAcross, aAlong, aElement, 0.0); vLit = stateOf(aElement).a > 0.75 ? 1.0 : 0.0; gl_Position = projectionMatrix * at; }`,
      fragment: `varying vec4 vRoad; varying float vAway, vLit; void main() {
        if (uPick > 0.5) { gl_FragColor = picked(vRoad.z); return; }
        float edge = 1.0 - smoothstep(0.7, 1.0, abs(vRoad.x));
        vec3 day = mix(vec3(0.70, 0.70, 0.68), vec3(0.61, 0.62, 0.63), edge);
        float beat = abs(fract(vRoad.y / 42.0) - 0.5) * 2.0;
        float fine = 1.0 - smoothstep(0.08, 0.5, fwidth(vRoad.y / 42.0));
        float lamp = mix(0.38, pow(beat, 3.0) * 0.85 + 0.12, fine) * (1.0 - 0.45 * abs(vRoad.x));
        vec3 night = vec3(0.075, 0.085, 0.11) + vLit * lamp * vec3(0.62, 0.41, 0.19);
        gl_FragColor = vec4(hazed(mix(day, night, uNight), vAway), 1.0);
      }`,
    }),
  );
  mesh.renderOrder = -80;
  mesh.frustumCulled = false;
  return { mesh, states, centres, ids: said.ids, names: said.names };
}

export async function buildings(shared, said, store) {
  const [xy, counts, heights] = await Promise.all([store.array(said.xy), store.array(said.rows), store.array(said.height_m)]);
  const vertices = new Vertices({ position: 3, normal: 3, aWall: 4 });
  const centres = [];
  eachShape(xy, counts, (points, element) => {
    const ring = openRing(points);
    centres.push(middle(ring, true));
    extrude(vertices, ring, Math.max(3, heights[element] || 0), element);
  });
  const states = new States(counts.length);
  const uSolid = { value: 1 };
  const mesh = new Mesh(
    vertices.geometry(),
    material(shared, {
      transparent: false,
      uniforms: { uState: { value: states.texture }, uSolid },
      vertex: BUILDING_VERTEX,
      fragment: BUILDING_FRAGMENT,
    }),
  );
  mesh.frustumCulled = false;
  const translucent = (on) => {
    uSolid.value = on ? 0.22 : 1;
    mesh.material.transparent = on;
    mesh.material.depthWrite = !on;
    mesh.renderOrder = on ? 40 : 0;
    mesh.material.needsUpdate = true;
  };
  return { mesh, states, centres, ids: said.ids, heights, translucent };
}

function extrude(vertices, ring, height, element) {
  for (let i = 0; i < ring.length; i++) {
    const [from, to] = [ring[i], ring[(i + 1) % ring.length]];
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
    if (length < 0.01) continue;
    const normal = [(to[1] - from[1]) / length, (from[0] - to[0]) / length, 0];
    const corner = (point, u, z) => vertices.push({ position: [point[0], point[1], z], normal, aWall: [u, length, height, element] });
    vertices.quad(corner(from, 0, 0), corner(to, length, 0), corner(to, length, height), corner(from, 0, height));
  }
  const first = vertices.count;
  for (const [x, y] of ring) vertices.push({ position: [x, y, height], normal: [0, 0, 1], aWall: [0, 0, height, element] });
  for (const [a, b, c] of triangles(ring)) vertices.triangle(first + a, first + b, first + c);
}

const BUILDING_VERTEX = /* glsl */ `${STATE}
attribute vec4 aWall;
varying vec4 vWall;
varying vec3 vFace;
varying vec2 vHigh;
varying float vAway, vLit;
void main() {
  vec4 at = modelViewMatrix * vec4(position, 1.0);
  vAway = length(at.xyz);
  vWall = aWall;
  vFace = normal;
  vHigh = vec2(position.z, fract(sin(aWall.w * 12.9898) * 43758.5453));
  vLit = stateOf(aWall.w).a > 0.75 ? 1.0 : 0.0;
  gl_Position = projectionMatrix * at;
}`;

const BUILDING_FRAGMENT = /* glsl */ `
uniform float uSolid;
varying vec4 vWall;
varying vec3 vFace;
varying vec2 vHigh;
varying float vAway, vLit;
float hash(vec2 p) { vec3 q = fract(vec3(p.xyx) * 0.1031); q += dot(q, q.yzx + 33.33); return fract((q.x + q.y) * q.z); }
void main() {
  if (uPick > 0.5) { if (uSolid < 0.9) discard; gl_FragColor = picked(vWall.w); return; }
  bool roof = vFace.z > 0.5;
  float tint = vHigh.y;
  float light = 0.62 + 0.38 * max(0.0, dot(vFace, uSun)) + (roof ? 0.06 : 0.0);
  float foot = roof ? 1.0 : mix(0.80, 1.0, smoothstep(0.0, 14.0, vHigh.x));
  vec3 stone = mix(vec3(0.93, 0.91, 0.87), vec3(0.80, 0.83, 0.86), tint);
  vec3 day = stone * light * foot;
  vec3 night = mix(vec3(0.125, 0.148, 0.210), vec3(0.092, 0.110, 0.160), tint) * (roof ? 1.30 : 0.82 + 0.35 * max(0.0, dot(vFace, uSun)));
  if (!roof) {
    vec2 at = vec2(vWall.x / 3.6, vHigh.x / 3.3);
    vec2 wide = fwidth(at);
    float fine = 1.0 - smoothstep(0.25, 0.8, max(wide.x, wide.y));
    vec2 in_cell = fract(at);
    float pane = step(0.2, in_cell.x) * step(in_cell.x, 0.8) * step(0.28, in_cell.y) * step(in_cell.y, 0.82);
    float share = 0.12 + 0.34 * fract(tint * 7.31);
    float chance = hash(floor(at) + tint * 917.0);
    float lit = step(1.0 - share, chance);
    float glow = mix(share * 0.55, pane * lit, fine);
    vec3 lamp = mix(vec3(1.0, 0.76, 0.42), vec3(0.86, 0.90, 0.98), step(0.8, hash(floor(at) + 3.0)) * fine);
    night += vLit * glow * lamp * (0.62 + 0.38 * chance) * smoothstep(0.0, 3.0, vHigh.x);
    day -= mix(0.33, pane, fine) * vec3(0.14, 0.11, 0.07);
    float edge = min(vWall.x, vWall.y - vWall.x);
    float line = (1.0 - smoothstep(0.0, max(0.35, fwidth(vWall.x) * 1.2), edge)) * (1.0 - smoothstep(1500.0, 4500.0, vAway));
    day *= 1.0 - 0.12 * line;
    night += 0.02 * line;
  }
  night *= 0.48 + 0.52 * vLit;
  gl_FragColor = vec4(hazed(mix(day, night, uNight), vAway), uSolid);
}`;
