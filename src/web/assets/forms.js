// Operations as forms, which know the names that there are.

import { h, replace } from "./dom.js";

// The states of an instance in which an operation does something to it.
const STATES = {
  stop: ["running", "pending", "crashed"],
  start: ["stopped", "crashed"],
  reboot: ["running", "pending"],
  crash: ["running", "pending"],
  terminate: ["running", "pending", "stopped", "crashed"],
};
const fits = (operation, { state }) => STATES[operation].includes(state);

// The operations that fit an instance.
export const fitting = (instance) => Object.keys(STATES).filter((operation) => fits(operation, instance));

const instances = (board) => board.state.instances.map((it) => it.name);
// An instance, or each interface of one that has several: EC2 wants to know which.
const interfaces = (board) => board.state.instances.flatMap((it) => (it.interfaces.length > 1 ? it.interfaces.map(({ device }) => `${it.name}.${device}`) : it.name));
// The entries of the prefix list that is chosen.
const entriesOf = (board, form) => chosenOf(board.prefix_lists, form, "list")?.entries ?? [];
const chosenOf = (all, form, key) => all.find((it) => it.name === form.elements[key]?.value) ?? all[0];

const names = {
  groups: (board) => board.groups.map((it) => it.name),
  addresses: (board) => board.elastic_ips,
  balancers: (board) => board.state.load_balancers.map((it) => it.name),
  // Never the first.
  attached: (board) => board.state.instances.flatMap((it) => it.interfaces.slice(1).map(({ device }) => `${it.name}.${device}`)),
  lists: (board) => board.prefix_lists.map((it) => it.name),
};

// Before VPCs there are no rules for what goes out.
const directions = (board) => (board.state.era === "vpc" ? ["ingress", "egress"] : ["ingress"]);

const instance = ["instance", "Instance", instances];
const target = ["instance", "Instance", interfaces];
const ofInstance = (choices) => ["instances", "Instance", choices, "one"];
const fittingFor = (operation) => ofInstance((board) => board.state.instances.filter((it) => fits(operation, it)).map((it) => it.name));
const group = ["group", "Group", names.groups];
const elastic = ["names", "Elastic IP", names.addresses, "one"];
const balancer = ["balancer", "Load balancer", names.balancers];
const list = ["list", "Prefix list", names.lists];
const direction = ["direction", "Direction", directions];
const subnet = ["subnet", "Subnet", (board) => ["", ...board.subnets], "maybe"];

// Each form: its operation, its words, its fields, by the names of src/topology/typed.rs. A field is a key, a label, and names to choose from, or a
// hint for free words; then `one` of a list, `many` names, `some` or none, a `list` of words with commas, or what `maybe` is left out.
const FORMS = [
  ["authorize", "Authorize a rule", [group, direction, ["rules", "Rule", "tcp 3306 from GROUP", "one"]]],
  ["revoke", "Revoke a rule", [group, direction, ["rules", "Rule", rulesOf, "one"]]],
  ["update-description", "Describe a rule", [group, direction, ["rules", "Rule", rulesOf, "one"], ["description", "Description", "nothing takes it away", "maybe"]]],
  ["stop", "Stop", [fittingFor("stop")]],
  ["start", "Start", [fittingFor("start")]],
  ["reboot", "Reboot", [fittingFor("reboot")]],
  ["crash", "Crash", [fittingFor("crash")]],
  ["terminate", "Terminate", [fittingFor("terminate")]],
  ["launch", "Launch an instance", [["instance", "Name", "web3"], ["groups", "Groups", names.groups, "many"], ["listens", "Listens", "tcp 80, tcp 22", "list"], subnet, ["address", "Private address", "any that is free", "maybe"], ["public", "Public address", () => ["", "given", "none"], "maybe"]]],
  ["set-groups", "Set groups", [target, ["groups", "Groups", names.groups, "many"]]],
  ["attach-interface", "Attach an interface", [instance, ["device", "Device", "eth1"], ["groups", "Groups", names.groups, "many"], subnet]],
  ["detach-interface", "Detach an interface", [["names", "Interface", names.attached, "one"]]],
  ["source-dest-check", "Switch the source/destination check", [target, ["check", "Check", () => ["off", "on"]]]],
  ["create-group", "Create a group", [["group", "Name", "SG-T-CACHE"], ["rules", "Rules", "tcp 6379 from GROUP", "list"]]],
  ["delete-group", "Delete a group", [["names", "Group", names.groups, "one"]]],
  ["edit-prefix-list", "Edit a prefix list", [list, ["add", "Add", "198.51.100.0/24", "list"], ["remove", "Remove", entriesOf, "some"]]],
  ["allocate-address", "Allocate an Elastic IP", [["names", "Name", "EIP-WEB", "one"]]],
  ["associate-address", "Associate an Elastic IP", [["elastic_ip", "Elastic IP", names.addresses], target]],
  ["disassociate-address", "Disassociate an Elastic IP", [elastic]],
  ["release-address", "Release an Elastic IP", [elastic]],
  ["register-instances", "Register with a load balancer", [balancer, ofInstance(instances)]],
  ["deregister-instances", "Deregister from a load balancer", [balancer, ofInstance(instances)]],
];

function rulesOf(board, form) {
  const chosen = chosenOf(board.groups, form, "group");
  const rules = form.elements.direction?.value === "egress" ? chosen?.egress : chosen?.ingress;
  return (rules ?? []).map((rule) => rule.written);
}

// Fields whose choices depend on another field.
const isDependent = (choices) => choices === rulesOf || choices === entriesOf;

// Shows the form of one operation, with a choice of all.
export function showForms(place, state) {
  const { board, act } = state;
  const usable = FORMS.filter(([, , fields]) => fields.every(([, , choices]) => typeof choices !== "function" || isDependent(choices) || choices(board).length > 0));
  const chosen = usable.find(([operation]) => operation === state.form) ?? usable[0];
  const picker = h("select", { id: "operation", "data-key": "operation", onchange: () => ((state.form = picker.value), showForms(place, state)) });
  picker.append(...usable.map(([operation, words]) => h("option", { value: operation, selected: operation === chosen[0] }, words)));
  const form = h("form", { class: "operation" });
  form.append(h("label", null, "Operation ", picker), ...chosen[2].map((field) => input(board, form, field, state)), h("button", { class: "primary", "data-key": "apply" }, chosen[1]));
  form.addEventListener("change", () => refill(board, form, chosen[2], state));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const sent = { operation: chosen[0] };
    const fields = [];
    for (const [key, label, , kind] of chosen[2]) {
      const element = form.elements[key];
      if (kind === "one") sent[key] = [element.value];
      else if (kind === "many" || kind === "some") sent[key] = [...element.selectedOptions].map((option) => option.value);
      else if (kind === "list") sent[key] = element.value.split(",").map((word) => word.trim()).filter(Boolean);
      else if (kind !== "maybe" || element.value !== "") sent[key] = element.value;
      if (sent[key] !== undefined) fields.push({ label, words: [sent[key]].flat() });
    }
    act({ form: sent }, fields);
  });
  replace(place, form);
  refill(board, form, chosen[2], state);
}

function input(board, form, [key, label, choices, kind], state) {
  const kept = state.kept[key];
  const isKept = (name) => Array.isArray(kept) && kept.includes(name);
  if (typeof choices !== "function") {
    return h("label", null, `${label} `, h("input", { name: key, placeholder: choices, value: typeof kept === "string" ? kept : null, autocomplete: "off", spellcheck: "false", "data-key": key, required: kind === "list" || kind === "maybe" ? null : true, oninput: (event) => (state.kept[key] = event.target.value) }));
  }
  const isMany = kind === "many" || kind === "some";
  // The form is drawn anew with every change of the lab: what was chosen stays chosen.
  const keep = ({ target }) => (state.kept[key] = [...target.selectedOptions].map((option) => option.value));
  const select = h("select", { name: key, "data-key": key, multiple: isMany, required: kind === "many", size: isMany ? 4 : null, onchange: keep });
  if (!isDependent(choices)) select.append(...choices(board).map((name) => h("option", { value: name, selected: isKept(name) }, name === "" ? key === "subnet" ? "the first" : "as the subnet says" : name)));
  return h("label", null, `${label} `, select);
}

// The rules of the group that is chosen, and the entries of the list.
function refill(board, form, fields, { kept }) {
  for (const [key, , choices] of fields) {
    if (!isDependent(choices)) continue;
    const select = form.elements[key];
    replace(select, choices(board, form).map((name) => h("option", { value: name, selected: Array.isArray(kept[key]) && kept[key].includes(name) }, name)));
  }
}

// What came of an operation. `fields` are those of its form, with their words.
export function outcome(answer, fields = []) {
  if (answer.result === "applied") {
    return [
      answer.done.map((it) => h("div", { class: "done" }, h("p", null, h("b", null, it.operation), h("span", { class: "ms" }, ` applied in ${it.in_force_ms.toFixed(1)} ms`)), it.changes.length > 0 ? h("ul", null, it.changes.map((change) => h("li", null, change))) : h("p", { class: "hint" }, "Nothing changed."))),
      answer.refused.map(refusal),
    ];
  }
  if (answer.result === "refused") return refusal(answer);
  if (answer.result === "stale") return h("p", { class: "refused" }, "Somebody else was first: the lab has changed since. Look again, and then do it once more.");
  if (answer.result === "invalid") return answer.problems.map((it) => problem(it, fields));
  return h("p", { class: "refused" }, answer.why ?? "It could not be done.");
}

// A problem of what was typed, with the field that it was typed into, and a caret below what is meant.
function problem({ message, help, words, before, width }, fields) {
  const field = fields.find((it) => it.words.includes(words));
  return h("div", { class: "refused problem" }, h("p", null, field ? h("b", null, `${field.label}: `) : null, message), words === "" ? null : h("pre", null, `${words}\n${" ".repeat(before)}${"^".repeat(width)}`), help ? h("p", null, help) : null);
}

function refusal(view) {
  return h("div", { class: "refused" }, h("p", null, h("b", null, view.code), ` ${view.message}`), view.culprits?.length ? h("ul", null, view.culprits.map((it) => h("li", null, it))) : null, view.did_you_mean.length > 0 ? h("p", null, `Did you mean ${view.did_you_mean.join(", ")}?`) : null);
}
