// The picture: boxes and arrows where the program has placed them.

import { h, replace, s, short } from "./dom.js";
import { standing } from "./table.js";

// Draws it. `chosen` is the index of a box whose arrows alone are shown, or nothing; `port` the only port; `changed` cells that have changed, or nothing.
export function showPicture(place, picture, { chosen, port, changed, isPast, chooseBox, chooseArrow }) {
  const { drawing, arrows, boxes } = picture;
  const isShown = (arrow) =>
    (chosen === null || arrow.from === chosen || arrow.to === chosen) &&
    arrow.ports.some((it) => (port === null || it.port === port) && (changed === null || it.cells.some((cell) => changed.has(cell))));
  const svg = s("svg", { viewBox: `0 0 ${drawing.width} ${drawing.height}`, width: drawing.width, height: drawing.height, role: "group", "aria-label": "Instances and groups, with what is open between them" });
  svg.append(s("defs", null, marker("head"), marker("head-outside")));
  for (const [index, drawn] of drawing.arrows.entries()) {
    const arrow = arrows[index];
    const least = arrow.ports.some((it) => it.standing === "p") ? "p" : arrow.ports.some((it) => it.standing === "s") ? "s" : "m";
    const isOutside = drawn.sender === "outside";
    const dim = isShown(arrow) ? "" : " dim";
    const words = `${boxes[arrow.from].title} to ${boxes[arrow.to].title}: ${arrow.ports.map(portWords).join(", ")}, ${standing(least)}`;
    const group = s("g", { class: `arrow ${standing(least)}${isOutside ? " outside" : ""}${drawn.wide ? " wide" : ""}${dim}`, tabindex: 0, role: isPast ? "img" : "button", "data-key": `arrow-${index}`, "aria-label": words });
    group.append(s("title", null, words), s("path", { class: "hit", d: drawn.path }), s("path", { class: "line", d: drawn.path, "marker-end": `url(#${isOutside ? "head-outside" : "head"})` }));
    if (!isPast) press(group, () => chooseArrow(index));
    svg.append(group);
  }
  for (const [index, box] of drawing.boxes.entries()) {
    const isNear = chosen === null || chosen === index || arrows.some((arrow) => isShown(arrow) && (arrow.from === index || arrow.to === index));
    const group = s("g", { class: `box ${box.kind}${isNear ? "" : " dim"}${chosen === index ? " chosen" : ""}`, tabindex: 0, role: isPast ? "img" : "button", "data-key": `box-${index}`, "aria-pressed": isPast ? null : String(chosen === index), "aria-label": isPast ? box.head.text : null });
    group.append(s("rect", { x: box.x, y: box.y, width: box.width, height: box.height, rx: 7 }));
    group.append(s("text", { class: "title", x: box.head.x, y: box.head.y }, box.head.text), " ");
    for (const line of box.lines) group.append(memberLine(line, box), " ");
    if (box.told.length > 0) group.append(s("title", null, box.told.join("\n")));
    if (!isPast) press(group, () => chooseBox(index));
    svg.append(group);
  }
  for (const label of drawing.labels) {
    const dim = isShown(arrows[label.arrow]) ? "" : " dim";
    svg.append(s("text", { class: `label${dim}`, x: label.x, y: label.y, "text-anchor": "middle", "aria-hidden": "true" }, label.text));
  }
  // Much smaller than this nobody reads it: then it scrolls.
  svg.style.setProperty("--own", `${drawing.width}px`);
  replace(place, svg);
}

// A name, and behind it its address or its state in a column of their own.
function memberLine(line, box) {
  const [name, more] = line.text.split("  ");
  if (more === undefined) return s("text", { class: line.kind, x: line.x, y: line.y }, line.text);
  return s("text", { class: line.kind, x: line.x, y: line.y }, s("tspan", { class: "name" }, name), " ", s("tspan", { class: "address", x: box.x + box.width - 12, "text-anchor": "end" }, more));
}

export const portWords = (it) => `${short(it.port)}${it.open < it.of ? ` (${it.open} of ${it.of} pairs)` : ""}`;

function marker(id) {
  return s("marker", { id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto-start-reverse" }, s("path", { class: id, d: "M0 0 8 4 0 8z" }));
}

function press(element, act) {
  element.addEventListener("click", act);
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    act();
  });
}

// The members of a box, and what else it has. `fitting` gives the operations that fit an instance.
export function boxDetails(board, index, { toggle, act, fitting }) {
  const { title, members } = board.picture.boxes[index];
  const isOpen = board.open.includes(title);
  const names = new Map(board.state.instances.map((it) => [it.name, it]));
  const one = ({ name, interface: at }) => {
    const instance = names.get(at?.instance);
    if (instance === undefined) return h("li", null, h("b", null, name));
    const own = instance.interfaces.find((it) => it.device === at.device);
    return h(
      "li",
      null,
      h("b", null, name),
      " ",
      h("span", { class: `state ${instance.state}` }, instance.state),
      h("div", { class: "addresses" }, [own?.private, own?.public, own?.ipv6].filter(Boolean).join("  ") || "no address"),
      h("div", { class: "verbs" }, fitting(instance).map((verb) => h("button", { type: "button", "data-key": `${verb}-${name}`, "aria-label": `${verb} ${name}`, onclick: () => act({ form: { operation: verb, instances: [instance.name] } }) }, verb))),
    );
  };
  const groups = board.groups.filter((group) => title.split(" + ").includes(group.name));
  return [
    h("h3", null, title),
    groups.map((group) => h("div", { class: "group" }, h("h4", null, group.name), h("ul", { class: "rules" }, group.ingress.map((rule) => h("li", null, h("code", null, rule.written), rule.place ? h("span", { class: "place" }, ` line ${rule.place.line}`) : null)), group.ingress.length === 0 ? h("li", { class: "hint" }, "no rule lets anything in") : null))),
    h("ul", { class: "members" }, members.slice(0, 60).map(one)),
    members.length > 60 ? h("p", { class: "hint" }, `and ${members.length - 60} more`) : null,
    names.size > 0 && members.length > 1 ? h("button", { type: "button", onclick: () => toggle(title) }, isOpen ? "Put them together again" : "Show each by itself") : isOpen ? h("button", { type: "button", onclick: () => toggle(title) }, "Put them together again") : null,
  ];
}
