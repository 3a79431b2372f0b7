// The room that predicts, as the instructor sees it.

import { count, h, replace, s } from "./dom.js";

// Bars of a question whose outcome is shown.
export function bars({ open, blocked, right }) {
  const all = Math.max(1, open + blocked);
  const bar = (answer, words, number) =>
    h(
      "div",
      { class: `bar-row${answer === right ? " is-right" : ""}` },
      h("span", { class: "bar-words" }, `${answer === right ? "✓ " : ""}${words}`),
      s("svg", { class: "bar-svg", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" }, s("rect", { class: "bar-back", width: 100, height: 10 }), s("rect", { class: "bar-fill", width: (100 * number) / all, height: 10 })),
      h("span", { class: "bar-number" }, String(number)),
    );
  return h("div", { class: "bars" }, bar("open", "gets through", open), bar("blocked", "is blocked", blocked));
}

export function showRoom(place, room, { reveal, withdraw }) {
  const { question, phones } = room;
  replace(
    place,
    h("p", { class: "hint" }, `${phones === 0 ? "No phone is connected yet" : `${count(phones, "phone")} connected`}. Choose a cell and press “Ask the room”; do the step; then reveal.`),
    question === null
      ? null
      : [
          h("p", null, question.step ? ["After ", h("b", null, question.step), ": "] : null, h("code", null, question.words)),
          question.revealed === null
            ? [h("p", null, `${count(question.answered, "answer")}, hidden until the reveal${question.taking === "over" ? ". No more are taken: packets have shown it" : ""}`), h("button", { type: "button", class: "primary", "data-key": "reveal", onclick: reveal }, "Reveal"), " ", h("button", { type: "button", "data-key": "withdraw", onclick: withdraw }, "Withdraw")]
            : [h("p", null, "Packets: ", h("span", { class: "verdict", "data-outcome": question.revealed.outcome }, question.revealed.outcome)), bars(question.revealed)],
        ],
  );
}
