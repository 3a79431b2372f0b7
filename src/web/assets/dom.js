// Elements of text: whatever a name holds, it is text and never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, properties, children) {
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const h = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);
export const s = (tag, properties, ...children) => fill(document.createElementNS(SVG, tag), properties, children);
export const byId = (id) => document.getElementById(id);

// Replaces all children, and keeps the focus where an element of the same key had it.
export function replace(parent, ...children) {
  const key = parent.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  parent.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  if (key !== undefined) parent.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

// `2 flows`, `1 flow`.
export const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

// The short form of a port, as files have it: `80`, `udp 53`, `ping`.
export const short = (port) => (port === "icmp echo" ? "ping" : port.replace(/^tcp /, ""));

// `13:05:59` of the browser's day.
export const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });
