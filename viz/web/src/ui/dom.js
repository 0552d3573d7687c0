// Makes elements of the page.

export function make(tag, said = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(said)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "style") element.style.cssText = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

export function check(label, on, change, said = {}) {
  const box = make("input", { type: "checkbox", ...said, onchange: () => change(box.checked) });
  box.checked = on;
  return make("label", { class: "check", title: label }, box, make("span", {}, label));
}

export function button(label, press, said = {}) {
  return make("button", { type: "button", onclick: press, ...said }, label);
}

// A list to choose from; chosen by hand it lets the keyboard go, so that the page's own keys work on.
export function choice(options, chosen, change, said = {}) {
  let pointed = false;
  const chose = () => {
    change(select.value);
    if (pointed) select.blur();
    pointed = false;
  };
  const select = make(
    "select",
    { ...said, onchange: chose, onpointerdown: () => (pointed = true), onkeydown: () => (pointed = false) },
    options.map(([value, text]) => make("option", { value }, text)),
  );
  select.value = chosen;
  return select;
}

const PATHS = {
  play: "M7 4.5v15l13-7.5z",
  pause: "M6.5 4.5h4v15h-4zM13.5 4.5h4v15h-4z",
  close: "M5.7 4.3 12 10.6l6.3-6.3 1.4 1.4-6.3 6.3 6.3 6.3-1.4 1.4-6.3-6.3-6.3 6.3-1.4-1.4 6.3-6.3-6.3-6.3z",
  panel: "M3 5h18v2H3zm0 6h18v2H3zm0 6h18v2H3z",
  back: "M11 5v14l-9-7zM21 5v14l-9-7z",
  on: "M13 5v14l9-7zM3 5v14l9-7z",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
