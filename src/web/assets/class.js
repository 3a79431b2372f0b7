// The class as the instructor sees it: who is where.

import { byId, count, h, replace } from "./dom.js";
import { setUpLooks } from "./looks.js";
import { logIn } from "./server.js";

function show(seats) {
  const ordered = [...seats].sort((one, other) => one.seat - other.seat);
  byId("facts").textContent = `${count(ordered.length, "learner")}`;
  if (ordered.length === 0) return replace(byId("class"), h("p", { class: "hint" }, "Nobody has begun yet."));
  const stage = ({ word, is_begun, is_done, result }) => h("span", { class: `stage-chip${is_done ? " is-done" : is_begun ? " is-begun" : ""}` }, `${is_done ? "✓ " : ""}${word}`, result ? h("span", { class: "hint" }, ` ${result}`) : null);
  const lesson = ({ title, is_open, stages }) => h("div", { class: "learner-lesson" }, h("span", { class: is_open ? "open-lesson" : "hint" }, title), " ", stages.map(stage));
  const row = ({ seat, name, lessons }) => h("tr", null, h("td", null, String(seat)), h("th", { scope: "row" }, name || "–"), h("td", null, lessons.map(lesson)));
  replace(byId("class"), h("table", { class: "learners" }, h("thead", null, h("tr", null, ["seat", "name", "lessons"].map((head) => h("th", { scope: "col" }, head)))), h("tbody", null, ordered.map(row))));
}

function banner(words) {
  byId("banner").hidden = !words;
  byId("banner").textContent = words ?? "";
}

setUpLooks();
const refused = await logIn();
const source = new EventSource("/api/class");
source.addEventListener("class", (event) => {
  banner(null);
  show(JSON.parse(event.data));
});
source.onerror = async () => {
  if (source.readyState !== EventSource.CLOSED) return banner("Connection lost, trying again: has the class ended?");
  const response = await fetch("/api/class").catch(() => null);
  banner(refused ?? (response === null ? "The class's program does not answer." : (await response.text()).trim()));
};
addEventListener("hashchange", () => location.hash.startsWith("#t=") && location.reload());
