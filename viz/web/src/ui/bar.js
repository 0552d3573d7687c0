// The bar on top: what this is, whether it is whole, cameras, light, language, help; and the search by id.
import { plainWords, say } from "../words.js";
import { button, choice, icon, make } from "./dom.js";

export class Bar {
  constructor(app) {
    this.app = app;
    this.message = make("span", { class: "message", role: "status" });
    const [run] = app.runs;
    const titles = new Set(app.runs.map((one) => one.title || one.name));
    const names =
      titles.size > 1
        ? app.runs.map((one) => `${say(`run_${one.key}`)} ${one.title || one.name}`).join("  |  ")
        : run.title || plainWords(run.name);
    this.root = make(
      "header",
      { class: "bar" },
      make(
        "button",
        { type: "button", class: "square", "aria-label": say("panel"), title: say("panel"), onclick: () => app.togglePanels() },
        icon("panel"),
      ),
      make("h1", { title: run.provenance ? provenance(run) : null }, names),
      this.search(),
      app.stage ? this.cameras() : "",
      app.stage ? this.light() : "",
      button(say("language"), () => app.setLanguage(app.language === "en" ? "zh" : "en"), {
        class: "language",
        "aria-label": say("language_name"),
        lang: app.language === "en" ? "zh" : "en",
      }),
      button("?", () => app.toggleHelp(), { class: "square", "aria-label": say("help"), title: say("help") }),
    );
    this.banner = make(
      "div",
      { class: "banners" },
      app.runs.filter((one) => one.status !== "done" || one.committed_s < one.duration_s).map((one) => this.state(one)),
      app.index.apart?.length ? make("p", { class: "banner" }, app.index.apart.map((what) => say(`apart_${what}`)).join(" ")) : "",
      this.message,
    );
  }

  state(run) {
    const whose = this.app.runs.length > 1 ? `${say(`run_${run.key}`)}: ` : "";
    const time = (second) => this.app.clock.time(second + run.offset_s);
    const cut =
      run.committed_s < 0
        ? say("nothing")
        : run.committed_s < run.duration_s
          ? `${say("recorded_to")} ${time(run.committed_s)} ${say("of")} ${time(run.duration_s)}`
          : "";
    return make("p", { class: `banner ${run.status}` }, [`${whose}${say(run.status)}`, cut, run.error].filter(Boolean).join(" · "));
  }

  search() {
    const { app } = this;
    const field = make("input", {
      type: "search",
      placeholder: say("find_hint"),
      "aria-label": say("find"),
      spellcheck: "false",
      autocomplete: "off",
    });
    return make(
      "form",
      {
        class: "search",
        role: "search",
        onsubmit: (event) => {
          event.preventDefault();
          this.message.textContent = app.find(field.value.trim()) ? "" : `${say("not_found")} ${field.value}`;
        },
      },
      field,
    );
  }

  cameras() {
    const { app } = this;
    const options = app.cameras.map((one, number) => [number, plainWords(one.name)]);
    this.camera = choice(options, app.camera, (number) => app.useCamera(Number(number)), {
      "aria-label": say("camera"),
      title: say("camera"),
      class: "cameras",
    });
    return this.camera;
  }

  light() {
    const options = ["auto", "day", "night"].map((name) => [name, say(name)]);
    this.lightChoice = choice(options, this.app.light, (name) => this.app.setLight(name), {
      "aria-label": say("light"),
      title: say("light"),
      class: "light",
    });
    return this.lightChoice;
  }

  update() {
    if (this.camera) this.camera.value = String(this.app.camera);
    if (this.lightChoice) this.lightChoice.value = this.app.light;
  }
}

function provenance(run) {
  return typeof run.provenance === "string"
    ? run.provenance
    : Object.entries(run.provenance)
        .map(([name, value]) => `${plainWords(name)}: ${typeof value === "object" ? JSON.stringify(value) : value}`)
        .join("\n");
}
