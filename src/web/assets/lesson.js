// Lessons in the browser: a seat, the list of lessons, and the stages of the one that is played.

import { byId, count, h, replace } from "./dom.js";
import { showStage } from "./lesson-stages.js";
import { setUpLooks } from "./looks.js";
import { logIn, post } from "./server.js";

const page = { view: null, isBusy: false, runs: undefined, hints: 0, naming: null };

// Asks for the seat as it is; takes one with a code where this browser has none.
async function begin() {
  const refused = await logIn();
  replace(byId("main"), h("p", { class: "hint" }, "Waiting for the class, and for what was begun at this seat …"));
  const response = await fetch("/api/seat").catch(() => null);
  if (response === null) return banner("The class's program does not answer: is this machine still in its network?");
  if (response.ok) return show(await response.json());
  if (response.status !== 401) return banner((await response.text()).trim());
  askForCode(refused);
}

function askForCode(refused) {
  const input = h("input", { name: "code", autocomplete: "off", autocapitalize: "characters", spellcheck: "false", placeholder: "ABCD-EFGH", size: 12 });
  const enter = async (event) => {
    event.preventDefault();
    const response = await fetch("/session", { method: "POST", headers: { "X-Sglab": "1" }, body: input.value }).catch(() => null);
    if (response?.ok) return begin();
    banner(response === null ? "The class's program does not answer." : (await response.text()).trim());
  };
  banner(refused);
  byId("main").className = "one";
  replace(byId("main"), h("section", { class: "card" }, h("h2", null, "Take a seat"), h("form", { class: "row", onsubmit: enter }, h("label", null, "The code of the class ", input), h("button", { class: "primary" }, "Enter"))));
  input.focus();
}

// Sends what the learner does, and shows what has come of it.
async function send(request) {
  if (page.isBusy) return;
  page.isBusy = true;
  document.body.classList.add("busy");
  await page.naming;
  const waits = setTimeout(() => (byId("seat-state").textContent = "packets are on their way, or wait for their turn …"), 700);
  const answer = await post("/api/seat", request);
  clearTimeout(waits);
  byId("seat-state").textContent = "";
  page.isBusy = false;
  document.body.classList.remove("busy");
  if (answer.result !== "failed") return show(answer);
  // The class has begun anew, or the seat was given away.
  if (answer.status === 401) askForCode(answer.why);
  else banner(answer.why);
}

// A name changes nothing else, so that whatever is pressed next is not lost.
function call(name) {
  page.naming = post("/api/seat", { name }).then((answer) => answer.result === "failed" && banner(answer.why));
}

function show(view) {
  const before = page.view?.play;
  page.view = view;
  banner(view.problem);
  byId("title").textContent = view.play?.lesson.title ?? "lessons";
  document.title = `${view.play?.lesson.title ?? "Lessons"} · sglab`;
  byId("list").hidden = view.play === null || view.lessons.length === 1;
  showSeat(view);
  if (view.play === null) return view.lessons.length === 1 ? send({ lesson: view.lessons[0].name }) : showList(view.lessons);
  const isOther = before?.lesson.name !== view.play.lesson.name || before?.at !== view.play.at;
  byId("main").className = "";
  const hasRun = !isOther && page.runs !== view.play.stage.revealed?.length;
  page.runs = view.play.stage.revealed?.length;
  showStage(byId("main"), view, { send, isOther });
  const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
  if (isOther) scrollTo(0, 0);
  else if (hasRun) document.querySelector("div.revealed")?.scrollIntoView({ block: "start", behavior });
  else (view.play.stage.hints?.length > page.hints ? document.querySelector(".hints") : byId("result")?.firstElementChild)?.scrollIntoView({ block: "nearest", behavior });
  page.hints = view.play.stage.hints?.length ?? 0;
}

function showSeat({ seat, name }) {
  const input = h("input", { value: name, maxlength: 40, placeholder: "your name", "aria-label": "Your name, which the instructor sees", "data-key": "name", size: 14, onchange: () => call(input.value) });
  replace(byId("seat"), `seat ${seat} `, input);
}

function showList(lessons) {
  const themes = [...new Set(lessons.map((lesson) => lesson.theme))];
  const one = ({ name, title, surprise, minutes, is_begun, is_done }) => h("li", null, h("button", { type: "button", class: "lesson", "data-key": `lesson-${name}`, onclick: () => send({ lesson: name }) }, h("b", null, is_done ? "✓ " : "", title, is_begun && !is_done ? h("span", { class: "hint" }, " begun") : null), h("span", null, surprise), minutes ? h("span", { class: "hint" }, `about ${count(minutes, "minute")}`) : null));
  byId("main").className = "one";
  replace(byId("main"), themes.map((theme) => h("section", { class: "card" }, h("h2", null, theme), h("ul", { class: "lessons" }, lessons.filter((lesson) => lesson.theme === theme).map(one)))));
}

function banner(words) {
  byId("banner").hidden = !words;
  byId("banner").textContent = words ?? "";
}

setUpLooks();
byId("list").onclick = () => send({ lesson: null });
addEventListener("hashchange", () => location.hash.startsWith("#t=") && location.reload());
begin();
