// A curve over the run, drawn on a canvas: hover tells the value, a line stands at this moment, a click goes there.
import { numberText, say } from "../words.js";
import { make } from "./dom.js";

const COLOURS = ["#7cc4ff", "#ffb454"];
const [LEFT, RIGHT, TOP, BOTTOM] = [44, 8, 10, 18];

export class Curve {
  // series: [{times, values, offset_s, steps}] on the common clock of `app`.
  constructor(app, series, unit) {
    Object.assign(this, { app, series, unit, hover: null });
    this.root = make("canvas", { class: "curve", role: "img", tabindex: "-1" });
    this.root.addEventListener("pointermove", (event) => this.point(event));
    this.root.addEventListener("pointerleave", () => this.leave());
    this.root.addEventListener("click", () => this.hover !== null && app.scrub(this.hover));
    this.range();
  }

  range() {
    let [low, high] = [Infinity, -Infinity];
    for (const { values } of this.series) {
      for (const value of values) {
        if (Number.isNaN(value)) continue;
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
    if (low > high || this.series[0]?.steps) [low, high] = [0, 1];
    const room = (high - low) * 0.08 || Math.abs(high) * 0.1 || 1;
    this.low = low >= 0 && low - room < 0 ? 0 : low - room;
    this.high = high + room;
  }

  point(event) {
    const { left, width } = this.root.getBoundingClientRect();
    const share = (event.clientX - left - LEFT) / (width - LEFT - RIGHT);
    this.hover = Math.min(1, Math.max(0, share)) * this.app.clock.end_s;
    this.draw();
  }

  leave() {
    this.hover = null;
    this.draw();
  }

  // The value in force at a second: a sample holds until the next.
  static at({ times, values, offset_s }, second) {
    let found = -1;
    while (found + 1 < times.length && times[found + 1] + offset_s <= second + 1e-6) found++;
    return found < 0 ? NaN : values[found];
  }

  static said(one, second) {
    const value = Curve.at(one, second);
    return one.steps && !Number.isNaN(value) ? say(value ? "on" : "off") : numberText(value);
  }

  draw() {
    const { root } = this;
    const [width, height] = [root.clientWidth || 260, root.clientHeight || 110];
    const ratio = globalThis.devicePixelRatio || 1;
    root.width = width * ratio;
    root.height = height * ratio;
    const pen = root.getContext("2d");
    pen.scale(ratio, ratio);
    const x = (second) => LEFT + (second / (this.app.clock.end_s || 1)) * (width - LEFT - RIGHT);
    const y = (value) => TOP + (1 - (value - this.low) / (this.high - this.low)) * (height - TOP - BOTTOM);
    this.axes(pen, width, height, y);
    this.series.forEach((one, number) => this.line(pen, one, x, y, COLOURS[number % 2]));
    this.upright(pen, x(this.app.clock.second), height, "#ffffffcc");
    if (this.hover !== null) this.tell(pen, x, y, width, height);
  }

  axes(pen, width, height, y) {
    pen.font = "10.5px system-ui, sans-serif";
    pen.lineWidth = 1;
    pen.textBaseline = "middle";
    const { steps } = this.series[0] ?? {};
    for (const value of steps ? [0, 1] : [this.low, (this.low + this.high) / 2, this.high]) {
      pen.strokeStyle = "#ffffff1f";
      pen.beginPath();
      pen.moveTo(LEFT, y(value));
      pen.lineTo(width - RIGHT, y(value));
      pen.stroke();
      pen.fillStyle = "#a9b6c8";
      pen.textAlign = "right";
      pen.fillText(steps ? say(value ? "on" : "off") : numberText(value), LEFT - 5, y(value));
    }
    pen.textAlign = "left";
    pen.fillText(this.app.clock.time(0).slice(0, 5), LEFT, height - 7);
    pen.textAlign = "right";
    pen.fillText(this.app.clock.time(this.app.clock.end_s).slice(0, 5), width - RIGHT, height - 7);
  }

  line(pen, { times, values, offset_s, steps }, x, y, colour) {
    pen.strokeStyle = colour;
    pen.lineWidth = 1.6;
    pen.lineJoin = "round";
    pen.beginPath();
    let drawing = false;
    for (let i = 0; i < times.length; i++) {
      if (Number.isNaN(values[i])) {
        drawing = false;
        continue;
      }
      const [px, py] = [x(times[i] + offset_s), y(values[i])];
      if (drawing && steps) pen.lineTo(px, y(values[i - 1]));
      if (drawing) pen.lineTo(px, py);
      else pen.moveTo(px, py);
      drawing = true;
    }
    pen.stroke();
  }

  upright(pen, at, height, colour) {
    pen.strokeStyle = colour;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(at, TOP);
    pen.lineTo(at, height - BOTTOM);
    pen.stroke();
  }

  tell(pen, x, y, width, height) {
    const at = x(this.hover);
    this.upright(pen, at, height, "#ffffff66");
    const text = `${this.app.clock.time(this.hover)}  ${this.series.map((one) => Curve.said(one, this.hover)).join(" | ")} ${this.unit}`;
    const wide = pen.measureText(text).width + 10;
    const left = Math.min(Math.max(at - wide / 2, 0), width - wide);
    pen.fillStyle = "#0b1220e6";
    pen.fillRect(left, 0, wide, 16);
    pen.fillStyle = "#fff";
    pen.textAlign = "left";
    pen.fillText(text, left + 5, 8);
    this.series.forEach((one, number) => {
      const value = Curve.at(one, this.hover);
      if (Number.isNaN(value)) return;
      pen.fillStyle = COLOURS[number % 2];
      pen.beginPath();
      pen.arc(at, y(value), 3, 0, 7);
      pen.fill();
    });
  }
}
