// The page: what is shown, and what happens where somebody presses something.

import { byId, count, h, replace, short } from "./dom.js";
import { explanation } from "./explain.js";
import { fitting, outcome, showForms } from "./forms.js";
import { setUpLooks } from "./looks.js";
import { showHistory, showLog, showSteps } from "./history.js";
import { boxDetails, portWords, showPicture } from "./picture.js";
import { showRoom } from "./room.js";
import { follow, get, logIn, post } from "./server.js";
import { flip, legendOf, showTable } from "./table.js";

const page = {
  board: null,
  words: new Map(),
  // Cells whose outcome the last change has changed.
  marked: new Set(),
  port: null,
  onlyChanged: false,
  box: null,
  entries: [],
  // Table and picture of the entries that are chosen, with what differs; nothing for those of now.
  past: null,
  kinds: new Set(["change", "refused", "probe", "missed"]),
  logWords: "",
  forms: { board: null, form: null, kept: {}, act },
  isBusy: false,
  // Reason for which the token of the address was not taken.
  refused: null,
  // The flow that is explained, in words.
  asked: null,
  // Number of what was shown in the place of explanations.
  explanations: 0,
};

function hear(name, data) {
  if (name === "board") showBoard(data);
  else if (name === "cells" && page.board !== null) showCells(data);
  else if (name === "picture" && page.board !== null) {
    page.board.picture = data;
    drawPicture();
  } else if (name === "log" && page.board !== null) {
    page.board.log = [...page.board.log, ...data].slice(-500);
    drawLog();
  } else if (name === "room" && page.board !== null) {
    page.board.room = data;
    drawRoom();
  } else if (name === "gone") banner(`${data}. Boot it again, and open the address that \`sglab ui\` prints then.`);
}

const keyOf = (table, index) => {
  const [ports, columns] = [table.ports.length, table.columns.length];
  const row = table.rows[Math.floor(index / (ports * columns))];
  return [row.title, row.by, table.columns[Math.floor(index / ports) % columns].title, table.ports[index % ports]].join("\n");
};

function showBoard(board) {
  const before = page.board;
  page.board = board;
  page.words = legendOf(board);
  if (before !== null && before.revision !== board.revision) {
    page.marked = new Set();
    const known = new Map(before.table.cells.map((code, index) => [keyOf(before.table, index), code]));
    for (const [index, code] of board.table.cells.entries()) {
      const was = known.get(keyOf(board.table, index));
      if (was && code && was[0] !== code[0]) page.marked.add(index);
    }
    page.box = null;
    const old = document.querySelector("#explain-body .explanation");
    if (old !== null && document.querySelector("#explain-body .old") === null) old.before(h("p", { class: "old hint" }, "As it was before the last change."));
  }
  if (page.port !== null && !board.table.ports.includes(page.port)) page.port = null;
  page.forms.board = board;
  banner(null);
  drawAll();
}

function showCells({ cells, counts }) {
  const { table } = page.board;
  for (const [index, code] of cells) {
    if (table.cells[index] && table.cells[index][0] !== code[0]) page.marked.add(index);
    table.cells[index] = code;
  }
  page.board.counts = counts;
  if (page.entries.length === 0) flip(byId("grid"), cells, page.words);
  drawProgress();
}

function drawAll() {
  const { board } = page;
  byId("lab").textContent = board.state.lab;
  document.title = `${board.state.lab} · sglab`;
  byId("facts").textContent = `era ${board.state.era} · ${count(board.state.instances.length, "instance")} · ${count(board.groups.length, "group")} · revision ${board.revision}`;
  drawPicture();
  drawTable();
  drawProgress();
  drawLog();
  drawHistory();
  drawSteps();
  drawRoom();
  showForms(byId("do-body"), page.forms);
  replace(byId("legend"), board.legend.map(({ letter, word }) => h("span", { class: "entry" }, h("b", { class: "cell", "data-outcome": word, "data-standing": "measured" }, letter), ` ${word}`)), h("span", { class: "entry break" }), ["measured", "stale", "predicted"].map((word) => h("span", { class: "entry" }, h("b", { class: "cell", "data-outcome": "dropped", "data-standing": word }, "."), ` ${word}`)), h("span", { class: "entry" }, h("b", { class: "cell changed", "data-outcome": "dropped", "data-standing": "measured" }, "."), " changed by the last step"), h("span", { class: "entry" }, h("b", { class: "cell disagrees" }, "!"), " model and kernel disagree"));
}

function drawProgress() {
  const { measured, inconclusive, stale, predicted } = page.board.counts;
  const left = stale + predicted;
  const proved = left === 0 ? `${count(measured, "cell")} proved by packets` : `${measured} proved, ${left} to go`;
  byId("progress").textContent = inconclusive === 0 ? proved : `${proved}, ${inconclusive} inconclusive`;
}

function portFilter(key) {
  const all = page.board.table.ports;
  const select = h("select", { "data-key": key, onchange: () => ((page.port = select.value === "" ? null : select.value), drawPicture(), drawTable()) });
  select.append(h("option", { value: "" }, "all ports"), ...all.map((port) => h("option", { value: port, selected: port === page.port }, short(port))));
  return h("label", null, "Port ", select);
}

// Width of pictures that get all of the page's, in pixels.
const WIDE = 1150;

function drawPicture() {
  const { board, past } = page;
  byId("picture-head").textContent = past === null ? "Who reaches whom" : `Who reached whom after “${past.words}”`;
  const changed = h("input", { type: "checkbox", "data-key": "only-changed", checked: page.onlyChanged, onchange: () => ((page.onlyChanged = changed.checked), drawPicture()) });
  replace(byId("picture-filter"), portFilter("picture-port"), h("label", { class: "check" }, changed, " changed by the last step"), page.box === null ? null : h("button", { type: "button", onclick: () => ((page.box = null), drawPicture()) }, "All arrows"));
  document.querySelector("main").dataset.picture = board.picture.drawing.width > WIDE ? "wide" : "";
  showPicture(byId("picture"), past?.picture ?? board.picture, {
    chosen: page.box,
    port: page.port,
    changed: page.onlyChanged ? (past ?? page).marked : null,
    // A box or an arrow tells the present state.
    isPast: past !== null,
    chooseBox: (index) => {
      page.box = page.box === index ? null : index;
      drawPicture();
      if (page.box === null) return;
      page.explanations += 1;
      replace(byId("explain-body"), boxDetails(board, index, { toggle, act, fitting }));
    },
    chooseArrow,
  });
}

function chooseArrow(index) {
  const { board } = page;
  const { picture } = board;
  const arrow = picture.arrows[index];
  const one = (it) => h("li", null, h("button", { type: "button", onclick: () => explain({ cell: here(it.cells[0]) }) }, portWords(it)));
  page.explanations += 1;
  replace(byId("explain-body"), h("h3", null, `${picture.boxes[arrow.from].title} → ${picture.boxes[arrow.to].title}`), h("p", { class: "hint" }, `Open ports. Choose one to see which rules decide. A pair is a sender and a receiver${board.by.length > 1 ? ", by any of the addresses that are shown" : ""}.`), h("ul", { class: "ports" }, arrow.ports.map(one)));
  if (arrow.ports.length === 1) explain({ cell: here(arrow.ports[0].cells[0]) });
}

function drawTable() {
  const { board } = page;
  const by = ["usual", "public", "dns", ...(board.state.instances.some((it) => it.interfaces.some((own) => own.ipv6)) ? ["ipv6"] : [])];
  const change = (word, isOn) => post("/api/view", { by: by.filter((it) => (it === word ? isOn : board.by.includes(it))) });
  const box = (word) => {
    const input = h("input", { type: "checkbox", "data-key": `by-${word}`, checked: board.by.includes(word), disabled: board.by.length === 1 && board.by[0] === word, onchange: () => change(word, input.checked) });
    return h("label", { class: "check" }, input, ` ${word}`);
  };
  const chosen = board.history.filter((entry) => page.entries.includes(entry.number));
  const names = chosen.map((entry) => `“${entry.words}”`);
  byId("table-head").textContent = ["Truth table", `Truth table after ${names[0]}`, `What differs between ${names.join(" and ")}`][chosen.length];
  byId("progress").hidden = chosen.length > 0;
  const back = h("button", { type: "button", class: "primary", "data-key": "now", onclick: () => choose([]) }, "Back to now");
  replace(byId("table-filter"), chosen.length > 0 ? back : null, portFilter("table-port"), h("span", { class: "hint" }, "by address:"), by.map(box), board.open.length > 0 ? board.open.map((title) => h("button", { type: "button", onclick: () => toggle(title) }, `Close ${title}`)) : null);
  const shown = page.past ?? { table: page.board.table, marked: page.marked };
  showTable(byId("grid"), shown.table, { words: page.words, marked: shown.marked, was: shown.was ?? new Map(), port: page.port, explain: page.entries.length === 0 ? (cell) => explain({ cell: here(cell) }) : null });
}

// Shows the table and the picture as they stood after an entry, or those of the later of two with what differs.
async function choose(entries) {
  page.entries = entries;
  try {
    page.past = entries.length === 0 ? null : await pastOf([...entries].sort((a, b) => a - b));
  } catch (error) {
    [page.entries, page.past] = [[], null];
    banner(error.message);
  }
  page.box = null;
  drawHistory();
  drawPicture();
  drawTable();
}

async function pastOf(entries) {
  const { words } = page.board.history.find((entry) => entry.number === entries.at(-1));
  const [first, second] = await Promise.all(entries.map((entry) => get(`/api/tables/${entry}`)));
  if (second === undefined) return { words, table: first, picture: first.picture, marked: new Set() };
  const known = new Map(first.cells.map((code, index) => [keyOf(first, index), code]));
  // An end that was not there at the first of the two is no difference.
  const before = (code, index) => (code === "" ? undefined : known.get(keyOf(second, index))?.[0]);
  const differs = (code, index) => (before(code, index) ?? code[0]) !== code[0];
  const marked = new Set(second.cells.flatMap((code, index) => (differs(code, index) ? [index] : [])));
  return { words, table: second, picture: second.picture, marked, was: new Map([...marked].map((index) => [index, before(second.cells[index], index)])) };
}

function drawHistory() {
  showHistory(byId("history"), page.board.history, {
    chosen: page.entries,
    choose: (number) => choose(page.entries.includes(number) ? page.entries.filter((it) => it !== number) : [...page.entries, number].slice(-2)),
  });
}

function drawSteps() {
  const { script } = page.board;
  byId("steps").hidden = script === null;
  if (script === null) return;
  const next = async () => {
    page.isBusy = true;
    drawSteps();
    const answer = await post("/api/steps", { at: page.board.revision, done: script.done });
    page.isBusy = false;
    drawSteps();
    result(answer);
  };
  showSteps(byId("steps-body"), script, { next, isBusy: page.isBusy });
}

function drawRoom() {
  const { room } = page.board;
  byId("room").hidden = room === null;
  if (room !== null) showRoom(byId("room-body"), room, { reveal: async () => result(await post("/api/room", "reveal")), withdraw: async () => result(await post("/api/room", "withdraw")) });
}

function drawLog() {
  const kinds = ["change", "refused", "probe", "verdict"];
  const filter = byId("log-filter");
  if (filter.childElementCount === 0) {
    const box = (kind) => {
      const input = h("input", { type: "checkbox", checked: page.kinds.has(kind), onchange: () => ((input.checked ? page.kinds.add(kind) : page.kinds.delete(kind)), drawLog()) });
      return h("label", { class: "check" }, input, ` ${kind}`);
    };
    const words = h("input", { type: "search", placeholder: "filter", "aria-label": "Words in events", oninput: () => ((page.logWords = words.value), drawLog()) });
    filter.append(...kinds.map(box), words);
  }
  showLog(byId("log"), page.board.log, { kinds: page.kinds, words: page.logWords });
}

async function act(wanted, fields) {
  const answer = await post("/api/operations", { at: page.board.revision, wanted });
  result(answer, fields);
  // Ask again for the flow that the remedy was for.
  if (wanted.remedy !== undefined && answer.result === "applied" && page.asked !== null) explain({ flow: page.asked });
}

function result(answer, fields) {
  if (answer.result === "done") return replace(byId("do-result"));
  replace(byId("do-result"), h("button", { type: "button", class: "close", "aria-label": "Close the result", onclick: () => replace(byId("do-result")) }, "×"), outcome(answer, fields));
}

// A cell of the table that is shown, whatever the lab does meanwhile.
const here = (cell) => ({ cell, at: page.board.revision });

const toggle = (title) => post("/api/view", { toggle: title });

// The words of one flow. A host is named by its address there, as its name means each of its addresses.
const exactly = ({ written, from, from_address }) => (from_address === null ? written : from_address + written.slice(from.length));

async function explain(asked) {
  const body = byId("explain-body");
  replace(body, h("p", { class: "hint" }, "asking the lab …"));
  const own = ++page.explanations;
  const answer = await post("/api/explanations", asked);
  // Something else is shown by now.
  if (own !== page.explanations) return;
  page.asked = answer.result === "explained" && answer.flows.length === 1 ? asked.flow ?? exactly(answer.flows[0].predicted) : null;
  const asks = page.board.room !== null && asked.cell !== undefined;
  const room = asks ? h("button", { type: "button", "data-key": "ask-room", onclick: async () => result(await post("/api/room", { ask: asked.cell })) }, "Ask the room") : null;
  if (answer.result === "explained") replace(body, room, answer.flows.slice(0, 8).map((flow) => explanation(flow, { act })), answer.flows.length > 8 ? h("p", { class: "hint" }, `and ${answer.flows.length - 8} more flows`) : null);
  else replace(body, outcome(answer, [{ label: "A flow", words: [asked.flow] }]));
  if (matchMedia("(max-width: 900px)").matches) byId("explain").scrollIntoView();
}

function banner(words) {
  byId("banner").hidden = words === null;
  byId("banner").textContent = words ?? "";
}

function connected(how, why) {
  const words = { live: "live", lost: "connection lost, trying again", refused: "not let in" };
  byId("connection").textContent = words[how];
  byId("connection").dataset.how = how;
  if (how === "refused") banner(page.refused ?? why);
  if (how === "lost" && page.board === null) banner("The page's program does not answer: has `sglab ui` ended?");
}

function setUp() {
  setUpLooks();
  byId("again").onclick = () => post("/api/probes", {});
  byId("ask").onsubmit = (event) => {
    event.preventDefault();
    const flow = byId("ask").elements.flow.value.trim();
    if (flow !== "") explain({ flow });
  };
}

setUp();
// An address with another token, typed into this tab, changes nothing but the fragment.
addEventListener("hashchange", () => location.hash.startsWith("#t=") && location.reload());
page.refused = await logIn();
follow({ hear, connected, current: () => page.board });
