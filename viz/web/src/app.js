// The page: runs, one clock, one camera; what is chosen, what is followed; and when a picture is drawn.
import { Clock } from "./clock.js";
import { readJournal } from "./journal.js";
import { Layers } from "./layers.js";
import { setLanguage } from "./words.js";
import { Ui } from "./ui/ui.js";

export class App {
  constructor(index, runs, cmaps, stage) {
    Object.assign(this, { index, runs, cmaps, stage });
    this.worlds = [];
    this.heard = {};
    this.timings = {};
    const hash = new URLSearchParams(location.hash.slice(1));
    this.language = setLanguage(hash.get("lang") || index.language);
    const [first] = runs.toSorted((one, other) => one.offset_s - other.offset_s);
    this.clock = new Clock(first.start - first.offset_s * 1000, Math.max(...runs.map((run) => run.end_s + run.offset_s)));
    this.journal = readJournal(runs);
    this.layers = new Layers(this);
    this.cameras = runs[0].cameras;
    this.camera = 0;
    this.light = hash.get("light") || "auto";
    this.labelled = true;
    this.translucent = false;
    this.selected = null;
    this.followed = null;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.clock.second = Math.min(Math.max(0, Number(hash.get("t")) || 0), this.clock.end_s);
  }

  listen(what, heard) {
    (this.heard[what] ??= []).push(heard);
  }

  tell(what) {
    for (const heard of this.heard[what] ?? []) heard();
  }

  parts(key) {
    return this.worlds.flatMap((world) => world.parts.filter((layer) => layer.key === key));
  }

  runSecond(run) {
    return Math.min(Math.max(0, this.clock.second - run.offset_s), run.end_s);
  }

  buildUi(root) {
    this.heard = {};
    this.clock.heard = [];
    document.documentElement.lang = this.language === "zh" ? "zh-CN" : "en";
    document.title = this.index.title || this.runs[0].title || this.runs[0].name;
    if (!this.root && innerWidth <= 800) root.classList.add("bare");
    this.root = root;
    root.classList.toggle("soft", Boolean(this.stage?.soft));
    this.ui = new Ui(this, root);
    this.clock.listen(() => this.drawSoon());
    this.drawSoon();
  }

  setLanguage(language) {
    this.language = setLanguage(language);
    const hash = new URLSearchParams(location.hash.slice(1));
    hash.set("lang", this.language);
    location.replace(`#${hash}`);
    const focused = document.activeElement?.className;
    this.buildUi(this.root);
    if (focused === "language") this.root.querySelector(".language").focus();
    this.ui.loaded();
  }

  // Everything the present second needs, decoded.
  prepare(second = this.clock.second) {
    return Promise.all(this.worlds.map((world) => world.prepare(second, (key) => this.layers.shown(key))));
  }

  // Go to a second: at once where the data is at hand, else as soon as it is.
  async scrub(second) {
    this.clock.seek(second);
    const wanted = this.clock.second;
    await this.prepare(wanted);
    if (this.clock.second === wanted) this.drawSoon();
  }

  // Go to a second and draw it now: how long the data took and how long the picture, in milliseconds.
  async seek(second) {
    this.clock.playing = false;
    const start = performance.now();
    this.clock.second = Math.min(Math.max(0, Number(second)), this.clock.end_s);
    await this.prepare();
    for (const world of this.worlds) this.update(world);
    const data_ms = performance.now() - start;
    this.clock.tell();
    const drawn = performance.now();
    if (this.stage) {
      this.draw();
      this.stage.finish();
    }
    return { data_ms, picture_ms: performance.now() - drawn };
  }

  update(world) {
    const whole = world.update(this.clock.second, (key) => this.layers.shown(key));
    if (whole || this.reading) return;
    this.reading = this.prepare()
      .then(() => this.drawSoon())
      .finally(() => (this.reading = null));
  }

  isNight() {
    return this.light === "auto" ? this.clock.isNight() : this.light === "night";
  }

  draw() {
    const night = this.isNight();
    if (night !== this.night) {
      this.night = night;
      this.stage.night(night);
      document.documentElement.dataset.look = night ? "night" : "day";
    }
    if (this.followed) this.keepUp();
    this.stage.shared.uBlink.value = this.calm ? 1 : Math.round(performance.now() / 350) % 2;
    this.stage.draw((world) => this.update(world));
    this.ui.labels.draw();
    this.tell("counts");
    if (this.clock.playing) this.readAhead();
  }

  // Read what comes next before it is needed.
  readAhead() {
    for (const world of this.worlds) {
      for (const layer of world.movers) if (layer.ahead !== null) layer.tracks.stretch(layer.ahead);
    }
  }

  drawSoon() {
    if (this.stage) this.stage.changed = true;
  }

  // The loop: time passes, the camera glides, a picture is drawn when something has changed.
  run() {
    let last = performance.now();
    const frame = (now) => {
      this.clock.pass(Math.min(0.5, (now - last) / 1000));
      last = now;
      if (this.stage) {
        this.stage.glide(now);
        if (this.stage.changed) this.draw();
      }
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  select(hit) {
    this.selected =
      hit && hit.kind === "part"
        ? { kind: "part", run: hit.run ?? hit.world.run, part: hit.part ?? hit.layer.part, index: hit.index }
        : hit;
    if (this.followed && this.followed !== this.selected) this.followed = null;
    this.tell("selected");
    this.drawSoon();
  }

  follow(hit) {
    this.followed = hit?.kind === "mover" ? hit : null;
    this.tell("selected");
    this.drawSoon();
  }

  keepUp() {
    const at = this.followed.layer.position(this.followed.index);
    if (at) this.stage.centre(at);
  }

  // Where the chosen thing is in a world, [x, y, z]; null when it is not there.
  chosenPoint(world) {
    const { selected } = this;
    if (!selected) return null;
    if (selected.kind === "part") {
      const layer = world.parts.find((one) => one.part.model === selected.part.model && one.part.set === selected.part.set);
      const [x, y, z = 0] = layer?.centres[layer.part.ids.indexOf(selected.part.ids[selected.index])] ?? [];
      return x === undefined ? null : [x, y, z];
    }
    if (selected.world !== world) return null;
    const at =
      selected.kind === "mover"
        ? selected.layer.position(selected.index)
        : (selected.kind === "building" ? world.buildings : world.streets).centres[selected.index];
    return at ? [at[0], at[1], selected.kind === "building" ? world.buildings.heights[selected.index] || 3 : 1] : null;
  }

  // Find an element by 'id', 'model.id' or 'model.set.id', or a unit by the number of a moving thing; chooses it and goes there.
  find(said) {
    const id = said.trim();
    for (const run of this.runs) {
      for (const part of run.parts) {
        const wanted = [id, id.replace(`${part.model}.`, ""), id.replace(`${part.model}.${part.set}.`, "")];
        const index = part.ids.findIndex((one) => wanted.includes(one));
        if (index >= 0 && id) return this.goTo({ kind: "part", run, part, index });
      }
    }
    for (const world of this.worlds) {
      for (const layer of world.movers) {
        const index = id === "" ? -1 : layer.tracks.ids.indexOf(Number(id));
        if (index >= 0 && layer.position(index)) {
          this.select({ kind: "mover", world, layer, index });
          this.follow(this.selected);
          return true;
        }
      }
    }
    return false;
  }

  goTo(hit) {
    this.select(hit);
    const layer = this.worlds.find((world) => world.run === hit.run)?.parts.find((one) => one.part === hit.part);
    if (layer) {
      this.followed = null;
      this.stage.centre(layer.centres[hit.index]);
      this.layers.show(layer.key, true);
    }
    return true;
  }

  useCamera(number) {
    const view = this.cameras[number];
    if (!view || !this.stage) return;
    this.camera = number;
    this.followed = null;
    this.stage.fly(view.position_m, view.look_at_m, this.calm);
    this.ui.bar.update();
  }

  setLight(light) {
    this.light = light;
    this.ui.bar.update();
    this.drawSoon();
  }

  setLabels(on) {
    this.labelled = on;
    this.tell("layers");
    this.drawSoon();
  }

  setTranslucent(on) {
    this.translucent = on;
    for (const world of this.worlds) world.buildings.translucent(on);
    this.tell("layers");
    this.drawSoon();
  }

  togglePanels() {
    this.root.classList.toggle("bare");
    this.ui.resize();
  }

  toggleHelp() {
    this.ui.help.toggle();
  }

  letGo() {
    if (this.followed) this.follow(null);
    else this.select(null);
  }
}
