// The keyboard: every key does one thing, and none is taken from a field one writes in.

export function listenToKeys(app) {
  const { clock } = app;
  const camera = (move) => () => app.stage?.nudge(move);
  const step = (seconds) => (event) => app.scrub(clock.second + (event.shiftKey ? 6 : 1) * seconds);
  const does = {
    " ": () => clock.play(),
    ArrowLeft: step(-10),
    ArrowRight: step(10),
    Home: () => app.scrub(0),
    End: () => app.scrub(clock.end_s),
    "+": () => clock.faster(1),
    "=": () => clock.faster(1),
    "-": () => clock.faster(-1),
    l: () => app.setLabels(!app.labelled),
    n: () => app.setLight(app.isNight() ? "day" : "night"),
    t: () => app.setTranslucent(!app.translucent),
    f: () => app.follow(app.followed ? null : app.selected),
    c: () => app.useCamera((app.camera + 1) % Math.max(1, app.cameras.length)),
    0: () => app.useCamera(app.camera),
    p: () => app.togglePanels(),
    w: camera({ forward: 1 }),
    s: camera({ forward: -1 }),
    a: camera({ right: -1 }),
    d: camera({ right: 1 }),
    q: camera({ turn: 0.12 }),
    e: camera({ turn: -0.12 }),
    z: camera({ zoom: 0.88 }),
    x: camera({ zoom: 1.14 }),
    r: camera({ tilt: -0.08 }),
    v: camera({ tilt: 0.08 }),
    "?": () => app.toggleHelp(),
    Escape: () => app.letGo(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { target } = event;
    if (target.matches("input:not([type=checkbox]), textarea, select, dialog *")) return;
    const pressed = target.matches("button, input, summary") && [" ", "Enter"].includes(event.key);
    if (pressed) return;
    const number = "123456789".indexOf(event.key);
    const name = number >= 0 ? app.layers.names[number] : undefined;
    const act = does[event.key.length === 1 ? event.key.toLowerCase() : event.key] ?? (name && (() => app.layers.toggle(name)));
    if (!act) return;
    event.preventDefault();
    act(event);
  });
}
