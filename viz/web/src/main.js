// Opens the file: reads the index, builds the page and the scenes, draws the first picture, then offers `window.twin`.
import { App } from "./app.js";
import { listenToKeys } from "./keys.js";
import { Damaged, Store } from "./data.js";
import { Run } from "./run.js";
import { Stage } from "./stage.js";
import { say, setLanguage } from "./words.js";
import { make } from "./ui/dom.js";
import { World } from "./world.js";

const root = document.getElementById("app");

function readIndex() {
  try {
    const index = JSON.parse(document.getElementById("twin-index").textContent);
    if (index.format !== 1 || !index.runs?.length) throw new Error("unknown format");
    return index;
  } catch (error) {
    throw new Damaged(error.message);
  }
}

function readColours(index) {
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Map(Object.entries(index.cmaps).map(([name, text]) => [name, bytes(text)]));
}

function makeStage(canvas) {
  try {
    return new Stage(canvas, { high: new URLSearchParams(location.hash.slice(1)).get("quality") === "high" });
  } catch {
    return null;
  }
}

async function open() {
  const index = readIndex();
  setLanguage(index.language);
  const store = new Store(document);
  const runs = index.runs.map((said) => new Run({ quantum_m: index.quantum_m, ...said }, store));
  await Promise.all(runs.map((run) => run.load()));
  const canvas = make("canvas", { class: "city", tabindex: "0", role: "application" });
  const stage = makeStage(canvas);
  const app = new App(index, runs, readColours(index), stage);
  app.canvas = canvas;
  if (stage) await buildWorlds(app);
  app.buildUi(root);
  hook(app);
  const first = app.cameras[0];
  if (stage && first) stage.look(first.position_m, first.look_at_m);
  await app.prepare();
  app.layers.apply();
  await app.seek(app.clock.second);
  app.tell("layers");
  app.timings.first_picture_ms = performance.now();
  listenToKeys(app);
  app.run();
  idle(() => store.unpackOne() || app.readAhead());
  return app;
}

async function buildWorlds(app) {
  app.worlds = app.runs.map((run) => new World(run, app.stage.shared, app.cmaps));
  for (const world of app.worlds) await world.build();
  app.stage.worlds = app.worlds;
}

// Do pieces of work while nothing else happens, until none is left.
function idle(work) {
  const wait = globalThis.requestIdleCallback ?? ((done) => setTimeout(done, 30));
  wait(() => {
    try {
      if (work()) idle(work);
    } catch (error) {
      fail(error);
    }
  });
}

function hook(app) {
  globalThis.twin.timings = app.timings;
  globalThis.twin.seek = (second) => app.seek(second);
  globalThis.twin.value = (model, set, id, port, second, key = "a") =>
    app.runs.find((run) => run.key === key).value(model, set, id, port, second);
  globalThis.twin.movers = (model, key = "a") => moversNow(app, model, key);
  globalThis.twin.project = (model, set, id, view = 0) => {
    const layer = app.worlds[view].parts.find((one) => one.part.model === model && one.part.set === set);
    const [x, y, z = 1] = layer.centres[layer.part.ids.indexOf(id)];
    const rectangle = app.stage.views()[view];
    app.stage.aim(rectangle);
    return app.stage.project([x, y, z], rectangle);
  };
  globalThis.twin.state = () => ({
    second: app.clock.second,
    time: app.clock.time(),
    playing: app.clock.playing,
    speed: app.clock.speed,
    language: app.language,
    night: app.isNight(),
    labels: app.labelled,
    translucent: app.translucent,
    camera: app.cameras[app.camera]?.name ?? null,
    runs: app.runs.map((run) => run.name),
    layers: Object.fromEntries(app.layers.on),
    selected: app.selected ? describeChosen(app.selected) : null,
    following: Boolean(app.followed),
    counts: app.worlds.map((world) => Object.fromEntries(world.movers.map((layer) => [layer.tracks.model, [...layer.counts]]))),
  });
}

function describeChosen({ kind, part, index, layer, world }) {
  if (kind === "part") return { kind, model: part.model, set: part.set, id: part.ids[index] };
  if (kind === "mover") return { kind, model: layer.tracks.model, id: layer.tracks.ids[index] };
  return { kind, id: (kind === "building" ? world.buildings : world.streets).ids[index] };
}

// Where the moving things of a model are now, in the run's own metres: id -> [x, y].
function moversNow(app, model, key) {
  const world = app.worlds.find((one) => one.run.key === key);
  const layer = world.movers.find((one) => one.tracks.model === model);
  const [ox, oy] = world.run.origin_m;
  const found = {};
  layer.stretch?.thing.forEach((thing, row) => {
    const at = layer.stretch.at(row, layer.time);
    if (at) found[layer.tracks.ids[thing]] = [at[0] + ox, at[1] + oy];
  });
  return found;
}

function fail(error) {
  const line = error instanceof Damaged ? `${say("damaged")} ${error.message}` : `${error.name}: ${error.message}`;
  const known = [...root.querySelectorAll(".alert")].some((one) => one.textContent === line);
  if (!known) root.prepend(make("p", { class: "alert", role: "alert" }, line));
}

addEventListener("unhandledrejection", (event) => {
  if (!(event.reason instanceof Damaged)) return;
  event.preventDefault();
  fail(event.reason);
});

globalThis.twin = { timings: {} };
globalThis.twin.ready = open().then(
  () => true,
  (error) => {
    fail(error);
    return false;
  },
);
