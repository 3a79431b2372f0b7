// A phone in the room: one question, two answers.

import { byId, count, h, replace } from "./dom.js";
import { bars } from "./room.js";

let answered = { question: null, prediction: null };

async function predict(question, prediction) {
  try {
    const response = await fetch("/api/predictions", { method: "POST", headers: { "X-Sglab": "1" }, body: JSON.stringify({ question, prediction }) });
    if (response.ok) answered = { question, prediction };
    byId("said").textContent = response.ok ? "Noted. You may change your mind until the reveal." : (await response.text()).trim();
  } catch {
    byId("said").textContent = "The room cannot be reached: is this phone still in its network?";
  }
  draw();
}

let room = null;

function draw() {
  const question = room?.question ?? null;
  byId("number").textContent = question === null ? "" : `question ${question.number}`;
  if (question === null) return replace(byId("question"), h("p", null, "No question yet. Look at the screen."));
  const own = answered.question === question.number ? answered.prediction : null;
  const button = (prediction, words) => h("button", { type: "button", class: "answer", "data-key": prediction, "aria-pressed": String(own === prediction), onclick: () => predict(question.number, prediction) }, words);
  replace(
    byId("question"),
    question.step ? h("p", null, "After: ", h("b", null, question.step)) : null,
    h("p", { class: "flow" }, h("code", null, question.words)),
    question.revealed === null && question.taking === "over"
      ? h("p", { class: "over" }, own === null ? "Too late to predict: packets have shown it. Look at the screen." : `You said: ${own === "open" ? "gets through" : "is blocked"}. Packets have shown it: wait for the reveal.`)
      : question.revealed === null
      ? h("div", { class: "answers" }, button("open", "gets through"), button("blocked", "is blocked"))
      : [h("p", { class: "flow" }, own === null ? "" : own === question.revealed.right ? "You were right. " : "Not as you thought. ", `Packets: ${question.revealed.outcome}.`), bars(question.revealed)],
    h("p", { class: "hint" }, `${count(question.answered, "answer")}`),
  );
}

const source = new EventSource("/api/room");
source.addEventListener("room", (event) => {
  const before = room?.question?.number;
  room = JSON.parse(event.data);
  if (room?.question?.number !== before || (room?.question?.revealed ?? null) !== null) byId("said").textContent = "";
  draw();
});
source.onerror = async () => {
  if (source.readyState !== EventSource.CLOSED) return;
  const response = await fetch("/api/room").catch(() => null);
  byId("said").textContent = response === null ? "The room cannot be reached." : (await response.text()).trim();
};
