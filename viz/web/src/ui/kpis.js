// Key figures: value, unit, target, verdict, by sign and colour; and the live figures of this moment.
import { Run } from "../run.js";
import { numberText, plainWords, say, unitText, valueText } from "../words.js";
import { make } from "./dom.js";

const SIGNS = { met: "✓", missed: "✗", "not reached": "✗" };

export class Kpis {
  constructor(app) {
    this.app = app;
    this.live = [];
    this.root = make("section", { class: "kpis", "aria-label": say("kpis"), tabindex: "0" });
    for (const run of app.runs) this.root.append(this.strip(run));
    app.clock.listen(() => this.update());
    this.update();
  }

  strip(run) {
    const cards = (run.kpis ?? []).map((kpi) => this.kpi(kpi));
    const live = (run.figures ?? []).map((figure) => this.figure(run, figure));
    const head =
      this.app.runs.length > 1
        ? make(
            "div",
            { class: "kpi head" },
            make("b", { class: `badge run-${run.key}` }, say(`run_${run.key}`)),
            make("span", {}, run.name),
          )
        : null;
    return make("div", { class: "strip" }, head, cards, live);
  }

  kpi(kpi) {
    const verdict = kpi.verdict in SIGNS ? kpi.verdict : "";
    const aim = kpi.target ? `${say("target")} ${kpi.target.replaceAll("<=", "≤").replaceAll(">=", "≥")}`.replace(/1\/m2/g, "/m²") : "";
    return make(
      "div",
      { class: `kpi ${verdict === "met" ? "met" : verdict && "missed"}`, title: kpi.label },
      make("span", { class: "name" }, kpi.label || plainWords(kpi.name)),
      make("span", { class: "value" }, numberText(kpi.value), make("small", {}, ` ${unitText(kpi.unit)}`)),
      make(
        "span",
        { class: "verdict" },
        verdict ? make("b", {}, `${SIGNS[verdict]} ${say(verdict)}`) : null,
        aim ? make("span", {}, aim) : null,
      ),
    );
  }

  figure(run, figure) {
    const value = make("span", { class: "value" }, "–");
    this.live.push({ run, figure, value });
    return make(
      "div",
      { class: "kpi live", title: `${plainWords(figure.model)}: ${figure.label}` },
      make("span", { class: "name" }, figure.label || plainWords(figure.name)),
      value,
      make("span", { class: "verdict" }, say("now").toLowerCase()),
    );
  }

  async load() {
    await Promise.all(this.live.map(async (one) => (one.table = await one.run.table(one.figure, 1))));
    this.update();
  }

  update() {
    for (const { run, figure, value, table } of this.live) {
      if (!table) continue;
      const now = Run.read(figure, table, 1, run.sample(this.app.runSecond(run)), 0);
      const text = valueText(now, figure);
      if (value.textContent !== text) value.textContent = text;
    }
  }
}
