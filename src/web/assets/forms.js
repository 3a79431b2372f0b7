// Operations as forms, which know the names that there are.

import { h, replace } from "./dom.js";

const names = {
  instances: (board) => board.state.instances.map((it) => it.name),
  groups: (board) => board.groups.map((it) => it.name),
  addresses: (board) => board.elastic_ips,
  balancers: (board) => board.state.load_balancers.map((it) => it.name),
};

// Before VPCs there are no rules for what goes out.
const directions = (board) => (board.state.era === "vpc" ? ["ingress", "egress"] : ["ingress"]);

const instance = ["instance", "Instance", names.instances];
const group = ["group", "Group", names.groups];
const elastic = ["elastic_ip", "Elastic IP", names.addresses];
const balancer = ["balancer", "Load balancer", names.balancers];

// Each form: its operation, its words, its fields. A field is a key, a label, and names to choose from, or a hint for free words.
const FORMS = [
  ["authorize", "Authorize a rule", [group, ["direction", "Direction", directions], ["rule", "Rule", "tcp 3306 from GROUP"]]],
  ["revoke", "Revoke a rule", [group, ["direction", "Direction", directions], ["rule", "Rule", rulesOf]]],
  ["stop", "Stop", [instance]],
  ["start", "Start", [instance]],
  ["reboot", "Reboot", [instance]],
  ["crash", "Crash", [instance]],
  ["terminate", "Terminate", [instance]],
  ["launch", "Launch an instance", [["instance", "Name", "web3"], ["groups", "Groups", names.groups, "many"], ["listens", "Listens", "tcp 80, tcp 22", "list"]]],
  ["set-groups", "Set groups", [instance, ["groups", "Groups", names.groups, "many"]]],
  ["create-group", "Create a group", [["group", "Name", "SG-T-CACHE"], ["rules", "Rules", "tcp 6379 from GROUP", "list"]]],
  ["delete-group", "Delete a group", [group]],
  ["allocate-address", "Allocate an Elastic IP", [["elastic_ip", "Name", "EIP-WEB"]]],
  ["associate-address", "Associate an Elastic IP", [elastic, instance]],
  ["disassociate-address", "Disassociate an Elastic IP", [elastic]],
  ["release-address", "Release an Elastic IP", [elastic]],
  ["register-instance", "Register with a load balancer", [balancer, instance]],
  ["deregister-instance", "Deregister from a load balancer", [balancer, instance]],
];

function rulesOf(board, form) {
  const chosen = board.groups.find((it) => it.name === form.elements.group?.value) ?? board.groups[0];
  const rules = form.elements.direction?.value === "egress" ? chosen?.egress : chosen?.ingress;
  return (rules ?? []).map((rule) => rule.written);
}

// Shows the form of one operation, with a choice of all.
export function showForms(place, state) {
  const { board, act } = state;
  const usable = FORMS.filter(([, , fields]) => fields.every(([, , choices]) => typeof choices !== "function" || choices === rulesOf || choices(board).length > 0));
  const chosen = usable.find(([operation]) => operation === state.form) ?? usable[0];
  const picker = h("select", { id: "operation", "data-key": "operation", onchange: () => ((state.form = picker.value), showForms(place, state)) });
  picker.append(...usable.map(([operation, words]) => h("option", { value: operation, selected: operation === chosen[0] }, words)));
  const form = h("form", { class: "operation" });
  form.append(h("label", null, "Operation ", picker), ...chosen[2].map((field) => input(board, form, field, state)), h("button", { class: "primary", "data-key": "apply" }, chosen[1]));
  form.addEventListener("change", () => refill(board, form, chosen[2]));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const sent = { operation: chosen[0] };
    for (const [key, , , kind] of chosen[2]) {
      const element = form.elements[key];
      if (kind === "many") sent[key] = [...element.selectedOptions].map((option) => option.value);
      else if (kind === "list") sent[key] = element.value.split(",").map((word) => word.trim()).filter(Boolean);
      else sent[key] = element.value;
    }
    act(sent);
  });
  replace(place, form);
  refill(board, form, chosen[2]);
}

function input(board, form, [key, label, choices, kind], state) {
  const kept = state.kept[key];
  if (typeof choices !== "function") {
    return h("label", null, `${label} `, h("input", { name: key, placeholder: choices, value: kept, autocomplete: "off", spellcheck: "false", "data-key": key, required: kind === "list" ? null : true, oninput: (event) => (state.kept[key] = event.target.value) }));
  }
  const select = h("select", { name: key, "data-key": key, multiple: kind === "many", required: kind === "many", size: kind === "many" ? 4 : null, onchange: (event) => (state.kept[key] = event.target.value) });
  if (choices !== rulesOf) select.append(...choices(board).map((name) => h("option", { value: name, selected: name === kept }, name)));
  return h("label", null, `${label} `, select);
}

// The rules of the group that is chosen.
function refill(board, form, fields) {
  for (const [key, , choices] of fields) {
    if (choices !== rulesOf) continue;
    const select = form.elements[key];
    const before = select.value;
    replace(select, rulesOf(board, form).map((rule) => h("option", { value: rule, selected: rule === before }, rule)));
  }
}

// What came of an operation.
export function outcome(answer) {
  if (answer.result === "applied") {
    return [
      answer.done.map((it) => h("div", { class: "done" }, h("p", null, h("b", null, it.operation), h("span", { class: "ms" }, ` applied in ${it.in_force_ms.toFixed(1)} ms`)), it.changes.length > 0 ? h("ul", null, it.changes.map((change) => h("li", null, change))) : h("p", { class: "hint" }, "Nothing changed."))),
      answer.refused.map(refusal),
    ];
  }
  if (answer.result === "refused") return refusal(answer);
  if (answer.result === "stale") return h("p", { class: "refused" }, "Somebody else was first: the lab has changed since. Look again, and then do it once more.");
  if (answer.result === "invalid") return h("pre", { class: "refused" }, answer.problems);
  return h("p", { class: "refused" }, answer.why ?? "It could not be done.");
}

function refusal(view) {
  return h("div", { class: "refused" }, h("p", null, h("b", null, view.code), ` ${view.message}`), view.culprits?.length ? h("ul", null, view.culprits.map((it) => h("li", null, it))) : null, view.did_you_mean.length > 0 ? h("p", null, `Did you mean ${view.did_you_mean.join(", ")}?`) : null);
}
