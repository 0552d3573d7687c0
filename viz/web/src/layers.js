// Which layers are drawn, and by which port they are coloured; the same for both runs.

const CITY = ["buildings", "streets", "places"];

export class Layers {
  constructor(app) {
    this.app = app;
    const named = new Set(app.runs.flatMap((run) => run.layers ?? []));
    const models = new Set(
      app.runs.flatMap((run) => [...run.parts.map((part) => part.model), ...run.tracks.map((tracks) => tracks.model)]),
    );
    this.names = [...new Set([...named, ...models])];
    this.on = new Map(this.names.map((name) => [name, true]));
    for (const run of app.runs) {
      for (const part of run.parts) this.on.set(`${part.model}.${part.set}`, part.shown !== false && part.shown !== 0);
      for (const tracks of run.tracks) tracks.kinds.forEach((_, kind) => this.on.set(`${tracks.model}/${kind}`, true));
    }
  }

  isCity(name) {
    return CITY.includes(name);
  }

  shown(key) {
    const model = key.split(/[./]/)[0];
    return (this.on.get(key) ?? true) && (this.on.get(model) ?? true);
  }

  async show(key, on) {
    this.on.set(key, on);
    await this.refresh();
  }

  toggle(name) {
    return this.show(name, !(this.on.get(name) ?? true));
  }

  async colour(key, portName) {
    for (const layer of this.app.parts(key)) layer.port = layer.part.ports.find((port) => port.name === portName) ?? null;
    await this.refresh();
  }

  // Bring the scenes in line with what is shown, once its data is there.
  async refresh() {
    const { app } = this;
    await app.prepare();
    this.apply();
    app.drawSoon();
    app.tell("layers");
  }

  apply() {
    for (const world of this.app.worlds) {
      world.buildings.mesh.visible = this.shown("buildings");
      world.streets.mesh.visible = this.shown("streets");
      world.places.visible = this.shown("places");
      for (const layer of world.parts) layer.group.visible = this.shown(layer.key);
      for (const layer of world.movers) {
        layer.group.visible = this.shown(layer.tracks.model);
        layer.tracks.kinds.forEach((_, kind) => layer.showKind(kind, this.shown(`${layer.tracks.model}/${kind}`)));
      }
      world.relight();
    }
  }
}
