// The truth table: letters first, colour second. Arrow keys move, Enter explains.

import { h, replace, short } from "./dom.js";

const STANDINGS = { m: "measured", s: "stale", p: "predicted" };

export const standing = (letter) => STANDINGS[letter] ?? "measured";

// Takes a code of a cell apart: `Om`, `.p!`.
export function decode(code, words) {
  if (code === "") return null;
  return { letter: code[0], outcome: words.get(code[0]) ?? "inconclusive", standing: standing(code[1]), disagrees: code[2] === "!" };
}

export const legendOf = (board) => new Map(board.legend.map(({ letter, word }) => [letter, word]));

// Shows a table. `marked` are indexes of cells that have changed; `port` is the only port to show, or nothing.
export function showTable(place, table, { words, marked, was, port, explain }) {
  const ports = table.ports.map((name, index) => ({ name, index })).filter(({ name }) => port === null || name === port);
  if (!table.cells.some((code) => code !== "")) {
    replace(place, h("p", { class: "hint" }, "Nobody here has a way to anybody: does an instance run?"));
    return;
  }
  // Whoever has no way to anybody, or from anybody, is left out.
  const [columns, perColumn] = [table.columns.length, table.ports.length];
  const isThere = (row, column) => ports.some(({ index }) => table.cells[(row * columns + column) * perColumn + index] !== "");
  const shownRows = [...table.rows.entries()].filter(([row, { down }]) => down || table.columns.some((_, column) => isThere(row, column)));
  const shownColumns = [...table.columns.entries()].filter(([column, { down }]) => down || table.rows.some((_, row) => isThere(row, column)));
  const size = ({ members, down }) => (down ? [" ", h("span", { class: "is-down" }, down)] : members > 1 ? [" ", h("span", { class: "times" }, `×${members}`)] : []);
  const head = h(
    "thead",
    null,
    h(
      "tr",
      null,
      h("th", { rowspan: 2, scope: "col", class: "corner" }, "from ↓  to →"),
      shownColumns.map(([, column], at) => h("th", { scope: "colgroup", colspan: ports.length + (at + 1 < shownColumns.length ? 1 : 0), class: "to", title: column.title }, column.title, size(column))),
    ),
    h(
      "tr",
      null,
      shownColumns.map((_, at) => [at > 0 ? h("td", { class: "gap" }) : null, ports.map(({ name }) => h("th", { scope: "col", class: "port" }, short(name)))]),
    ),
  );
  const body = h("tbody");
  let isFirst = true;
  for (const [row, { title, members, by, down }] of shownRows) {
    const line = h("tr", null, h("th", { scope: "row", title }, title, size({ members, down }), by ? h("span", { class: "by" }, ` by ${by}`) : null));
    for (const [at, [column, to]] of shownColumns.entries()) {
      if (at > 0) line.append(h("td", { class: "gap" }));
      for (const { name, index } of ports) {
        const number = (row * table.columns.length + column) * table.ports.length + index;
        const idle = down ? `${title} is ${down}: it sends nothing` : to.down ? `${to.title} is ${to.down}: nothing answers there` : null;
        line.append(cell(table, number, { title, to: to.title, name, by, idle }, { words, isMarked: marked.has(number), was: was.get(number), isFirst, explain }));
        if (table.cells[number] !== "") isFirst = false;
      }
    }
    body.append(line);
  }
  replace(place, h("table", { class: "grid", role: "grid", "aria-labelledby": "table-head" }, head, body));
  place.querySelector("table").addEventListener("keydown", move);
}

function cell(table, number, { title, to, name, by, idle }, { words, isMarked, was, isFirst, explain }) {
  const known = decode(table.cells[number], words);
  if (known === null) return h("td", { class: idle ? "none idle" : "none", title: idle });
  const td = h("td", { tabindex: isFirst ? 0 : -1, "data-cell": number, "data-key": `cell-${number}` });
  td.dataset.name = `${title} to ${to}${by ? ` by ${by} address` : ""}, ${name}`;
  dress(td, known, isMarked);
  if (was !== undefined) {
    td.textContent = `${was}→${known.letter}`;
    td.title = `${td.title}; it was ${words.get(was)}`;
  }
  if (!explain) td.classList.add("past");
  if (explain) td.addEventListener("click", () => explain(number));
  return td;
}

function dress(td, known, isMarked) {
  td.className = `cell${isMarked ? " changed" : ""}${known.disagrees ? " disagrees" : ""}`;
  td.dataset.outcome = known.outcome;
  td.dataset.standing = known.standing;
  td.textContent = known.disagrees ? "!" : known.letter;
  const more = known.disagrees ? ", and the model says otherwise" : "";
  const words = `${td.dataset.name}: ${known.outcome}, ${known.standing}${more}`;
  td.setAttribute("aria-label", words);
  td.title = words;
}

// Shows what cells have become, and leaves the rest alone.
export function flip(place, changes, words) {
  for (const [number, code] of changes) {
    const td = place.querySelector(`[data-cell="${number}"]`);
    const known = decode(code, words);
    if (td === null || known === null) continue;
    const isOther = td.dataset.outcome !== known.outcome;
    dress(td, known, td.classList.contains("changed") || isOther);
    if (isOther) {
      td.classList.remove("flip");
      // Reading the width starts the animation anew.
      void td.offsetWidth;
      td.classList.add("flip");
    }
  }
}

function move(event) {
  const td = event.target.closest("td[data-cell]");
  if (td === null) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    td.click();
    return;
  }
  const rows = [...td.closest("tbody").rows];
  const row = rows.indexOf(td.parentElement);
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  let next = null;
  if (step !== undefined) {
    let [y, x] = [row + step[0], td.cellIndex + step[1]];
    while (next === null && rows[y]?.cells[x] !== undefined) {
      if (rows[y].cells[x].dataset.cell !== undefined) next = rows[y].cells[x];
      [y, x] = [y + step[0], x + step[1]];
    }
  } else if (event.key === "Home") next = td.parentElement.querySelector("td[data-cell]");
  else if (event.key === "End") next = [...td.parentElement.querySelectorAll("td[data-cell]")].at(-1);
  if (next === null) return;
  event.preventDefault();
  td.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}
