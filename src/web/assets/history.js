// The time line, the steps of the file, and the events.

import { clock, h, replace } from "./dom.js";

// Reasons for which there is no table to look at.
const WHY = {
  coming: "No table yet: packets are proving it.",
  overtaken: "No table: the next change came before packets had proved all of it.",
  refused: "No table of its own: it was refused, and changed nothing.",
  dropped: "No table any more: it gave way to later ones.",
};

export function showHistory(place, entries, { chosen, choose }) {
  const one = (entry) => {
    const isChosen = chosen.includes(entry.number);
    const why = WHY[entry.kept];
    const button = h("button", { type: "button", "data-key": `entry-${entry.number}`, "aria-pressed": String(isChosen), disabled: why !== undefined, title: why ?? "Table and picture as they stood", onclick: () => choose(entry.number) }, h("span", { class: "when" }, clock(entry.time)), " ", entry.words);
    const hint = why === undefined || entry.refused ? null : h("p", { class: "hint" }, why);
    return h("li", { class: entry.refused ? "was-refused" : null }, button, entry.in_force_ms === null ? null : h("span", { class: "ms" }, ` ${entry.in_force_ms.toFixed(1)} ms`), hint, entry.refused ? h("p", { class: "refused" }, entry.refused) : null, entry.changes.length > 0 ? h("ul", null, entry.changes.slice(0, 6).map((change) => h("li", null, change)), entry.changes.length > 6 ? h("li", { class: "hint" }, `and ${entry.changes.length - 6} more`) : null) : null);
  };
  replace(place, [...entries].reverse().map(one));
}

export function showSteps(place, script, { next, isBusy }) {
  const { done, steps } = script;
  const coming = steps[done];
  const one = (step, index) => h("li", { class: index < done ? "done" : index === done ? "next" : "later", "aria-current": index === done ? "step" : null }, step.name);
  replace(
    place,
    h("ol", { class: "steps", tabindex: 0, "aria-label": "Steps of the file" }, steps.map(one)),
    coming === undefined
      ? h("p", { class: "hint" }, "All steps are done.")
      : h(
          "div",
          { class: "coming" },
          h("h3", null, `${done + 1}. ${coming.name}`),
          coming.note ? h("p", null, coming.note) : null,
          coming.operations.length > 0 ? h("ul", null, coming.operations.map((it) => h("li", null, h("code", null, it)))) : h("p", { class: "hint" }, "It changes nothing: look at the table."),
          coming.holds_connections ? h("p", { class: "hint" }, "It also holds connections open, which this page does not: `sglab walk` does.") : null,
          h("button", { type: "button", class: "primary", "data-key": "next-step", "aria-disabled": isBusy ? "true" : null, onclick: isBusy ? null : next }, coming.operations.length > 0 ? "Do this step" : "Go on"),
        ),
  );
}

export function showLog(place, lines, { kinds, words }) {
  const isShown = (line) => kinds.has(line.event) && (words === "" || line.text.toLowerCase().includes(words.toLowerCase()));
  const one = (line) => h("li", { "data-kind": line.event }, h("span", { class: "when" }, clock(line.time)), " ", h("span", { class: "kind" }, line.event), " ", h("span", { class: "words" }, line.text));
  const shown = lines.filter(isShown).slice(-200).reverse();
  replace(place, shown.length > 0 ? shown.map(one) : h("li", { class: "hint" }, "Nothing yet. Probes of this page are in the table, not here."));
}
