// What all shaders share: the light of day and night, haze, one small texture of states per group of elements, picking.
import { Color, DataTexture, NearestFilter, RGBAFormat, ShaderMaterial, UnsignedByteType, Vector3 } from "three";

const WIDTH = 1024;

export const NORMAL = 255; // alpha of an element's state: as it should be
export const WEAK = 193; // up from here to NORMAL: how much there is
export const DARK = 128; // a switch of it is off that was on
export const NONE = 0; // nothing is recorded

export const DAY = { sky: "#5f93c9", horizon: "#cfdce6", ground: "#c9cabd", haze: 0.000075 };
export const NIGHT = { sky: "#040812", horizon: "#1a2640", ground: "#0d1420", haze: 0.00013 };

// Uniforms that every material refers to: changed once, seen by all.
export function sharedUniforms() {
  return {
    uNight: { value: 0 },
    uHaze: { value: DAY.haze },
    uHorizon: { value: new Color() },
    uSky: { value: new Color() },
    uGround: { value: new Color() },
    uSun: { value: new Vector3(-0.45, -0.62, 0.64).normalize() },
    uPick: { value: 0 },
    uPixels: { value: 1 },
    uView: { value: new Vector3(1, 1, 1) },
    uTime: { value: 0 },
    uBlink: { value: 0 },
  };
}

export const COMMON = /* glsl */ `
uniform float uNight, uHaze, uPick, uPixels, uTime, uBlink;
uniform vec3 uHorizon, uSky, uGround, uSun, uView;
`;

export const STATE = /* glsl */ `
uniform sampler2D uState;
vec4 stateOf(float element) {
  int i = int(element + 0.5);
  return texelFetch(uState, ivec2(i % ${WIDTH}, i / ${WIDTH}), 0);
}
`;

export const FRAGMENT = /* glsl */ `
uniform float uBase;
vec4 picked(float element) {
  float id = uBase + floor(element + 0.5);
  return vec4(mod(id, 256.0), mod(floor(id / 256.0), 256.0), floor(id / 65536.0), 255.0) / 255.0;
}
vec3 hazed(vec3 colour, float away) {
  float share = 1.0 - exp(-pow(away * uHaze, 1.6));
  return mix(colour, uHorizon, share);
}
`;

// The state of n elements as a texture: colour in RGB, one of NORMAL, DARK, NONE in alpha.
export class States {
  constructor(count) {
    this.count = count;
    const height = Math.max(1, Math.ceil(count / WIDTH));
    this.bytes = new Uint8Array(WIDTH * height * 4).fill(255);
    this.texture = new DataTexture(this.bytes, WIDTH, height, RGBAFormat, UnsignedByteType);
    this.texture.minFilter = this.texture.magFilter = NearestFilter;
    this.texture.needsUpdate = true;
  }

  changed() {
    this.texture.needsUpdate = true;
  }
}

export function material(shared, { vertex, fragment, uniforms = {}, ...options }) {
  return new ShaderMaterial({
    uniforms: { ...shared, uBase: { value: 0 }, ...uniforms },
    vertexShader: COMMON + vertex,
    fragmentShader: COMMON + FRAGMENT + fragment,
    ...options,
  });
}

export function setLook(shared, night) {
  const look = night ? NIGHT : DAY;
  shared.uNight.value = night ? 1 : 0;
  shared.uHaze.value = look.haze;
  shared.uHorizon.value.set(look.horizon);
  shared.uSky.value.set(look.sky);
  shared.uGround.value.set(look.ground);
}
