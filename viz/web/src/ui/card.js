// The card of what was chosen: what it is, its values at this moment, the curve of one of them.
import { Run } from "../run.js";
import { numberText, plainWords, say, unitText, valueText } from "../words.js";
import { Curve } from "./curve.js";
import { button, icon, make } from "./dom.js";

export class Card {
  constructor(app) {
    this.app = app;
    this.root = make("section", { class: "panel card", "aria-label": say("info"), hidden: true });
    app.clock.listen(() => this.update());
    app.listen("selected", () => this.show());
    this.show();
  }

  async show() {
    const { selected } = this.app;
    this.rows = [];
    this.curve = this.dark = this.there = this.following = null;
    this.root.hidden = !selected;
    if (!selected) return;
    const close = make(
      "button",
      { type: "button", class: "close", "aria-label": say("close"), onclick: () => this.app.select(null) },
      icon("close"),
    );
    if (selected.kind === "part") await this.element(selected, close);
    else if (selected.kind === "mover") this.mover(selected, close);
    else this.plain(selected, close);
    this.update();
  }

  head(title, under, close) {
    return make("header", {}, make("div", {}, make("h2", {}, title), make("p", { class: "fine" }, under)), close);
  }

  whose(run) {
    return this.app.runs.length > 1 ? `${say(`run_${run.key}`)} · ` : "";
  }

  plain({ kind, world, index }, close) {
    const things = kind === "building" ? world.buildings : world.streets;
    const title = things.names?.[index] || things.ids[index];
    const rows =
      kind === "building" ? [make("dl", {}, make("dt", {}, say("height")), make("dd", {}, `${numberText(things.heights[index])} m`))] : [];
    this.root.replaceChildren(this.head(title, `${say(kind)} · ${things.ids[index]}`, close), ...rows);
  }

  mover({ layer, index }, close) {
    const { tracks } = layer;
    const id = numberText(tracks.ids[index]).replaceAll(" ", "");
    const follow = button("", () => this.app.follow(this.app.followed ? null : this.app.selected), { class: "wide" });
    this.following = follow;
    this.there = () => layer.position(index) !== null;
    this.away = make("p", { class: "fine", hidden: true }, say("not_there"));
    this.root.replaceChildren(
      this.head(`${tracks.kinds[tracks.kindOf[index]]?.label ?? ""} ${id}`, `${this.whose(layer.run)}${plainWords(tracks.model)}`, close),
      this.away,
      follow,
    );
  }

  async element({ run, part, index }, close) {
    const tables = await Promise.all(part.ports.map((port) => run.table(port, part.ids.length)));
    if (this.app.selected?.part !== part || this.app.selected.index !== index) return; // something else was chosen meanwhile
    this.dark = make("p", { class: "dark", hidden: true });
    const chosen =
      part.ports.find((port) => port.name === this.port) ?? part.ports.find((port) => port.name === part.colour) ?? part.ports[0];
    this.rows = part.ports.map((port, i) => {
      const value = make("span", { class: "value" });
      const row = make(
        "button",
        {
          type: "button",
          class: "reading",
          "aria-pressed": String(port === chosen),
          "data-port": port.name,
          onclick: () => this.choose(port.name),
        },
        make("span", {}, plainWords(port.label || port.name)),
        value,
      );
      return { port, table: tables[i], value, row, count: part.ids.length, run, index };
    });
    this.plot = make("div", { class: "plot" });
    this.root.replaceChildren(
      this.head(part.ids[index], `${this.whose(run)}${plainWords(part.model)} · ${plainWords(part.label)}`, close),
      this.dark,
      make(
        "div",
        { class: "readings" },
        this.rows.map((one) => one.row),
      ),
      this.plot,
    );
    if (chosen) await this.draw(part, index, chosen);
  }

  choose(name) {
    this.port = name;
    this.show();
  }

  // The curve of a port; of both runs where both have the element.
  async draw(part, index, port) {
    const series = [];
    for (const run of this.app.runs) {
      const same = run.part(part.model, part.set);
      const element = same ? same.ids.indexOf(part.ids[index]) : -1;
      const its = same?.ports.find((one) => one.name === port.name);
      if (element >= 0 && its)
        series.push({
          run,
          times: run.times,
          offset_s: run.offset_s,
          steps: its.type === "switch",
          values: await run.curve(its, same.ids.length, element),
        });
    }
    this.curve = new Curve(this.app, series, unitText(port.unit));
    this.curve.root.setAttribute("aria-label", `${plainWords(port.label || port.name)} ${part.ids[index]}`);
    const legend =
      series.length > 1
        ? make(
            "p",
            { class: "fine" },
            series.map((one) => make("b", { class: `badge run-${one.run.key}` }, say(`run_${one.run.key}`))),
          )
        : "";
    this.plot.replaceChildren(
      make(
        "p",
        { class: "fine" },
        `${plainWords(port.label || port.name)}${port.unit && unitText(port.unit) ? `, ${unitText(port.unit)}` : ""}`,
      ),
      this.curve.root,
      legend,
    );
    this.curve.draw();
  }

  update() {
    if (this.root.hidden) return;
    const off = [];
    for (const { port, table, value, count, run, index } of this.rows) {
      const sample = run.sample(this.app.runSecond(run));
      const now = Run.read(port, table, count, sample, index);
      const text = valueText(now, port);
      if (value.textContent !== text) value.textContent = text;
      if (now === false && table[index] === 1) off.push(plainWords(port.label || port.name));
    }
    if (this.dark) {
      this.dark.hidden = !off.length;
      this.dark.textContent = `✗ ${off.join(", ")}: ${say("dark_note")}`;
    }
    if (this.there) this.away.hidden = this.there();
    if (this.following) this.following.textContent = say(this.app.followed ? "stop" : "follow");
    this.curve?.draw();
  }
}
