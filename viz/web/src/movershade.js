// Shaders of moving things: bodies near by, points from afar; both go between the two keyframes that each thing carries.

const WHERE = /* glsl */ `
attribute vec4 aPath, aWhen; // from x, y, to x, y; from second, to second, heading, kind
uniform vec3 uSize[KINDS];
uniform vec4 uColour[KINDS];
uniform float uLeast;
varying vec3 vColour;
varying float vAway, vThing;
bool present() {
  vec4 colour = uColour[int(aWhen.w + 0.5)];
  vColour = colour.rgb;
  return uTime >= aWhen.x - 0.051 && uTime <= aWhen.y + 0.051 && colour.a > 0.5;
}
vec2 here() { return mix(aPath.xy, aPath.zw, clamp((uTime - aWhen.x) / max(0.001, aWhen.y - aWhen.x), 0.0, 1.0)); }
`;

const LIGHT = /* glsl */ `
uniform float uLamps, uBlue;
varying vec3 vColour;
varying float vAway, vThing;
vec3 lamps(vec3 colour, float along, float low) {
  if (uLamps < 0.5) return colour;
  colour *= 1.0 - 0.25 * uNight;
  if (along > 0.42 && low < 0.6) return mix(colour, vec3(1.0, 0.96, 0.82), uNight);
  if (along < -0.44 && low < 0.6) return mix(colour, vec3(0.95, 0.16, 0.12), uNight);
  return colour;
}
vec3 blue() { return mix(vec3(0.1, 0.25, 0.6), vec3(0.45, 0.72, 1.0), uBlink); }
`;

export const BODY = {
  vertex: /* glsl */ `${WHERE}
varying vec3 vAt;
void main() {
  bool there = present();
  vec2 at2 = here();
  vec3 size = uSize[int(aWhen.w + 0.5)];
  vec4 foot = modelViewMatrix * vec4(at2, 0.0, 1.0);
  float tall = max(size.x, size.z) * uPixels / max(1.0, -foot.z);
  vec3 body = position * size * max(1.0, uLeast / tall);
  float c = cos(aWhen.z), s = sin(aWhen.z);
  vec4 at = modelViewMatrix * vec4(at2 + vec2(c * body.x - s * body.y, s * body.x + c * body.y), body.z + 0.2, 1.0);
  vAt = position;
  vAway = length(at.xyz);
  vThing = float(gl_InstanceID);
  gl_Position = there ? projectionMatrix * at : vec4(2.0, 2.0, 2.0, 1.0);
}`,
  fragment: /* glsl */ `${LIGHT}
varying vec3 vAt;
void main() {
  if (uPick > 0.5) { gl_FragColor = picked(vThing); return; }
  float light = 0.74 + 0.26 * smoothstep(0.0, 0.9, vAt.z);
  vec3 colour = lamps(vColour * mix(light * 0.92, light, uNight), vAt.x, vAt.z);
  if (uBlue > 0.5 && vAt.z > 0.8) colour = blue();
  gl_FragColor = vec4(mix(colour, hazed(colour, vAway), 0.6), 1.0);
}`,
};

export const SPRITE = {
  vertex: /* glsl */ `${WHERE}
uniform float uUpright;
varying vec4 vShape; // direction on the screen; half length and half width as shares of the point
void main() {
  bool there = present();
  vec2 at2 = here();
  vec3 size = uSize[int(aWhen.w + 0.5)];
  vec4 at = modelViewMatrix * vec4(at2, size.z * 0.5, 1.0);
  float away = max(1.0, -at.z);
  float scale = uPixels / away;
  float grow = max(1.0, uLeast / (max(size.x, size.z) * scale));
  vec3 ahead = mat3(modelViewMatrix) * vec3(cos(aWhen.z), sin(aWhen.z), 0.0);
  vec2 way = uUpright > 0.5 ? vec2(0.0, size.z) : ahead.xy * size.x;
  float wide = uUpright > 0.5 ? size.x * 1.3 : max(size.y, size.z) * 0.85;
  float length_ = max(length(way), wide);
  float pixels = max(2.0, max(length_, wide) * scale * grow);
  vShape = vec4(length(way) > 0.01 ? normalize(way) : vec2(0.0, 1.0), length_ / max(length_, wide), wide / max(length_, wide));
  vAway = length(at.xyz);
  vThing = float(gl_VertexID);
  gl_PointSize = pixels;
  gl_Position = there ? projectionMatrix * at : vec4(2.0, 2.0, 2.0, 1.0);
}`,
  fragment: /* glsl */ `${LIGHT}
uniform float uUpright;
varying vec4 vShape;
void main() {
  vec2 p = (gl_PointCoord * 2.0 - 1.0) * vec2(1.0, -1.0);
  vec2 q = vec2(dot(p, vShape.xy) / vShape.z, dot(p, vec2(-vShape.y, vShape.x)) / vShape.w);
  if (max(abs(q.x), abs(q.y)) > 1.0) discard;
  if (uUpright > 0.5 && q.x > 0.5 && abs(q.y) > 0.62) discard;
  if (uPick > 0.5) { gl_FragColor = picked(vThing); return; }
  vec3 colour = lamps(vColour * (0.86 + 0.14 * q.x * uUpright), q.x * 0.55, 0.0);
  if (uBlue > 0.5 && abs(q.x) < 0.3) colour = blue();
  gl_FragColor = vec4(mix(colour, hazed(colour, vAway), 0.6), 1.0);
}`,
};
