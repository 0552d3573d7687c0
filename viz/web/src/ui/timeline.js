// The timeline: play, speed, the hour, a slider to drag, and marks of what was done and noticed.
import { SPEEDS } from "../clock.js";
import { describe } from "../journal.js";
import { say } from "../words.js";
import { choice, icon, make } from "./dom.js";

const BUCKETS = 160; // marks nearer than this share of the line become one

export class Timeline {
  constructor(app) {
    this.app = app;
    const { clock } = app;
    this.button = make("button", { type: "button", class: "play", onclick: () => clock.play() });
    this.time = make("output", { class: "time", "aria-live": "off" });
    this.day = make("span", { class: "day", title: app.runs[0].timezone });
    this.speed = choice(
      SPEEDS.map((speed) => [speed, `${speed}×`]),
      clock.speed,
      (value) => clock.setSpeed(Number(value)),
      { class: "speed", "aria-label": say("speed") },
    );
    this.knob = make("div", { class: "knob" });
    this.past = make("div", { class: "past" });
    this.marks = make("div", { class: "marks" });
    this.line = make(
      "div",
      { class: "line", role: "slider", tabindex: "0", "aria-label": say("timeline"), "aria-valuemin": 0, "aria-valuemax": clock.end_s },
      make("div", { class: "rail" }, this.past),
      this.knob,
    );
    this.tip = make("div", { class: "tip", hidden: true });
    this.ticks = make("div", { class: "ticks", "aria-hidden": "true" });
    this.root = make(
      "section",
      { class: "timeline", "aria-label": say("timeline") },
      this.button,
      make("div", { class: "clock" }, this.time, this.day),
      make("div", { class: "track" }, this.marks, this.line, this.ticks, this.tip),
      this.speed,
    );
    this.drag();
    this.mark();
    this.scale();
    clock.listen(() => this.update());
    this.update();
  }

  update() {
    const { clock, language } = this.app;
    const share = clock.end_s ? (clock.second / clock.end_s) * 100 : 0;
    this.knob.style.left = `${share}%`;
    this.past.style.width = `${share}%`;
    this.time.textContent = clock.time();
    this.day.textContent = clock.day(language);
    this.line.setAttribute("aria-valuenow", String(Math.round(clock.second)));
    this.line.setAttribute("aria-valuetext", clock.time());
    if (this.speed.value !== String(clock.speed)) this.speed.value = String(clock.speed);
    if (this.playing !== clock.playing) {
      this.playing = clock.playing;
      this.button.replaceChildren(icon(clock.playing ? "pause" : "play"));
      this.button.setAttribute("aria-label", say(clock.playing ? "pause" : "play"));
      this.button.title = say(clock.playing ? "pause" : "play");
    }
  }

  drag() {
    const { app } = this;
    const to = (event) => {
      const { left, width } = this.line.getBoundingClientRect();
      app.scrub(((event.clientX - left) / width) * app.clock.end_s);
    };
    this.line.addEventListener("pointerdown", (event) => {
      this.line.setPointerCapture(event.pointerId);
      to(event);
    });
    this.line.addEventListener("pointermove", (event) => this.line.hasPointerCapture(event.pointerId) && to(event));
  }

  // Hours under the line, at round distances.
  scale() {
    const { clock } = this.app;
    const steps = [10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800];
    const step = steps.find((one) => clock.end_s / one <= 7) ?? 604800;
    const into = clock.date(0).getTime() / 1000;
    const ticks = [];
    for (let at = Math.ceil(into / step) * step - into; at <= clock.end_s; at += step) {
      const tick = make("span", {}, clock.time(at).slice(0, step < 60 ? 8 : 5));
      tick.style.left = `${(at / clock.end_s) * 100}%`;
      ticks.push(tick);
    }
    this.ticks.replaceChildren(...ticks);
  }

  mark() {
    const { app } = this;
    const buckets = new Map();
    for (const entry of app.journal) {
      const at = Math.round((Math.min(entry.second, app.clock.end_s) / (app.clock.end_s || 1)) * BUCKETS);
      const key = `${entry.shape}:${at}:${app.runs.length > 1 ? entry.run.key : ""}`;
      buckets.set(key, [...(buckets.get(key) ?? []), entry]);
    }
    const made = [...buckets.values()].map((entries) => this.oneMark(entries));
    this.marks.replaceChildren(...made);
  }

  oneMark(entries) {
    const { app } = this;
    const [first] = entries;
    const label = [...new Set(entries.slice(0, 6).map((entry) => `${app.clock.time(entry.second)} ${describe(entry, app)}`))];
    if (entries.length > 6) label.push(`+ ${entries.length - 6} ${say("more")}`);
    const worst = entries.some((entry) => entry.grave) ? "grave" : "";
    const mark = make("button", {
      type: "button",
      class: `mark ${first.shape} ${worst} run-${first.run.key}`,
      "aria-label": label.join("; "),
      tabindex: first.shape === "notice" ? "-1" : "0",
      onclick: () => app.scrub(first.second),
      onpointerenter: () => this.show(mark, label),
      onfocus: () => this.show(mark, label),
      onpointerleave: () => this.hide(),
      onblur: () => this.hide(),
    });
    mark.style.left = `${app.clock.end_s ? (first.second / app.clock.end_s) * 100 : 0}%`;
    return mark;
  }

  show(mark, lines) {
    this.tip.replaceChildren(...lines.map((line) => make("div", {}, line)));
    this.tip.hidden = false;
    const [track, at] = [this.tip.parentElement.getBoundingClientRect(), mark.getBoundingClientRect()];
    const half = this.tip.offsetWidth / 2;
    const x = at.left + at.width / 2;
    this.tip.style.left = `${Math.min(Math.max(x, half + 8), innerWidth - half - 8) - track.left}px`;
  }

  hide() {
    this.tip.hidden = true;
  }
}
