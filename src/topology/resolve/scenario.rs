//! The steps: what each does, in EC2's verbs, and what must hold then.

use std::collections::HashMap;

use super::names::EntityKind;
use super::peers::RuleContext;
use super::resolver::Resolver;
use super::secondary::Claims;
use super::standing::Refused;
use crate::model::{Direction, Era, GroupName, InstanceName, Operation, Permission, RefusalCode};
use crate::topology::document::groups::Group;
use crate::topology::document::instances::Instance;
use crate::topology::document::scenario::{Operations, RulesOfGroups, Said, Step as StepSaid, Verb};
use crate::topology::document::shape::{Entry, Field, Many, Map, Node, One, Span, SpannedText, Tagged, Value};
use crate::topology::document::values::Choice;
use crate::topology::document::words::{Holder, Name};
use crate::topology::placed::Placed;
use crate::topology::problem::{Diagnostic, quote};
use crate::topology::steps::{Action, Step};

/// An operation on the rules of a group.
type ChangeRules = fn(GroupName, Vec<Permission>) -> Operation;

impl Resolver<'_> {
    /// The names that steps will make; before anything is read, since names are one namespace over the whole file.
    pub fn declare_later(&mut self, steps: &[StepSaid]) {
        for step in steps {
            let eras = step.eras.get().map_or(&[][..], |eras| &eras.items);
            let eras: Vec<Era> = eras.iter().map(|era| era.value).collect();
            if let Some(operations) = step.r#do.get() {
                self.declare_made(operations, &eras, Refused::of(step));
            }
            let inside = |node: &Node| match &node.value {
                Value::Sequence(items) => items.clone(),
                _ => vec![node.clone()],
            };
            for node in step.at.unknown.iter().flat_map(inside) {
                let Value::Mapping(entries) = &node.value else { continue };
                entries.iter().for_each(|(_, named)| self.note_unread(named));
            }
        }
    }

    /// The names that operations will make.
    pub fn declare_made(&mut self, operations: &Operations, eras: &[Era], refused: Refused) {
        for (index, operation) in operations.items.iter().enumerate() {
            // To make a group twice is how one sees `InvalidGroup.Duplicate`.
            let last = refused != Refused::No && index + 1 == operations.items.len();
            for (_, verb) in &operation.all {
                match verb.said() {
                    Said::Terminated(names) => {
                        names.items.iter().for_each(|name| self.names.end(name.text(), EntityKind::Instance));
                    }
                    Said::Deleted(names) if !last => {
                        names.items.iter().for_each(|name| self.names.end(name.text(), EntityKind::Group));
                    }
                    Said::Released(names) if !last => {
                        names.items.iter().for_each(|name| self.names.end(name.text(), EntityKind::ElasticIp));
                    }
                    Said::NewAddresses(names) => {
                        let again =
                            |name: &SpannedText| last && self.declared(Some(name), EntityKind::ElasticIp).is_some();
                        let new: Vec<_> = names.items.iter().filter(|name| !again(name)).collect();
                        new.into_iter().for_each(|name| self.declare(name, EntityKind::ElasticIp, eras));
                    }
                    Said::Launches(map) => {
                        map.entries.iter().for_each(|entry| self.declare_key(entry, EntityKind::Instance, eras));
                    }
                    Said::NewGroups(map) => self.declare_groups(map, eras, last),
                    Said::Instances(..)
                    | Said::Deleted(_)
                    | Said::Addresses(..)
                    | Said::Released(_)
                    | Said::Rules(..)
                    | Said::Associations(_)
                    | Said::Members(_)
                    | Said::NewInterfaces(_)
                    | Said::Interfaces(_)
                    | Said::Checks(_)
                    | Said::PrefixLists(_)
                    | Said::Registered(_)
                    | Said::Deregistered(_)
                    | Said::Open(_)
                    | Said::Close(_)
                    | Said::Idle(_) => {}
                }
            }
            // What a verb that is none may have been meant to make.
            operation.at.unknown.iter().for_each(|named| self.note_unread(named));
        }
    }

    fn declare_groups(&mut self, map: &Map<Name<GroupName>, Group>, eras: &[Era], again: bool) {
        for entry in &map.entries {
            if !again || self.declared(entry.key.as_deref(), EntityKind::Group).is_none() {
                self.declare_key(entry, EntityKind::Group, eras);
            }
        }
    }

    /// The steps of the scenario.
    pub fn steps(&mut self, said: &[StepSaid]) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut names: HashMap<String, Span> = HashMap::new();
        for step in said {
            if !step.step.is_there() {
                let draft = Diagnostic::new(step.at.span, "the step has no name");
                self.missing(&step.at, draft.help("it begins with `- step: what is shown`"));
            }
            if let Some(name) = step.step.get() {
                match names.get(name.text()) {
                    Some(first) => {
                        let draft =
                            Diagnostic::new(name.span, format!("a step is called {} already", quote(name.text())));
                        self.report(draft.related("here", *first));
                    }
                    None => {
                        names.insert(name.text().to_owned(), name.span);
                    }
                }
            }
            steps.extend(self.step(step));
        }
        steps
    }

    /// Refuses steps that no era of the file takes: what they expect would hold by never being asked.
    pub fn refuse_idle_steps(&mut self, of_file: &Field<Many<Choice<Era>>>, steps: &[StepSaid]) {
        // What could not be read may be the era of the step.
        let Some(of_file) = of_file.get().filter(|eras| !eras.unread && !eras.items.is_empty()) else { return };
        for said in steps.iter().filter_map(|step| step.eras.get()).filter(|eras| !eras.unread) {
            let Some(first) = said.items.first() else { continue };
            if said.items.iter().any(|era| of_file.items.iter().any(|it| it.value == era.value)) {
                continue;
            }
            let of_file: Vec<String> = of_file.items.iter().map(|era| era.value.to_string()).collect();
            let draft = Diagnostic::new(first.span, "the step never runs: the file has none of its eras");
            self.report(draft.help(format!("`era` of the file is {}", of_file.join(" and "))));
        }
    }

    fn step(&mut self, said: &StepSaid) -> Option<Step> {
        let eras = self.era_list(&said.eras);
        let note = said.note.get().map(|note| note.text().to_owned());
        // What flows meanwhile is there before.
        let during = said.during.get().map_or_else(Vec::new, |flows| self.during(flows));
        let actions = said.r#do.get().map_or_else(Vec::new, |it| self.actions(it, &eras, Refused::of(said)));
        let (does, expect) = (said.r#do.is_there(), said.expect.get());
        let none = expect.and_then(|expect| expect.leak.get().or_else(|| expect.loss.get()));
        let key = expect.and_then(|expect| expect.leak.key.or(expect.loss.key));
        self.refuse_idle_traffic(said.during.key, none.map(|none| none.span).or(key), does);
        let expectations = expect.map_or_else(Vec::new, |expect| self.expectations(expect, does));
        if !does && !said.expect.is_there() {
            let draft = Diagnostic::new(said.at.span, "the step does nothing and expects nothing");
            self.missing(&said.at, draft.help("`do:` or `expect:`"));
        }
        let name = said.step.get()?;
        let place = self.place(name.span);
        Some(Step { name: name.text().to_owned(), place, eras, actions, during, expectations, note })
    }

    /// One era or several, each once.
    pub fn era_list(&mut self, said: &Field<Many<Choice<Era>>>) -> Vec<Era> {
        let mut eras = Vec::new();
        for Choice { value, span } in said.get().into_iter().flat_map(|list| &list.items) {
            if eras.contains(value) {
                self.report(Diagnostic::new(*span, format!("the era {value} is listed already")));
            } else {
                eras.push(*value);
            }
        }
        eras
    }

    pub(super) fn actions(&mut self, said: &Operations, eras: &[Era], refused: Refused) -> Vec<Action> {
        let in_all_eras = eras.is_empty();
        let mut actions = Vec::new();
        for (index, entry) in said.items.iter().enumerate() {
            let last = index + 1 == said.items.len();
            let expected = if last { refused } else { Refused::No };
            // What is refused makes and ends nothing.
            let before = (expected != Refused::No).then(|| self.cloud.now.clone());
            let mut read = Vec::new();
            self.refused = expected;
            for (_, verb) in &entry.all {
                match verb.said() {
                    Said::Open(flows) => actions.extend(self.openings(flows)),
                    Said::Idle(names) => actions.extend(self.connections(names).into_iter().map(Action::Idle)),
                    Said::Close(names) => actions.extend(self.connections(names).into_iter().map(Action::Close)),
                    said => read.extend(self.operations(verb.key(), said)),
                }
            }
            self.refused = Refused::No;
            self.refuse_no_operation(entry);
            match before {
                Some(before) => self.cloud.now = before,
                None => read.iter().for_each(|operation| self.cloud.now.apply(&operation.value, in_all_eras)),
            }
            if !read.is_empty() {
                actions.push(Action::Call(read));
            }
        }
        actions
    }

    fn refuse_no_operation(&mut self, entry: &One<Verb>) {
        if entry.at.keys == 0 {
            self.report(Diagnostic::new(entry.at.span, "an operation is missing").help("such as `stop: web1`"));
        }
    }

    pub fn operations(&mut self, verb: &str, said: Said<'_>) -> Vec<Placed<Operation>> {
        let unknown_group = self.refused.may_be(RefusalCode::InvalidGroupNotFound);
        match said {
            Said::Instances(names, make) => self.of_instances(names, make),
            Said::Terminated(names) => self.of_instances(names, Operation::Terminate),
            Said::Deleted(names) => {
                self.each(names, Operation::DeleteGroup, |own, item| own.group_or_refused(item.text(), item.span))
            }
            Said::Addresses(names, make) => self.each(names, make, Self::elastic_ip),
            Said::Released(names) => self.each(names, Operation::ReleaseAddress, Self::elastic_ip),
            Said::Rules(map, direction, make) => self.rule_changes(map, (verb, direction, make), unknown_group),
            Said::Launches(map) => self.launches(map),
            Said::NewGroups(map) => self.groups(map, unknown_group),
            Said::NewAddresses(names) => self.allocations(names),
            Said::Associations(map) => self.associations(map),
            Said::Members(map) => self.set_groups(map),
            Said::PrefixLists(map) => self.prefix_list_edits(map),
            Said::Registered(map) => self.registrations(map),
            Said::Deregistered(map) => self.deregistrations(map),
            Said::NewInterfaces(map) => self.attachments(map),
            Said::Interfaces(names) => self.detachments(names),
            Said::Checks(map) => self.checks(map),
            Said::Open(_) | Said::Close(_) | Said::Idle(_) => Vec::new(),
        }
    }

    fn of_instances(
        &mut self,
        said: &Many<Name<InstanceName>>,
        make: fn(InstanceName) -> Operation,
    ) -> Vec<Placed<Operation>> {
        let unknown = self.refused.may_be(RefusalCode::InvalidInstanceIdNotFound);
        self.each(said, make, |own, item| own.operand(item, unknown))
    }

    /// An operation on each of several names.
    fn each<N, T>(
        &mut self,
        said: &Many<Name<N>>,
        make: fn(T) -> Operation,
        read: impl Fn(&mut Self, &SpannedText) -> Option<T>,
    ) -> Vec<Placed<Operation>> {
        let mut operations = Vec::new();
        for item in &said.items {
            let Some(name) = read(self, item) else { continue };
            operations.push(Placed { value: make(name), place: self.place(item.span) });
        }
        operations
    }

    /// The instance of an operation; any name, if the step wants to see it refused as unknown.
    pub fn operand(&mut self, said: &SpannedText, may_be_unknown: bool) -> Option<InstanceName> {
        let word = said.text();
        // A name of another sort is a mistake of whoever writes it, and nothing that EC2 would be asked.
        let other = self.names.sort(word).is_some_and(|sort| sort != EntityKind::Instance);
        if may_be_unknown && !other && super::names::fault(word).is_none() {
            return Some(InstanceName::new(word));
        }
        self.instance(word, said.span)
    }

    fn launches(&mut self, said: &Map<Name<InstanceName>, Instance>) -> Vec<Placed<Operation>> {
        let mut launches = Vec::new();
        for entry in &said.entries {
            let Some((launch, _)) = self.launch(entry) else { continue };
            if let Some(said) = &entry.value {
                self.claim(&mut Claims::default(), said);
            }
            launches.push(Placed { value: Operation::Launch(Box::new(launch)), place: self.place(entry.at) });
        }
        launches
    }

    fn set_groups(&mut self, said: &Map<Holder, Many<Name<GroupName>>>) -> Vec<Placed<Operation>> {
        let mut operations = Vec::new();
        for Entry { key, at, value } in &said.entries {
            let target = key.as_ref().and_then(|key| self.target(key));
            let vpc = target.as_ref().and_then(|of| self.cloud.now.instances.get(of.instance()).cloned().flatten());
            let groups = value.as_ref().map(|groups| self.instance_groups(groups, vpc.as_ref())).unwrap_or_default();
            let Some(target) = target else { continue };
            if !groups.is_empty() {
                let place = self.place(*at);
                operations.push(Placed { value: Operation::SetGroups(target, groups), place });
            }
        }
        operations
    }

    fn rule_changes(
        &mut self,
        said: &RulesOfGroups,
        (verb, direction, make): (&str, Direction, ChangeRules),
        lenient: bool,
    ) -> Vec<Placed<Operation>> {
        let mut operations = Vec::new();
        for Entry { key, at, value } in &said.entries {
            let group = key.as_deref().and_then(|key| self.group_or_refused(key.text(), key.span));
            let context = RuleContext { group: group.as_ref(), direction, addresses: true, lenient };
            let rules = value.as_ref().map_or_else(Vec::new, |rules| self.rules(rules, context));
            if let Some(list) = value.as_ref().filter(|list| list.items.is_empty() && !list.unread) {
                self.report(Diagnostic::new(list.span, format!("`{verb}` names no rule")));
            }
            let Some(group) = group else { continue };
            let rules = rules.into_iter().map(|(rule, _)| rule).collect();
            operations.push(Placed { value: make(group, rules), place: self.place(*at) });
        }
        operations
    }
}
