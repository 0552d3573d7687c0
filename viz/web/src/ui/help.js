// The page of keys and gestures.
import { keys, say } from "../words.js";
import { button, make } from "./dom.js";

export class Help {
  constructor() {
    const rows = keys().map(([key, what]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, what)]);
    const close = button(say("close"), () => this.root.close(), { class: "wide" });
    this.root = make("dialog", { class: "help", "aria-label": say("help") }, make("h2", {}, say("help")), make("dl", {}, rows), close);
  }

  toggle() {
    if (this.root.open) this.root.close();
    else this.root.showModal();
  }
}
