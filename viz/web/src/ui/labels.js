// Names of places over the city; where two would cover each other the nearer one stays.
import { placeName } from "../words.js";
import { make } from "./dom.js";

const MOST = 26;

export class Labels {
  constructor(app) {
    this.app = app;
    this.root = make("div", { class: "labels", "aria-hidden": "true" });
    this.held = [];
    this.pins = [];
  }

  draw() {
    const { app } = this;
    let used = 0;
    this.free = this.clear();
    this.pin();
    if (app.labelled)
      app.stage.views().forEach((view, number) => {
        app.stage.aim(view);
        const taken = [];
        const seen = app.runs[number].ground.places
          .map((place) => this.at(place, view))
          .filter(Boolean)
          .sort((one, other) => one.away - other.away);
        let count = 0;
        for (const { place, x, y } of seen) {
          const text = placeName(place.name);
          const half = text.length * 3.6 + 10;
          const box = [x - half, y - 20, x + half, y];
          if (count >= MOST || taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1]))
            continue;
          taken.push(box);
          count++;
          this.put(used++, text, x, y, place.ring ? "area" : "");
        }
      });
    for (let i = used; i < this.held.length; i++) this.held[i].hidden = true;
  }

  // A ring round what is chosen, in every view that has it.
  pin() {
    const { app } = this;
    app.stage.views().forEach((view, number) => {
      app.stage.aim(view);
      const at = app.chosenPoint(app.worlds[number]);
      const found = at && app.stage.project(at, view);
      const pin = (this.pins[number] ??= this.root.appendChild(make("i", { class: "pin" })));
      pin.hidden = !found || found[0] < view[0] || found[0] > view[0] + view[2];
      if (!pin.hidden) pin.style.transform = `translate(${Math.round(found[0])}px, ${Math.round(found[1])}px) translate(-50%, -50%)`;
    });
  }

  // What the panels leave free of the picture: left, right, top, bottom.
  clear() {
    const { left, right, bar, foot } = this.app.ui.edges();
    return [left, right, bar + 24, foot];
  }

  at(place, view) {
    if (!placeName(place.name)) return null;
    const found = this.app.stage.project([place.at[0], place.at[1], (place.height_m || 0) + (place.ring ? 2 : 14)], view);
    if (!found) return null;
    const [x, y, away] = found;
    const [left, right, top, low] = this.free;
    const half = placeName(place.name).length * 3.6 + 10;
    const inside =
      x > Math.max(view[0], left) + half &&
      x < Math.min(view[0] + view[2], right) - half &&
      y > Math.max(view[1] + (this.app.stage.split ? 48 : 20), top) &&
      y < Math.min(view[1] + view[3], low);
    return inside ? { place, x, y, away } : null;
  }

  put(number, text, x, y, kind) {
    const label = (this.held[number] ??= this.root.appendChild(make("span")));
    label.hidden = false;
    label.className = kind;
    if (label.textContent !== text) label.textContent = text;
    label.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px) translate(-50%, -100%)`;
  }
}
