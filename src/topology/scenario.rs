//! The steps: what each does, in EC2's verbs, and what must hold then.

use std::collections::HashMap;

use super::names::Sort;
use super::problem::{Draft, Span, quote};
use super::reading::{Fields, Reading};
use super::rules::RuleContext;
use super::tree::{Node, Value};
use super::{Action, Placed, Step};
use crate::model::{Direction, Era, GroupName, InstanceName, Operation, RefusalCode};

const STEP: [&str; 6] = ["step", "eras", "note", "do", "during", "expect"];
const VERBS: [&str; 26] = [
    "launch",
    "stop",
    "start",
    "reboot",
    "crash",
    "terminate",
    "authorize",
    "revoke",
    "authorize-egress",
    "revoke-egress",
    "set-groups",
    "create-group",
    "delete-group",
    "allocate-address",
    "associate-address",
    "disassociate-address",
    "release-address",
    "attach-interface",
    "detach-interface",
    "source-dest-check",
    "edit-prefix-list",
    "register-instances",
    "deregister-instances",
    "open",
    "close",
    "idle",
];
/// The words for eras.
pub(super) const ERAS: [(&str, Era); 3] = [("article", Era::Article), ("classic", Era::Classic), ("vpc", Era::Vpc)];

impl Reading<'_> {
    /// The names that steps will make; before anything is read, since names are one namespace over the whole file.
    pub fn declare_later(&mut self, scenario: Option<&Node>) {
        let Some(Node { value: Value::Sequence(steps), .. }) = scenario else { return };
        for step in steps {
            let eras = quiet(step, "eras").map_or_else(Vec::new, |node| {
                let words: Vec<&str> = items(node).iter().filter_map(scalar).collect();
                ERAS.iter().filter(|(word, _)| words.contains(word)).map(|(_, era)| *era).collect()
            });
            let refused = quiet(step, "expect").and_then(|expect| quiet(expect, "refusal")).is_some();
            let operations = quiet(step, "do").map_or(&[][..], items);
            self.declare_made(operations, &eras, refused);
        }
        for (key, value) in steps.iter().flat_map(entries) {
            match scalar(key) {
                Some("do") => self.note_unknown_verbs(items(value)),
                Some(word) if !STEP.contains(&word) => {
                    items(value).iter().flat_map(entries).for_each(|(_, named)| self.note_unread(named));
                }
                _ => {}
            }
        }
    }

    /// The names that typed operations will make.
    pub fn declare_in(&mut self, operations: &Node) {
        self.declare_made(items(operations), &[], true);
        self.note_unknown_verbs(items(operations));
    }

    /// What a verb that is none may have been meant to make.
    fn note_unknown_verbs(&mut self, operations: &[Node]) {
        for (verb, named) in operations.iter().flat_map(entries) {
            if scalar(verb).is_some_and(|verb| !VERBS.contains(&verb)) {
                self.note_unread(named);
            }
        }
    }

    fn declare_made(&mut self, operations: &[Node], eras: &[Era], refused: bool) {
        for (index, operation) in operations.iter().enumerate() {
            let terminated = quiet(operation, "terminate").map_or(&[][..], items);
            terminated.iter().filter_map(scalar).for_each(|name| self.names.terminate(name));
            let allocated = quiet(operation, "allocate-address").map_or(&[][..], items);
            for item in allocated {
                let again = refused && index + 1 == operations.len() && self.declared(item, Sort::ElasticIp).is_some();
                if !again {
                    self.declare(item, Sort::ElasticIp, eras);
                }
            }
            for (verb, sort) in [("launch", Sort::Instance), ("create-group", Sort::Group)] {
                let Some(Node { value: Value::Mapping(entries), .. }) = quiet(operation, verb) else { continue };
                for (key, _) in entries {
                    // To make a group twice is how one sees `InvalidGroup.Duplicate`.
                    let again = refused && index + 1 == operations.len() && self.declared(key, sort).is_some();
                    if !again || sort == Sort::Instance {
                        self.declare(key, sort, eras);
                    }
                }
            }
        }
    }

    /// The steps of the scenario.
    pub fn steps(&mut self, node: &Node) -> Vec<Step> {
        let items = self.list(node, "a list of steps");
        let mut steps = Vec::new();
        let mut names: HashMap<String, Span> = HashMap::new();
        for item in items {
            let Some(fields) = self.fields(item, "a step", &STEP) else { continue };
            let name = match fields.get("step") {
                Some(name) => self.text(name, "the name of a step").map(|text| (text, name.span)),
                None => {
                    let draft = Draft::new(item.span, "the step has no name");
                    self.missing(&fields, draft.help("it begins with `- step: what is shown`"));
                    None
                }
            };
            if let Some((text, span)) = name {
                match names.get(text) {
                    Some(first) => {
                        let draft = Draft::new(span, format!("a step is called {} already", quote(text)));
                        self.report(draft.related("here", *first));
                    }
                    None => {
                        names.insert(text.to_owned(), span);
                    }
                }
            }
            if let Some(step) = self.step(item, &fields, name) {
                steps.push(step);
            }
        }
        steps
    }

    fn step(&mut self, node: &Node, fields: &Fields<'_>, name: Option<(&str, Span)>) -> Option<Step> {
        let eras = fields.get("eras").map_or_else(Vec::new, |eras| self.era_list(eras));
        let note = fields.get("note").and_then(|note| self.text(note, "a note").map(str::to_owned));
        let expect = fields.get("expect");
        let refusal = expect.and_then(|expect| quiet(expect, "refusal")).and_then(scalar);
        // What flows meanwhile is there before.
        let traffic = fields.entry("during");
        let during = traffic.map_or_else(Vec::new, |(_, node)| self.during(node));
        let actions = fields.get("do").map_or_else(Vec::new, |node| self.actions(node, &eras, refusal));
        let does = fields.get("do").is_some();
        let none = expect.and_then(|expect| quiet(expect, "leak").or_else(|| quiet(expect, "loss")));
        self.refuse_idle_traffic(traffic.map(|(key, _)| key.span), none.map(|node| node.span), does);
        let expectations = expect.map_or_else(Vec::new, |node| self.expectations(node, does));
        if !does && expect.is_none() {
            let draft = Draft::new(node.span, "the step does nothing and expects nothing");
            self.missing(fields, draft.help("`do:` or `expect:`"));
        }
        let (name, span) = name?;
        Some(Step { name: name.to_owned(), place: self.place(span), eras, actions, during, expectations, note })
    }

    /// One era or several, each once.
    pub fn era_list(&mut self, node: &Node) -> Vec<Era> {
        let mut eras = Vec::new();
        for item in self.some(node, "an era or a list of eras") {
            let Some(era) = self.choice(item, "an era", &ERAS) else { continue };
            if eras.contains(&era) {
                self.report(Draft::new(item.span, format!("the era {era} is listed already")));
            } else {
                eras.push(era);
            }
        }
        eras
    }

    pub(super) fn actions(&mut self, node: &Node, eras: &[Era], refusal: Option<&str>) -> Vec<Action> {
        let entries = match &node.value {
            Value::Mapping(_) => std::slice::from_ref(node),
            _ => self.some(node, "an operation or a list of operations"),
        };
        let in_all_eras = eras.is_empty();
        let mut actions = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            if let Some(value) = quiet(entry, "open") {
                actions.extend(self.openings(value));
            }
            if let Some(value) = quiet(entry, "idle") {
                actions.extend(self.idlings(value));
            }
            if let Some(value) = quiet(entry, "close") {
                actions.extend(self.closings(value));
            }
            let expected = refusal.filter(|_| index + 1 == entries.len());
            let before = self.world.clone();
            let read = self.operation(entry, expected);
            if expected.is_some() {
                // What is refused makes and ends nothing.
                self.world = before;
                if let Some((_, done)) = read.split_last() {
                    done.iter().for_each(|operation| self.world.apply(&operation.value, in_all_eras));
                }
            } else {
                read.iter().for_each(|operation| self.world.apply(&operation.value, in_all_eras));
            }
            actions.extend(read.into_iter().map(Action::Operation));
        }
        actions
    }

    fn operation(&mut self, node: &Node, refusal: Option<&str>) -> Vec<Placed<Operation>> {
        let Some(fields) = self.fields(node, "an operation, such as `stop: web1`", &VERBS) else { return Vec::new() };
        let Value::Mapping(entries) = &node.value else { return Vec::new() };
        if entries.len() > 1 {
            let span = entries[1].0.span;
            let draft = Draft::new(span, "an entry of `do` holds one operation, since a mapping has no order");
            self.report(draft.help("write a list: [{stop: web1}, {start: web1}]"));
        }
        let Some((verb, value)) = VERBS.iter().find_map(|verb| fields.get(verb).map(|value| (*verb, value))) else {
            if entries.is_empty() {
                self.report(Draft::new(node.span, "an operation is missing").help("such as `stop: web1`"));
            }
            return Vec::new();
        };
        if matches!(&value.value, Value::Mapping(entries) if entries.is_empty()) {
            self.report(Draft::new(value.span, format!("`{verb}` names nothing")));
        }
        let unknown_group = may_be_refused(refusal, RefusalCode::InvalidGroupNotFound);
        let unknown_instance = may_be_refused(refusal, RefusalCode::InvalidInstanceIdNotFound);
        let simple: fn(InstanceName) -> Operation = match verb {
            "stop" => Operation::Stop,
            "start" => Operation::Start,
            "reboot" => Operation::Reboot,
            "crash" => Operation::Crash,
            "terminate" => Operation::Terminate,
            "launch" => return self.launches(value),
            "create-group" => return self.groups(value, unknown_group),
            "open" | "close" | "idle" => return Vec::new(),
            "delete-group" => return self.deletions(value, unknown_group),
            "associate-address" => return self.associations(value, refusal),
            "allocate-address" | "disassociate-address" | "release-address" => {
                return self.address_changes(verb, value, refusal);
            }
            "set-groups" => return self.set_groups(value, refusal),
            "edit-prefix-list" => return self.prefix_list_edits(value),
            "register-instances" | "deregister-instances" => return self.registrations(verb, value, refusal),
            "attach-interface" => return self.attachments(value),
            "detach-interface" => return self.detachments(value, refusal),
            "source-dest-check" => return self.checks(value, refusal),
            _ => return self.rule_changes(verb, value, unknown_group),
        };
        let mut operations = Vec::new();
        for item in self.some(value, "an instance or a list of instances") {
            let Some(name) = self.operand(item, unknown_instance) else { continue };
            operations.push(Placed { value: simple(name), place: self.place(item.span) });
        }
        operations
    }

    /// The instance of an operation; any name, if the step wants to see it refused as unknown.
    pub fn operand(&mut self, node: &Node, may_be_unknown: bool) -> Option<InstanceName> {
        let word = self.text(node, "the name of an instance")?;
        // A name of another sort is a mistake of whoever writes it, and nothing that EC2 would be asked.
        let other = self.names.sort(word).is_some_and(|sort| sort != Sort::Instance);
        if may_be_unknown && !other && super::names::fault(word).is_none() {
            return Some(InstanceName::new(word));
        }
        self.instance(word, node.span)
    }

    fn launches(&mut self, node: &Node) -> Vec<Placed<Operation>> {
        let mut launches = Vec::new();
        for (key, value) in self.mapping(node, "a mapping of instances") {
            let Some((launch, _)) = self.launch(key, value) else { continue };
            launches.push(Placed { value: Operation::Launch(Box::new(launch)), place: self.place(key.span) });
        }
        launches
    }

    fn set_groups(&mut self, node: &Node, refusal: Option<&str>) -> Vec<Placed<Operation>> {
        let mut operations = Vec::new();
        for (key, value) in self.mapping(node, "a mapping from instances to their groups") {
            let target = self.target(key, refusal);
            let vpc = target.as_ref().and_then(|of| self.world.instances.get(of.instance()).cloned().flatten());
            let groups = self.instance_groups(value, vpc.as_ref());
            let Some(target) = target else { continue };
            if !groups.is_empty() {
                let place = self.place(key.span);
                operations.push(Placed { value: Operation::SetGroups(target, groups), place });
            }
        }
        operations
    }

    fn deletions(&mut self, node: &Node, lenient: bool) -> Vec<Placed<Operation>> {
        let mut operations = Vec::new();
        for item in self.some(node, "a security group or a list of them") {
            let Some(word) = self.text(item, "the name of a security group") else { continue };
            let known = match lenient && self.names.sort(word).is_none() && super::names::fault(word).is_none() {
                true => Some(GroupName::new(word)),
                false => self.group(word, item.span),
            };
            let Some(group) = known else { continue };
            operations.push(Placed { value: Operation::DeleteGroup(group), place: self.place(item.span) });
        }
        operations
    }

    fn rule_changes(&mut self, verb: &str, node: &Node, lenient: bool) -> Vec<Placed<Operation>> {
        let (direction, make): (_, fn(_, _) -> _) = match verb {
            "authorize" => (Direction::Ingress, Operation::AuthorizeIngress),
            "revoke" => (Direction::Ingress, Operation::RevokeIngress),
            "authorize-egress" => (Direction::Egress, Operation::AuthorizeEgress),
            _ => (Direction::Egress, Operation::RevokeEgress),
        };
        let mut operations = Vec::new();
        for (key, value) in self.mapping(node, "a mapping from groups to rules") {
            let group = match self.text(key, "the name of a security group") {
                Some(word) if lenient && self.names.sort(word).is_none() && super::names::fault(word).is_none() => {
                    Some(GroupName::new(word))
                }
                Some(word) => self.group(word, key.span),
                None => None,
            };
            let context = RuleContext { group: group.as_ref(), direction, addresses: true, lenient };
            let rules = self.rules(value, context).into_iter().map(|(rule, _)| rule).collect();
            if matches!(&value.value, Value::Sequence(items) if items.is_empty()) {
                self.report(Draft::new(value.span, format!("`{verb}` names no rule")));
            }
            let Some(group) = group else { continue };
            operations.push(Placed { value: make(group, rules), place: self.place(key.span) });
        }
        operations
    }
}

/// In place of the code that a step expects: a running cloud refuses what it refuses, in EC2's words.
pub(super) const ANY_REFUSAL: &str = "any";

/// Whether what is unknown here is to be refused by EC2, and not by the reader.
pub(super) fn may_be_refused(expected: Option<&str>, code: RefusalCode) -> bool {
    expected.is_some_and(|expected| expected == ANY_REFUSAL || expected == code.as_str())
}

/// A field of a mapping, without a complaint if it is none: for looking ahead.
fn quiet<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Value::Mapping(entries) = &node.value else { return None };
    entries.iter().find(|(k, _)| scalar(k) == Some(key)).map(|(_, value)| value)
}

fn entries(node: &Node) -> &[(Node, Node)] {
    match &node.value {
        Value::Mapping(entries) => entries,
        _ => &[],
    }
}

fn scalar(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar(scalar) => Some(&scalar.text),
        _ => None,
    }
}

fn items(node: &Node) -> &[Node] {
    match &node.value {
        Value::Sequence(items) => items,
        _ => std::slice::from_ref(node),
    }
}
