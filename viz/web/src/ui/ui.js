// Puts the page together: the picture, panels over it, key figures and the timeline below.
import { say } from "../words.js";
import { Bar } from "./bar.js";
import { Card } from "./card.js";
import { make } from "./dom.js";
import { Help } from "./help.js";
import { JournalList } from "./journallist.js";
import { Kpis } from "./kpis.js";
import { Labels } from "./labels.js";
import { LayerList } from "./layerlist.js";
import { Timeline } from "./timeline.js";

const CLICK = 5; // pixels a pointer may move and still click

export class Ui {
  constructor(app, root) {
    Object.assign(this, { app, root });
    this.bar = new Bar(app);
    this.layers = new LayerList(app);
    this.journal = new JournalList(app);
    this.card = new Card(app);
    this.kpis = new Kpis(app);
    this.timeline = new Timeline(app);
    this.labels = new Labels(app);
    this.help = new Help();
    this.canvas = app.canvas;
    this.canvas.setAttribute("aria-label", app.runs.map((run) => run.title || run.name).join(", "));
    this.picture = make(
      "main",
      { class: "picture" },
      this.canvas,
      this.labels.root,
      this.badges(),
      app.stage ? "" : make("p", { class: "alert", role: "alert" }, say("no_webgl")),
    );
    root.replaceChildren(
      this.picture,
      this.bar.root,
      this.bar.banner,
      make("div", { class: "side left" }, this.layers.root),
      make("div", { class: "side right" }, this.card.root, this.journal.root),
      make("footer", { class: "foot" }, this.kpis.root, this.timeline.root),
      this.help.root,
    );
    this.watchPointer();
    this.observer?.disconnect();
    this.observer = new ResizeObserver(() => this.resize());
    for (const one of [this.picture, this.root.querySelector(".foot")]) this.observer.observe(one);
    this.resize();
    this.loaded();
  }

  badges() {
    if (this.app.runs.length < 2) return "";
    return make(
      "div",
      { class: "badges", "aria-hidden": "true" },
      this.app.runs.map((run) => make("div", {}, make("b", { class: `badge run-${run.key}` }, say(`run_${run.key}`)), ` ${run.name}`)),
    );
  }

  loaded() {
    return this.kpis.load();
  }

  resize() {
    const { width, height } = this.picture.getBoundingClientRect();
    const { left, right, bar, foot } = this.edges();
    this.app.stage?.resize(Math.round(width), Math.round(height), { left, top: bar, right, bottom: foot });
    const badges = this.picture.querySelector(".badges");
    if (!badges) return;
    badges.style.inset = `${bar}px ${width - right}px ${height - foot}px ${left}px`;
    badges.classList.toggle("stacked", foot - bar > right - left);
  }

  // The inner edges of what lies over the picture.
  edges() {
    const box = (selector) => this.root.querySelector(selector).getBoundingClientRect();
    const wide = innerWidth > 800 && !this.root.classList.contains("bare");
    const said = this.app.runs.length > 1 ? box(".banners").bottom : 0; // two names stand under what is said of the runs
    const [bar, foot] = [Math.max(box(".bar").bottom, said), wide || this.root.classList.contains("bare") ? box(".foot").top : box(".left").top];
    return { left: wide ? box(".left").right : 0, right: wide ? box(".right").left : innerWidth, bar, foot };
  }

  watchPointer() {
    const { app, canvas } = this;
    if (!app.stage) return;
    let from = null;
    canvas.onpointerdown = (event) => (from = event.isPrimary ? [event.clientX, event.clientY] : null);
    canvas.onpointerup = (event) => {
      if (!from || event.button !== 0 || Math.hypot(event.clientX - from[0], event.clientY - from[1]) > CLICK) return;
      const { left, top } = canvas.getBoundingClientRect();
      app.select(app.stage.pick(event.clientX - left, event.clientY - top, (world) => app.update(world)));
    };
  }
}
