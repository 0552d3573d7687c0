// One run in three dimensions: its city, its element sets, what moves in it; painted for a second of its clock.
import { Scene } from "three";
import * as city from "./city.js";
import { MoverLayer } from "./movers.js";
import { PartLayer } from "./parts.js";

export class World {
  constructor(run, shared, cmaps) {
    this.run = run;
    this.shared = shared;
    this.scene = new Scene();
    this.scene.matrixAutoUpdate = false;
    this.parts = run.parts.map((part) => new PartLayer(run, part, cmaps));
    let colours = 0;
    this.movers = run.tracks.map((tracks) => {
      const layer = new MoverLayer(run, tracks, shared, colours);
      colours += tracks.kinds.length;
      return layer;
    });
    this.sample = -2;
    this.pickable = [];
  }

  async build() {
    const { run, shared, scene } = this;
    scene.add(city.sky(shared), city.ground(shared, run.bounds_m));
    this.places = await city.places(shared, run.ground.places, run.store);
    this.streets = await city.streets(shared, run.ground.streets, run.store);
    this.buildings = await city.buildings(shared, run.ground.buildings, run.store);
    scene.add(this.places, this.streets.mesh, this.buildings.mesh);
    for (const [number, layer] of this.parts.entries()) {
      await layer.build(shared, number);
      scene.add(layer.group);
    }
    for (const layer of this.movers) scene.add(layer.group);
    this.lights = this.parts.filter((layer) => layer.part.lights);
    this.nearest = [this.streets, this.buildings].map((things) => nearest(things.centres, this.lights));
    this.numberPickables();
  }

  // Give every element a number that a pixel can carry.
  numberPickables() {
    let base = 1;
    const add = (meshes, count, what) => {
      for (const mesh of meshes) mesh.material.uniforms.uBase.value = base;
      this.pickable.push({ base, count, ...what });
      base += count;
    };
    add([this.streets.mesh], this.streets.ids.length, { kind: "street" });
    add([this.buildings.mesh], this.buildings.ids.length, { kind: "building" });
    for (const layer of this.parts) add(layer.meshes(), layer.count, { kind: "part", layer });
    for (const layer of this.movers) {
      for (const body of layer.bodies) add(body.meshes, Math.max(1, layer.tracks.things * 2), { kind: "mover", layer, body });
    }
  }

  pick(number) {
    const found = this.pickable.find((one) => number >= one.base && number < one.base + one.count);
    if (!found) return null;
    const index = number - found.base;
    if (found.kind !== "mover") return { ...found, index };
    const row = found.body.rows[index];
    return row === undefined ? null : { ...found, index: found.layer.stretch.thing[row] };
  }

  // Have all data of a second at hand. `shown(key)`: whether a layer is drawn.
  async prepare(second, shown) {
    const at = this.clamp(second);
    const parts = this.parts.filter((layer) => shown(layer.key) || layer.part.lights).map((layer) => layer.ready());
    const movers = this.movers.map((layer) => {
      const number = layer.tracks.find(at);
      return number < 0 ? null : layer.tracks.stretch(number);
    });
    await Promise.all([...parts, ...movers]);
  }

  // Seconds of this run for a second of the common clock.
  clamp(second) {
    return Math.min(Math.max(0, second - this.run.offset_s), this.run.end_s);
  }

  // Paint a second from what is at hand; false when some of it is still being read.
  update(second, shown) {
    const at = this.clamp(second);
    const sample = this.run.sample(at);
    for (const layer of this.parts) if (shown(layer.key) && layer.tables) layer.paint(sample);
    if (sample !== this.sample) this.light(sample);
    this.sample = sample;
    let whole = true;
    for (const layer of this.movers) {
      const number = layer.tracks.find(at);
      const stretch = number < 0 ? null : layer.tracks.ready(number);
      layer.ahead = number >= 0 && number + 1 < layer.tracks.chunks.length ? number + 1 : null;
      if (number < 0) layer.clear();
      else if (stretch && stretch !== layer.stretch) layer.load(stretch);
      else if (!stretch) whole = false;
      layer.update(at);
    }
    this.shared.uTime.value = at;
    return whole;
  }

  // What stands nearest to an element that gives no light is dark.
  light(sample) {
    const lit = this.lights.map((layer) => {
      const port = layer.part.ports.find((one) => one.name === layer.part.lights);
      return [layer.tables?.get(port), layer.count];
    });
    [this.streets, this.buildings].forEach((things, which) => {
      const { layer, element } = this.nearest[which];
      const bytes = things.states.bytes;
      for (let i = 0; i < layer.length; i++) {
        const [table, count] = layer[i] >= 0 ? lit[layer[i]] : [];
        bytes[i * 4 + 3] = table && sample >= 0 && table[sample * count + element[i]] === 0 ? 128 : 255;
      }
      things.states.changed();
    });
  }

  relight() {
    this.sample = -2;
  }

  dispose() {
    this.scene.traverse((one) => one.geometry?.dispose());
  }
}

// For each point the nearest element among the layers that reaches it: which layer, which element; -1 without any.
function nearest(centres, layers) {
  const layer = new Int32Array(centres.length).fill(-1);
  const element = new Int32Array(centres.length);
  centres.forEach(([x, y], i) => {
    let best = Infinity;
    layers.forEach((one, number) => {
      const reach = one.part.reach_m > 0 ? one.part.reach_m ** 2 : Infinity;
      for (let e = 0; e < one.centres.length; e++) {
        const [dx, dy] = [one.centres[e][0] - x, one.centres[e][1] - y];
        const away = dx * dx + dy * dy;
        if (away < best && away <= reach) [best, layer[i], element[i]] = [away, number, e];
      }
    });
  });
  return { layer, element };
}
