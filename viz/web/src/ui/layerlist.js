// The panel of layers: what is drawn, coloured by what, with the legend under it; what moves, in which colour, how many.
import { ON, OFF } from "../parts.js";
import { numberText, plainWords, say, unitText } from "../words.js";
import { check, choice, make } from "./dom.js";

export class LayerList {
  constructor(app) {
    this.app = app;
    this.root = make("section", { class: "panel layers", "aria-label": say("layers") });
    this.counts = [];
    this.open = new Map();
    app.listen("layers", () => this.fill());
    app.listen("counts", () => this.recount());
    this.fill();
  }

  fill() {
    const { app } = this;
    const focused = this.root.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const top = this.root.scrollTop;
    this.counts = [];
    const rows = app.layers.names.map((name, number) => (app.layers.isCity(name) ? this.city(name, number) : this.model(name, number)));
    this.root.replaceChildren(
      make("h2", {}, say("layers")),
      ...rows,
      this.sceneChoices(),
      app.worlds.length ? make("p", { class: "fine" }, say("scaled")) : "",
    );
    this.root.scrollTop = top;
    if (focused) this.root.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    this.recount();
  }

  toggle(key, label, number) {
    const box = check(label, this.app.layers.on.get(key) ?? true, (on) => this.app.layers.show(key, on), { "data-key": key });
    if (number < 9) box.append(make("kbd", { "aria-hidden": "true" }, String(number + 1)));
    return box;
  }

  city(name, number) {
    return make("div", { class: "layer" }, this.toggle(name, say(name), number));
  }

  model(name, number) {
    const { app } = this;
    const run = app.runs.find((one) => one.parts.some((part) => part.model === name) || one.tracks.some((tracks) => tracks.model === name));
    const box = make("div", { class: "layer" }, this.toggle(name, plainWords(name), number));
    if (!run || !(app.layers.on.get(name) ?? true)) return box;
    const tracks = run.tracks.find((one) => one.model === name);
    if (tracks) box.append(this.movers(tracks));
    const parts = run.parts.filter((part) => part.model === name);
    const folded = [];
    for (const part of parts) {
      if (part.shown) box.append(this.part(part));
      else folded.push(part);
    }
    if (folded.length) {
      const more = make(
        "details",
        { class: "more", open: this.open.get(name) },
        make("summary", {}, `${folded.length} ${say("more")}`),
        folded.map((part) => this.part(part)),
      );
      more.addEventListener("toggle", () => this.open.set(name, more.open));
      box.append(more);
    }
    return box;
  }

  part(part) {
    const { app } = this;
    const key = `${part.model}.${part.set}`;
    const on = app.layers.on.get(key);
    const row = make("div", { class: "part" }, this.toggle(key, plainWords(part.label), 99));
    if (!on) return row;
    const layer = app.parts(key)[0];
    const chosen = layer ? layer.port : part.ports.find((port) => port.name === part.colour);
    if (part.ports.length) {
      const options = [["", say("plain")], ...part.ports.map((port) => [port.name, plainWords(port.label || port.name)])];
      const pick = choice(options, chosen?.name ?? "", (name) => app.layers.colour(key, name), {
        "aria-label": `${say("colour_by")}: ${part.label}`,
        "data-key": `${key}:port`,
      });
      row.append(pick);
    }
    if (chosen) row.append(chosen.type === "switch" ? switchLegend() : this.legend(chosen));
    return row;
  }

  legend(port) {
    const map = this.app.cmaps.get(port.cmap) ?? this.app.cmaps.get("viridis");
    const stops = Array.from(
      { length: 12 },
      (_, i) => `rgb(${map.slice(Math.round((i / 11) * 255) * 3, Math.round((i / 11) * 255) * 3 + 3).join(",")})`,
    );
    const [low, high] = port.range ?? [port.low, port.high];
    return make(
      "div",
      { class: "legend" },
      make("span", {}, numberText(low)),
      make("i", { class: "ramp", style: `background:linear-gradient(90deg,${stops.join(",")})` }),
      make("span", {}, numberText(high)),
      make("span", { class: "unit" }, unitText(port.unit)),
    );
  }

  movers(tracks) {
    const layers = this.app.worlds.map((world) => world.movers.find((one) => one.tracks.model === tracks.model)).filter(Boolean);
    const rows = tracks.kinds.map((kind, number) => {
      const count = make("span", { class: "count" }, "");
      this.counts.push([count, tracks.model, number]);
      const dot = make("i", { class: "dot", style: `background:${layers[0]?.colours[number] ?? "#999"}` });
      const row = this.toggle(`${tracks.model}/${number}`, kind.label, 99);
      row.prepend(dot);
      row.append(count);
      return row;
    });
    return make("div", { class: "kinds" }, rows);
  }

  recount() {
    for (const [element, model, kind] of this.counts) {
      const text = this.app.worlds
        .map((world) => numberText(world.movers.find((one) => one.tracks.model === model)?.counts[kind] ?? 0))
        .join(" | ");
      if (element.textContent !== text) element.textContent = text;
    }
  }

  sceneChoices() {
    const { app } = this;
    if (!app.stage) return "";
    return make(
      "div",
      { class: "layer scene" },
      check(say("labels"), app.labelled, (on) => app.setLabels(on), { "data-key": "labels" }),
      check(say("translucent"), app.translucent, (on) => app.setTranslucent(on), { "data-key": "translucent" }),
    );
  }
}

function switchLegend() {
  const chip = (colour, text) => [make("i", { class: "dot", style: `background:rgb(${colour.join(",")})` }), make("span", {}, text)];
  return make("div", { class: "legend" }, chip(ON, say("on")), chip(OFF, say("off")));
}
