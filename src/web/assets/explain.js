// The walk of a flow as a ladder, what its packets met, and what would open it.

import { h } from "./dom.js";

const AGREEMENTS = {
  agree: "as predicted",
  disagree: "NOT as predicted: model and kernel disagree, and one of the two is wrong. Please report it.",
  unproved: "the probe proved nothing, so there is nothing to compare",
};

export function explanation({ predicted, probed, agreement, met }, { act }) {
  const outcome = probed.outcome;
  return h(
    "article",
    { class: "explanation" },
    h("h3", null, h("code", null, predicted.written), " ", h("span", { class: "verdict", "data-outcome": outcome }, outcome)),
    h("p", { class: agreement === "disagree" ? "loud" : "proof" }, h("b", null, "Packets: "), `${outcome}, ${AGREEMENTS[agreement]}.`),
    h("p", null, sentence(predicted.summary)),
    h("ol", { class: "ladder" }, predicted.walk.map(stage)),
    probed.reason ? h("p", { class: "hint" }, sentence(probed.reason)) : null,
    recorded(met),
    remedies(predicted, act),
  );
}

const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1) + (words.endsWith(".") ? "" : ".");

function stage({ stage, text, rules }) {
  return h(
    "li",
    { class: `stage ${stage}` },
    h("span", { class: "stage-name" }, stage),
    h("div", null, h("p", null, text), rules.length > 0 ? h("ul", { class: "tried" }, rules.map(rule)) : null),
  );
}

function rule({ group, written, admits, why, place }) {
  return h(
    "li",
    { class: admits ? "match" : "no-match" },
    h("span", { class: "tick" }, admits ? "match" : "no match"),
    h("span", null, h("b", null, group), " ", h("code", null, written), place ? h("span", { class: "place" }, ` ${place.file}:${place.line}:${place.column}`) : null, why ? h("span", { class: "why" }, why) : null),
  );
}

function recorded(met) {
  if (met.length === 0) return h("p", { class: "hint" }, "No filter recorded a packet of it.");
  const one = (it) =>
    h("li", null, h("b", null, it.verdict), ` ${it.interface ?? it.filter}${it.at ? ` ${it.at}` : ""}  ${it.source}:${it.source_port} → ${it.destination}:${it.destination_port}`, it.rule ? h("span", { class: "why" }, `by ${it.rule}`) : null);
  return h("details", null, h("summary", null, `Records of the filters (${met.length})`), h("ul", { class: "records" }, met.map(one)));
}

function remedies({ verdict, remedies }, act) {
  if (verdict === "open") return null;
  if (remedies.length === 0) return h("p", { class: "hint" }, "No change to rules, groups or addresses opens it.");
  const one = (remedy) =>
    remedy.changes.length === 0
      ? h("li", null, h("p", null, "It is open as ", h("code", null, remedy.flow), "."))
      : h("li", null, h("p", null, `${sentence(remedy.text).slice(0, -1)}:`), remedy.changes.map((change) => h("code", { class: "change" }, change)), h("button", { type: "button", class: "primary", "data-key": `remedy-${remedy.changes.join()}`, onclick: () => act({ remedy: remedy.changes }) }, "Do it"));
  return h("div", { class: "remedies" }, h("h4", null, "What would open it"), h("ul", null, remedies.map(one)));
}
