// Geometry and materials of element sets, one mesh (and a faint one behind buildings) for a whole set.
import { CustomBlending, GreaterDepth, LessEqualDepth, Mesh } from "three";
import { FLAT } from "./city.js";
import { material, STATE } from "./shade.js";
import { eachShape, middle, openRing, ribbon, triangles, Vertices } from "./shapes.js";

const COLOUR = /* glsl */ `${STATE}
attribute float aElement;
varying vec4 vState;
varying float vElement, vAway;
void shade(vec4 at) { vState = stateOf(aElement); vElement = aElement; vAway = length(at.xyz); }
`;

// The element's colour in this light: grey where nothing is recorded, nearly black where it is off.
const TINT = /* glsl */ `
varying vec4 vState;
varying float vElement, vAway;
float strength() { return vState.a < 0.75 ? 1.0 : clamp((vState.a * 255.0 - 193.0) / 62.0, 0.0, 1.0); }
vec3 tint() {
  vec3 none = mix(vec3(0.62, 0.64, 0.66), vec3(0.20, 0.23, 0.28), uNight);
  vec3 off = mix(vec3(0.16, 0.15, 0.17), vec3(0.02, 0.02, 0.03), uNight);
  return vState.a < 0.25 ? none : vState.a < 0.75 ? off : vState.rgb;
}
`;

const place = { side: 2, transparent: true };

// Ribbons along lines and patches of rings, flat on the ground; surfaces are lifted and drawn after the buildings.
export function flats(shared, shape) {
  const lifted = shape.form === "surface";
  const vertices = new Vertices({ position: 3, aElement: 1, aAcross: 1, aLift: 1 });
  const centres = [];
  eachShape(shape.xy, shape.counts, (points, aElement) => {
    centres.push(middle(points, shape.closed));
    const vertex = ([x, y], aAcross) => ({ position: [x, y, 0], aElement, aAcross, aLift: 0 });
    if (!shape.closed) return ribbon(vertices, points, shape.widths[aElement] || 5, vertex);
    const ring = openRing(points);
    const first = vertices.count;
    for (const point of ring) vertices.push(vertex(point, 0));
    for (const [a, b, c] of triangles(ring)) vertices.triangle(first + a, first + b, first + c);
  });
  const mesh = new Mesh(
    vertices.geometry(),
    material(shared, {
      ...place,
      ...(lifted ? { depthWrite: false } : { ...FLAT, blending: CustomBlending }),
      uniforms: {
        uState: { value: shape.states.texture },
        uThin: { value: lifted ? 0.62 : shape.closed ? 0.55 : 0.92 },
        uLifted: { value: lifted ? 1 : 0 },
      },
      vertex: `${COLOUR} attribute float aAcross, aLift; varying float vAcross, vLift; uniform float uLifted; void main() {
        vec4 at = modelViewMatrix * vec4(position.xy, position.z + uLifted * (0.3 + aLift), 1.0); shade(at); vAcross = aAcross; vLift = aLift; gl_Position = projectionMatrix * at; }`,
      fragment: `${TINT} varying float vAcross, vLift; uniform float uThin, uLifted; void main() {
        if (uPick > 0.5) { gl_FragColor = picked(vElement); return; }
        if (uLifted > 0.5 && vLift < 0.005) discard;
        vec3 colour = tint() * mix(0.96, 0.74, uNight) * (1.0 - 0.22 * smoothstep(0.55, 1.0, abs(vAcross)));
        float alpha = (vState.a < 0.25 ? 0.25 : uThin) * mix(0.12, 1.0, strength());
        gl_FragColor = vec4(hazed(colour, vAway), alpha);
      }`,
    }),
  );
  mesh.userData.lift = lifted;
  mesh.renderOrder = lifted ? 30 : shape.closed ? -60 + shape.number * 0.01 : -70 + shape.number * 0.01;
  mesh.frustumCulled = false;
  return { meshes: [mesh], centres };
}

// Pipes and cables: quads that turn to the viewer and never get thinner than a hair on the screen.
export function lines(shared, shape) {
  const wire = shape.form === "wire";
  const height = wire ? 11 + (shape.number % 3) : 2.5 + (shape.number % 5) * 1.3;
  const vertices = new Vertices({ position: 3, aOther: 3, aSide: 4 });
  const centres = [];
  eachShape(shape.xy, shape.counts, (points, element) => {
    const [x, y] = middle(points, shape.closed);
    centres.push([x, y, height]);
    const closed = shape.closed ? [...points, points[0]] : points;
    for (let i = 1; i < closed.length; i++) segment(vertices, closed[i - 1], closed[i], height, [shape.widths[element] || 1, element]);
  });
  const geometry = vertices.geometry();
  const one = lineMaterial(shared, shape, wire, false);
  const ghost = lineMaterial(shared, shape, wire, true);
  const meshes = [new Mesh(geometry, one), new Mesh(geometry, ghost)];
  meshes[0].renderOrder = 20;
  meshes[1].renderOrder = 19;
  meshes[1].userData.ghost = true;
  for (const mesh of meshes) mesh.frustumCulled = false;
  return { meshes, centres };
}

function segment(vertices, from, to, height, [width, element]) {
  const corner = (here, there, way, side) =>
    vertices.push({ position: [here[0], here[1], height], aOther: [there[0], there[1], height], aSide: [way, side, width, element] });
  vertices.quad(corner(from, to, 1, -1), corner(to, from, -1, -1), corner(to, from, -1, 1), corner(from, to, 1, 1));
}

function lineMaterial(shared, shape, wire, ghost) {
  return material(shared, {
    ...place,
    depthWrite: false,
    depthFunc: ghost ? GreaterDepth : LessEqualDepth,
    uniforms: { uState: { value: shape.states.texture }, uHair: { value: wire ? 1.3 : 2.0 }, uGhost: { value: ghost ? 0.22 : 1 } },
    vertex: `${COLOUR.replace("attribute float aElement;", "attribute vec3 aOther; attribute vec4 aSide; varying float vSide; uniform float uHair;\n#define aElement aSide.w")}
      void main() {
        vec4 at = modelViewMatrix * vec4(position, 1.0);
        vec4 other = modelViewMatrix * vec4(aOther, 1.0);
        shade(at);
        vec4 here = projectionMatrix * at;
        if (at.z > -1.0) { float share = (-1.0 - at.z) / (other.z - at.z); here = projectionMatrix * mix(at, other, clamp(share, 0.0, 1.0)); }
        if (other.z > -1.0) other = mix(other, at, clamp((-1.0 - other.z) / (at.z - other.z), 0.0, 1.0));
        vec4 there = projectionMatrix * other;
        vec2 way = (there.xy / there.w - here.xy / here.w) * aSide.x * uView.xy;
        vec2 across = length(way) > 1e-4 ? normalize(vec2(-way.y, way.x)) : vec2(0.0, 1.0);
        float pixels = max(uHair, aSide.z * uPixels / max(1.0, -at.z));
        if (vState.a < 0.75) pixels = max(pixels, uHair);
        here.xy += across * aSide.y * pixels / uView.xy * here.w;
        vSide = aSide.y;
        gl_Position = here;
      }`,
    fragment: `${TINT} varying float vSide; uniform float uGhost; void main() {
      if (uPick > 0.5) { if (uGhost < 0.9) discard; gl_FragColor = picked(vElement); return; }
      float round_ = sqrt(max(0.0, 1.0 - vSide * vSide));
      gl_FragColor = vec4(hazed(tint() * (0.6 + 0.4 * round_), vAway), (vState.a < 0.25 ? 0.4 : 0.92) * uGhost);
    }`,
  });
}

// Things that stand at a point (or the middle of a shape): small posts that stay visible from afar.
export function markers(shared, shape) {
  const vertices = new Vertices({ position: 3, aOffset: 3, aElement: 1 });
  const centres = [];
  eachShape(shape.xy, shape.counts, (points, aElement) => {
    const [x, y] = middle(points, shape.closed);
    const [wide, high] = [shape.widths[aElement] || 4, shape.heights[aElement] || 4];
    centres.push([x, y, high]);
    post(vertices, [x, y, 0], wide / 2, high, aElement);
  });
  const mesh = new Mesh(
    vertices.geometry(),
    material(shared, {
      uniforms: { uState: { value: shape.states.texture } },
      vertex: `${COLOUR} attribute vec3 aOffset; varying vec3 vFace; void main() {
        vec4 foot = modelViewMatrix * vec4(position, 1.0);
        float size = max(max(abs(aOffset.x), abs(aOffset.y)) * 2.0, 1.0);
        float grow = max(1.0, 3.4 * max(1.0, -foot.z) / (size * uPixels));
        vec4 at = modelViewMatrix * vec4(position + aOffset * grow, 1.0);
        shade(at); vFace = aOffset; gl_Position = projectionMatrix * at; }`,
      fragment: `${TINT} varying vec3 vFace; void main() {
        if (uPick > 0.5) { gl_FragColor = picked(vElement); return; }
        vec3 n = normalize(cross(dFdx(vFace), dFdy(vFace)));
        float light = 0.78 + 0.22 * abs(dot(n, uSun));
        gl_FragColor = vec4(hazed(tint() * light, vAway), 1.0);
      }`,
    }),
  );
  mesh.renderOrder = 3;
  mesh.frustumCulled = false;
  return { meshes: [mesh], centres };
}

function post(vertices, position, half, height, aElement) {
  const corners = [
    [-half, -half],
    [half, -half],
    [half, half],
    [-half, half],
  ];
  const low = corners.map(([x, y]) => vertices.push({ position, aOffset: [x, y, 0], aElement }));
  const high = corners.map(([x, y]) => vertices.push({ position, aOffset: [x * 0.72, y * 0.72, height], aElement }));
  for (let i = 0; i < 4; i++) vertices.quad(low[i], low[(i + 1) % 4], high[(i + 1) % 4], high[i]);
  vertices.quad(high[0], high[1], high[2], high[3]);
}

// Bodies of air: what stands over a ring, or round a point, thin at its rim.
export function bodies(shared, shape) {
  const vertices = new Vertices({ position: 3, aElement: 1 });
  const centres = [];
  eachShape(shape.xy, shape.counts, (points, aElement) => {
    const [x, y] = middle(points, shape.closed);
    const high = shape.heights[aElement] || 10;
    centres.push([x, y, high / 2]);
    const half = (shape.widths[aElement] || 20) / 2;
    const round = Array.from({ length: 12 }, (_, i) => [x + half * Math.cos((i * Math.PI) / 6), y + half * Math.sin((i * Math.PI) / 6)]);
    const ring = points.length > 2 ? openRing(points) : round;
    const base = ring.map(([px, py]) => [
      vertices.push({ position: [px, py, 0.5], aElement }),
      vertices.push({ position: [px, py, high], aElement }),
    ]);
    base.forEach(([low, up], i) => vertices.quad(low, base[(i + 1) % base.length][0], base[(i + 1) % base.length][1], up));
    for (const [a, b, c] of triangles(ring)) vertices.triangle(base[a][1], base[b][1], base[c][1]);
  });
  const mesh = new Mesh(
    vertices.geometry(),
    material(shared, {
      ...place,
      depthWrite: false,
      uniforms: { uState: { value: shape.states.texture } },
      vertex: `${COLOUR} void main() { vec4 at = modelViewMatrix * vec4(position, 1.0); shade(at); gl_Position = projectionMatrix * at; }`,
      fragment: `${TINT} void main() {
        if (uPick > 0.5) { gl_FragColor = picked(vElement); return; }
        if (vState.a < 0.25) discard;
        gl_FragColor = vec4(hazed(tint(), vAway), 0.42 * strength());
      }`,
    }),
  );
  mesh.renderOrder = 35;
  mesh.frustumCulled = false;
  return { meshes: [mesh], centres };
}

// A cross over every element that is off: as large on the screen from anywhere.
export function crosses(shared, shape, centres) {
  const vertices = new Vertices({ position: 3, aOffset: 2, aElement: 1 });
  centres.forEach(([x, y, z = 2], aElement) => {
    const corner = (a, b) => vertices.push({ position: [x, y, z + 2], aOffset: [a, b], aElement });
    vertices.quad(corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1));
  });
  const mesh = new Mesh(
    vertices.geometry(),
    material(shared, {
      ...place,
      depthTest: false,
      depthWrite: false,
      uniforms: { uState: { value: shape.states.texture } },
      vertex: `${COLOUR} attribute vec2 aOffset; varying vec2 vOffset; void main() {
        vec4 at = modelViewMatrix * vec4(position, 1.0); shade(at);
        bool off = vState.a > 0.25 && vState.a < 0.75;
        vec4 here = projectionMatrix * at;
        here.xy += aOffset * clamp(9.0 * uPixels / max(1.0, -at.z) , 5.0, 9.0) / uView.xy * 2.0 * here.w;
        vOffset = aOffset; gl_Position = off ? here : vec4(2.0, 2.0, 2.0, 1.0); }`,
      fragment: `${TINT} varying vec2 vOffset; void main() {
        if (uPick > 0.5) { gl_FragColor = picked(vElement); return; }
        float bar = min(abs(vOffset.x - vOffset.y), abs(vOffset.x + vOffset.y));
        float rim = max(abs(vOffset.x), abs(vOffset.y));
        if (bar > 0.62 || rim > 0.96) discard;
        gl_FragColor = bar < 0.30 && rim < 0.82 ? vec4(1.0, 0.48, 0.27, 1.0) : vec4(0.06, 0.03, 0.03, 0.85);
      }`,
    }),
  );
  mesh.renderOrder = 60;
  mesh.frustumCulled = false;
  mesh.userData.ghost = false;
  return mesh;
}
