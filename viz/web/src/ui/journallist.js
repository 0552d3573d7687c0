// The journal as a list: only the rows in sight are in the page; those of this moment are marked.
import { describe, facts } from "../journal.js";
import { say } from "../words.js";
import { button, make } from "./dom.js";

const ROW = 44;

export class JournalList {
  constructor(app) {
    this.app = app;
    this.filter = "all";
    this.body = make("div", { class: "rows" });
    this.pane = make("div", { class: "scroll", onscroll: () => this.draw() }, this.body);
    this.filters = make("div", { class: "filters", role: "group", "aria-label": say("journal") });
    this.root = make(
      "section",
      { class: "panel journal", "aria-label": say("journal") },
      make("h2", {}, say("journal")),
      this.filters,
      this.pane,
    );
    this.choose("all");
    app.clock.listen(() => this.follow());
    new ResizeObserver(() => this.draw()).observe(this.pane);
  }

  choose(filter) {
    this.filter = filter;
    const kept = { all: () => true, actions: (entry) => entry.shape !== "notice", warnings: (entry) => entry.grave };
    this.entries = this.app.journal.filter(kept[filter]);
    const one = (name) => button(say(name), () => this.choose(name), { "aria-pressed": String(name === filter) });
    this.filters.replaceChildren(
      one("all"),
      one("actions"),
      one("warnings"),
      make("span", { class: "fine" }, `${this.entries.length} ${say("entries")}`),
    );
    this.pane.style.height = this.body.style.height = `${this.entries.length * ROW}px`;
    this.at = null;
    this.follow();
    this.draw();
  }

  // The last entry that is not later than now.
  current() {
    let found = -1;
    while (found + 1 < this.entries.length && this.entries[found + 1].second <= this.app.clock.second + 1e-6) found++;
    return found;
  }

  follow() {
    const at = this.current();
    if (at === this.at) return;
    this.at = at;
    if (!this.pane.matches(":hover, :focus-within")) this.pane.scrollTop = Math.max(0, at * ROW - this.pane.clientHeight / 2);
    this.draw();
  }

  draw() {
    const { app } = this;
    const from = Math.max(0, Math.floor(this.pane.scrollTop / ROW) - 3);
    const to = Math.min(this.entries.length, from + Math.ceil((this.pane.clientHeight || 600) / ROW) + 7);
    const now = this.entries[this.at]?.second;
    const focused = this.body.contains(document.activeElement) ? document.activeElement.dataset.number : null;
    const rows = [];
    for (let i = from; i < to; i++) {
      const entry = this.entries[i];
      const said = facts(entry);
      const row = make(
        "button",
        {
          type: "button",
          class: `row ${entry.second === now ? "current" : ""} ${i > this.at ? "later" : ""}`,
          "data-number": i,
          "aria-current": entry.second === now ? "time" : null,
          title: said || null,
          onclick: () => app.scrub(entry.second),
        },
        make("i", { class: `mark ${entry.shape} ${entry.grave ? "grave" : ""}`, title: say(`kind_${entry.row.kind}`) }),
        make("span", { class: "when" }, app.clock.time(entry.second)),
        make("span", { class: "what" }, describe(entry, app), said ? make("small", {}, said) : null),
      );
      row.style.top = `${i * ROW}px`;
      rows.push(row);
    }
    this.body.replaceChildren(...rows);
    if (focused !== null) this.body.querySelector(`[data-number="${focused}"]`)?.focus({ preventScroll: true });
  }
}
