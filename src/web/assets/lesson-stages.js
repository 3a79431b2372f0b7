// The stages of a lesson: predict, investigate, fix and make.

import { byId, count, h, replace } from "./dom.js";
import { showPicture } from "./picture.js";
import { legendOf, showTable } from "./table.js";

const MARKS = { right: "✓ right", wrong: "✗ wrong", skipped: "not predicted", unproved: "not proved" };

// Choices and texts of the learner, until they are sent.
const drafts = { of: null, answers: new Map(), step: null, box: null };

// Draws the stage that is shown. `send` sends a request; `isOther` tells that it is another stage than before.
export function showStage(place, view, { send, isOther }) {
  const { play } = view;
  const words = legendOf(view);
  if (isOther) Object.assign(drafts, { answers: new Map(), step: null, box: null });
  const act = (action) => send({ stage: { at: play.at, action } });
  const draw = { predict, investigate, task }[play.stage.kind];
  const { work, side } = draw(play.stage, { act, words, key: keyOf(view), again: () => showStage(place, view, { send, isOther: false }) });
  const next = play.stages[play.at + 1];
  const isDone = play.stages[play.at].is_done;
  replace(
    place,
    h(
      "div",
      { class: "left" },
      h("section", { class: "card", "aria-label": "Stages" }, play.stages[0].is_done ? h("p", null, play.lesson.surprise) : null, stages(play, act)),
      h(
        "section",
        { class: "card", id: "stage", "aria-labelledby": "stage-head" },
        h("div", { class: "head" }, h("h2", { id: "stage-head" }, `Stage ${play.at + 1} of ${play.stages.length}: ${play.stages[play.at].words}`), h("div", { class: "filter" }, play.stages[play.at].is_begun ? h("button", { type: "button", "data-key": "again", onclick: () => confirm("Begin this stage again? What you have done in it is forgotten.") && (localStorage.removeItem(keyOf(view)), byId("file")?.remove(), act("begin-again")) }, "Begin again") : null)),
        work,
        next ? h("p", { class: "onward" }, h("button", { type: "button", class: isDone ? "primary" : "", "data-key": "onward", onclick: () => act({ "go-to": play.at + 1 }) }, isDone ? `On to stage ${play.at + 2}` : `Skip to stage ${play.at + 2}`)) : isDone ? h("p", { class: "onward" }, h("b", null, "That was the lesson. "), view.lessons.length > 1 ? h("button", { type: "button", class: "primary", "data-key": "others", onclick: () => send({ lesson: null }) }, "All lessons") : null) : null,
      ),
    ),
    h("div", { class: "right" }, side),
  );
}

// Under which a file that is edited is kept in the browser: another class, or another seat, has another.
const keyOf = ({ class: name, seat, play }) => `sglab-${name}-${seat}-${play.lesson.name}-${play.at}`;

// Words with `code` in them.
const marked = (words) => words.split("`").map((part, index) => (index % 2 === 1 ? h("code", null, part) : part));

function stages(play, act) {
  const one = (stage, index) => h("li", null, h("button", { type: "button", "aria-current": index === play.at ? "step" : undefined, "data-key": `stage-${index}`, onclick: () => act({ "go-to": index }) }, `${stage.is_done ? "✓ " : ""}${stage.word}`), stage.result ? h("span", { class: "hint" }, ` ${stage.result}`) : null);
  return h("ol", { class: "stages" }, play.stages.map(one));
}

// The picture of a cloud and its groups.
function cloudCards(cloud, title) {
  if (cloud === null) return [];
  const rules = (list, none) => h("ul", { class: "rules" }, list.map((rule) => h("li", null, h("code", null, rule.written))), list.length === 0 ? h("li", { class: "hint" }, none) : null);
  const group = ({ name, ingress, egress }) => h("div", { class: "group" }, h("h3", null, name), h("h4", null, "lets in"), rules(ingress, "nothing"), egress.length > 0 ? [h("h4", null, "lets out"), rules(egress, "nothing")] : null);
  return [pictureCard(cloud.picture, title), h("section", { class: "card" }, h("h2", null, "Groups"), cloud.groups.map(group))];
}

function pictureCard(picture, title) {
  const place = h("div", { class: "picture", tabindex: 0, role: "region", "aria-label": "Picture, which scrolls" });
  const draw = () => showPicture(place, picture, { chosen: drafts.box, port: null, changed: null, chooseBox: (index) => ((drafts.box = drafts.box === index ? null : index), draw()), chooseArrow: () => {} });
  draw();
  return h("section", { class: "card" }, h("h2", null, title), place);
}

// A truth table that folds. `wrong` are cells that are not as the goal wants them.
function tableOf(table, words, wrong = new Set()) {
  const place = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Truth table, which scrolls" });
  showTable(place, table, { words, marked: wrong, was: new Map(), port: null, explain: null });
  place.querySelector("table")?.removeAttribute("aria-labelledby");
  place.querySelector("table")?.setAttribute("aria-label", "Truth table, by packets");
  return place;
}

// The letters that a table uses.
const legend = (table, words, wrong) => h("p", { class: "legend" }, [...words].filter(([letter]) => table.cells.some((code) => code[0] === letter)).map(([letter, word]) => h("span", { class: "entry" }, h("b", { class: "cell", "data-outcome": word, "data-standing": "measured" }, letter), ` ${word}`)), wrong ? h("span", { class: "entry" }, h("b", { class: "cell changed", "data-outcome": "dropped", "data-standing": "measured" }, "."), " not as the goal wants it") : null);

// A step with its story and what it does.
function story({ number, name, note, actions }) {
  return [h("h3", null, `Step ${number}: ${name}`), note ? h("p", { class: "hint" }, marked(note)) : null, actions.length > 0 ? h("ul", { class: "actions" }, actions.map((action) => h("li", null, h("code", null, action)))) : null];
}

function predict(stage, { act, words, again }) {
  const last = stage.revealed.length - 1;
  const answer = ({ words: flow, mark, predicted, observed, found, because }) =>
    h("li", { class: `answer-line ${mark}` }, h("span", { class: "answer-mark" }, MARKS[mark]), h("div", null, h("code", null, flow), " ", h("span", { class: "verdict", "data-outcome": observed }, found), predicted ? h("span", { class: "hint" }, ` you said ${predicted}`) : null, because.map((line) => h("span", { class: "why" }, line))));
  const revealed = ({ step, answers, table, took_ms }, index) => {
    const body = [h("ul", { class: "answers-list" }, answers.map(answer)), answers.length === 0 ? h("p", { class: "hint" }, "Nothing was asked at this step.") : null, h("details", { open: index === last }, h("summary", null, `All that packets have shown, in ${Math.round(took_ms)} ms`), tableOf(table, words), legend(table, words, false))];
    if (index === last) return h("div", { class: "revealed", role: "status" }, story(step), body);
    return h("details", { class: "revealed" }, h("summary", null, `Step ${step.number}: ${step.name}`), body);
  };
  return {
    work: [
      h("p", { class: "hint" }, `Era ${stage.era}, ${count(stage.of, "step")}.`),
      stage.revealed.length === 0 ? stage.expect.map((text) => h("p", { class: "expect" }, h("b", null, "People expect: "), marked(text))) : null,
      stage.revealed.map(revealed),
      stage.next ? nextStep(stage.next, { act, again }) : stage.moral.map(([label, text]) => h("p", null, h("b", null, `${label[0].toUpperCase()}${label.slice(1)}: `), marked(text))),
    ],
    side: cloudCards(stage.cloud, stage.revealed.length > 0 ? "Who reaches whom, by packets" : "The cloud, before any packet"),
  };
}

function nextStep(step, { act, again }) {
  if (drafts.step !== step.number) Object.assign(drafts, { step: step.number, answers: new Map() });
  const question = ({ words, answers }, index) =>
    h(
      "fieldset",
      { class: "question" },
      h("legend", null, h("code", null, words)),
      answers.map((answer) => h("button", { type: "button", "data-key": `answer-${index}-${answer}`, "aria-pressed": String(drafts.answers.get(index) === answer), onclick: () => (drafts.answers.get(index) === answer ? drafts.answers.delete(index) : drafts.answers.set(index, answer), again()) }, answer)),
    );
  const run = () => act({ predict: { step: step.number, answers: step.questions.map((_, index) => drafts.answers.get(index) ?? null) } });
  return h("div", { class: "coming" }, story(step), step.questions.length > 0 ? h("p", null, h("b", null, "What will packets do after it?")) : null, step.questions.map(question), h("button", { type: "button", class: "primary", "data-key": "run", onclick: run }, "Run it on packets"));
}

function investigate(stage, { act }) {
  const rule = ({ number, group, written }) => h("li", { value: number }, h("b", null, group), " ", h("code", null, written));
  const question = ({ words, answered }, index) =>
    h(
      "fieldset",
      { class: "question" },
      h("legend", null, h("code", null, words)),
      answered === null
        ? [...stage.rules.map(({ number }) => number), 0].map((number) => h("button", { type: "button", "data-key": `rule-${index}-${number}`, onclick: () => act({ answer: { question: index, rule: number } }) }, number === 0 ? "none" : String(number)))
        : h("p", { class: `answer-line ${answered.is_right ? "right" : "wrong"}`, role: "status" }, h("span", { class: "answer-mark" }, answered.is_right ? MARKS.right : MARKS.wrong), h("span", null, `you said ${answered.answer === 0 ? "none" : answered.answer}: ${answered.right}`)),
    );
  return {
    work: [h("p", null, "Which of these rules lets a flow through?"), h("ol", { class: "numbered" }, stage.rules.map(rule)), stage.questions.map(question)],
    side: cloudCards(stage.cloud, "The cloud"),
  };
}

function task(stage, { act, words, key }) {
  const { checked } = stage;
  const text = editor(stage, key, () => check());
  const check = () => act({ check: text.value });
  const isRun = checked?.run !== undefined;
  const hint = isRun && !checked.run.holds ? h("button", { type: "button", "data-key": "hint", onclick: () => act("hint") }, stage.next_hint ? `Hint (${stage.next_hint} points)` : "Hint again") : null;
  return {
    work: [
      h("p", null, stage.word === "fix" ? "Change groups until every step of the file holds." : "Write the rules of the groups until every step of the file holds.", " ", h("span", { class: "hint" }, `${count(stage.counted, "cell")} count, ${count(stage.points, "point")} in all.`)),
      stage.limits.map((limit) => h("p", { class: "hint" }, "Limit: ", marked(limit), ".")),
      h("label", { for: "file", class: "file-name" }, h("code", null, stage.file)),
      h("div", { class: "editor" }, h("pre", { class: "lines", "aria-hidden": "true" }), text),
      h("p", { class: "verbs" }, h("button", { type: "button", class: "primary", "data-key": "check", title: "Ctrl-Enter", onclick: check }, "Check on packets"), hint),
      h("div", { role: "status", id: "result" }, checked === null ? null : result(checked, stage)),
      stage.hints.length > 0 ? h("ul", { class: "hints" }, stage.hints.map((it) => h("li", null, h("b", null, `Hint: ${it.about}`), h("span", { class: "hint" }, ` ${it.costs} points off`), h("div", null, it.text)))) : null,
    ],
    side: isRun ? checked.run.steps.map((step) => stepCard(step, words)) : [pictureCard(stage.picture, "The cloud")],
  };
}

// The file that is edited. It stays the same element for as long as the stage is shown, with its caret and what can be undone.
function editor(stage, key, check) {
  const known = byId("file");
  const text = known?.dataset.of === key ? known : h("textarea", { id: "file", spellcheck: "false", autocomplete: "off", autocapitalize: "off", wrap: "off", rows: Math.min(24, stage.text.split("\n").length + 1), "data-key": "file", "data-of": key });
  const number = () => {
    const lines = text.parentElement?.querySelector(".lines");
    if (!lines) return;
    lines.textContent = text.value.split("\n").map((_, index) => index + 1).join("\n");
    lines.scrollTop = text.scrollTop;
  };
  if (text !== known) text.value = localStorage.getItem(key) ?? stage.text;
  text.oninput = () => (localStorage.setItem(key, text.value), number());
  text.onscroll = number;
  text.onkeydown = (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && check();
  const top = text.scrollTop;
  queueMicrotask(() => ((text.scrollTop = top), number()));
  return text;
}

function result(checked, { off }) {
  if (checked.refused !== undefined) return h("pre", { class: "problems", tabindex: 0 }, checked.refused);
  const { score, holds, faults, limits, unproved } = checked.run;
  const line = (kind, words) => h("li", null, h("b", { class: `fault ${kind.toLowerCase()}` }, kind), " ", words);
  return [h("p", { class: holds ? "reached" : "missed" }, h("b", null, holds ? "The goal holds" : "The goal does not hold yet"), `, on packets: ${score} of 100 points${off > 0 ? `; hints have cost ${off}` : ""}.`), h("ul", { class: "faults" }, faults.map(({ kind, words }) => line(kind, words)), limits.map((limit) => line("LIMIT", limit)), unproved > 0 ? line("NOT PROVED", count(unproved, "cell")) : null)];
}

function stepCard({ moment, name, table, wrong, others, picture }, words) {
  const all = wrong.length + others.length;
  return h("section", { class: "card" }, h("h2", null, `${moment[0].toUpperCase()}${moment.slice(1)}: ${name}`), h("details", { open: all > 0 }, h("summary", null, all > 0 ? `${all} not as the goal wants` : "All as the goal wants it"), others.length > 0 ? h("ul", { class: "faults" }, others.map((words) => h("li", null, h("code", null, words)))) : null, tableOf(table, words, new Set(wrong)), legend(table, words, wrong.length > 0)), h("details", null, h("summary", null, "Picture"), pictureCard(picture, "Who reaches whom, by packets")));
}
