//! The steps: what each does, in EC2's verbs, and what must hold then.

use std::collections::HashMap;

use super::names::Sort;
use super::refused::Refused;
use super::resolver::Resolver;
use super::rules::RuleContext;
use crate::model::{Direction, Era, GroupName, InstanceName, Operation, Permission, RefusalCode};
use crate::topology::document::groups::Group;
use crate::topology::document::instances::Instance;
use crate::topology::document::scenario::{Operations, RulesOfGroups, Step as StepSaid, Verb};
use crate::topology::document::shape::{Entry, Field, Many, Map, Node, One, Span, Tagged, Value, Word};
use crate::topology::document::values::Choice;
use crate::topology::document::words::{Holder, Name};
use crate::topology::placed::Placed;
use crate::topology::problem::{Draft, quote};
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
                match verb {
                    Verb::Terminate(names) => names.items.iter().for_each(|name| self.names.terminate(name.text())),
                    Verb::AllocateAddress(names) => {
                        let again = |name: &Word| last && self.declared(Some(name), Sort::ElasticIp).is_some();
                        let new: Vec<_> = names.items.iter().filter(|name| !again(name)).collect();
                        new.into_iter().for_each(|name| self.declare(name, Sort::ElasticIp, eras));
                    }
                    Verb::Launch(map) => {
                        map.entries.iter().for_each(|entry| self.declare_key(entry, Sort::Instance, eras));
                    }
                    Verb::CreateGroup(map) => self.declare_groups(map, eras, last),
                    _ => {}
                }
            }
            // What a verb that is none may have been meant to make.
            operation.at.unknown.iter().for_each(|named| self.note_unread(named));
        }
    }

    fn declare_groups(&mut self, map: &Map<Name<GroupName>, Group>, eras: &[Era], again: bool) {
        for entry in &map.entries {
            if !again || self.declared(entry.key.as_deref(), Sort::Group).is_none() {
                self.declare_key(entry, Sort::Group, eras);
            }
        }
    }

    /// The steps of the scenario.
    pub fn steps(&mut self, said: &[StepSaid]) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut names: HashMap<String, Span> = HashMap::new();
        for step in said {
            if !step.step.is_there() {
                let draft = Draft::new(step.at.span, "the step has no name");
                self.missing(&step.at, draft.help("it begins with `- step: what is shown`"));
            }
            if let Some(name) = step.step.get() {
                match names.get(name.text()) {
                    Some(first) => {
                        let draft = Draft::new(name.span, format!("a step is called {} already", quote(name.text())));
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
            let draft = Draft::new(said.at.span, "the step does nothing and expects nothing");
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
                self.report(Draft::new(*span, format!("the era {value} is listed already")));
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
            let before = self.cloud.now.clone();
            let mut read = Vec::new();
            self.refused = expected;
            for (_, verb) in &entry.all {
                match verb {
                    Verb::Open(flows) => actions.extend(self.openings(flows)),
                    Verb::Idle(names) => actions.extend(self.connections(names).into_iter().map(Action::Idle)),
                    Verb::Close(names) => actions.extend(self.connections(names).into_iter().map(Action::Close)),
                    verb => read.extend(self.operation(verb)),
                }
            }
            self.refused = Refused::No;
            self.refuse_no_operation(entry);
            if expected != Refused::No {
                // What is refused makes and ends nothing.
                self.cloud.now = before;
            } else {
                read.iter().for_each(|operation| self.cloud.now.apply(&operation.value, in_all_eras));
            }
            if !read.is_empty() {
                actions.push(Action::Call(read));
            }
        }
        actions
    }

    fn refuse_no_operation(&mut self, entry: &One<Verb>) {
        if entry.at.keys == 0 {
            self.report(Draft::new(entry.at.span, "an operation is missing").help("such as `stop: web1`"));
        }
    }

    fn operation(&mut self, verb: &Verb) -> Vec<Placed<Operation>> {
        let unknown_group = self.refused.may_be(RefusalCode::InvalidGroupNotFound);
        let (names, simple): (_, fn(InstanceName) -> Operation) = match verb {
            Verb::Stop(names) => (names, Operation::Stop),
            Verb::Start(names) => (names, Operation::Start),
            Verb::Reboot(names) => (names, Operation::Reboot),
            Verb::Crash(names) => (names, Operation::Crash),
            Verb::Terminate(names) => (names, Operation::Terminate),
            Verb::Launch(map) => return self.launches(map),
            Verb::CreateGroup(map) => return self.groups(map, unknown_group),
            Verb::DeleteGroup(names) => return self.deletions(names),
            Verb::AllocateAddress(names) => return self.allocations(names),
            Verb::AssociateAddress(map) => return self.associations(map),
            Verb::DisassociateAddress(names) => {
                return self.address_changes(Operation::DisassociateAddress, names);
            }
            Verb::ReleaseAddress(names) => return self.address_changes(Operation::ReleaseAddress, names),
            Verb::SetGroups(map) => return self.set_groups(map),
            Verb::EditPrefixList(map) => return self.prefix_list_edits(map),
            Verb::RegisterInstances(map) => return self.registrations(map),
            Verb::DeregisterInstances(map) => return self.deregistrations(map),
            Verb::AttachInterface(map) => return self.attachments(map),
            Verb::DetachInterface(names) => return self.detachments(names),
            Verb::SourceDestCheck(map) => return self.checks(map),
            Verb::Authorize(map) => {
                return self.rule_changes(map, (verb, Operation::AuthorizeIngress), unknown_group);
            }
            Verb::Revoke(map) => {
                return self.rule_changes(map, (verb, Operation::RevokeIngress), unknown_group);
            }
            Verb::AuthorizeEgress(map) => {
                return self.rule_changes(map, (verb, Operation::AuthorizeEgress), unknown_group);
            }
            Verb::RevokeEgress(map) => {
                return self.rule_changes(map, (verb, Operation::RevokeEgress), unknown_group);
            }
            Verb::Open(_) | Verb::Close(_) | Verb::Idle(_) => return Vec::new(),
        };
        let unknown_instance = self.refused.may_be(RefusalCode::InvalidInstanceIdNotFound);
        let mut operations = Vec::new();
        for item in &names.items {
            let Some(name) = self.operand(item, unknown_instance) else { continue };
            operations.push(Placed { value: simple(name), place: self.place(item.span) });
        }
        operations
    }

    /// The instance of an operation; any name, if the step wants to see it refused as unknown.
    pub fn operand(&mut self, said: &Word, may_be_unknown: bool) -> Option<InstanceName> {
        let word = said.text();
        // A name of another sort is a mistake of whoever writes it, and nothing that EC2 would be asked.
        let other = self.names.sort(word).is_some_and(|sort| sort != Sort::Instance);
        if may_be_unknown && !other && super::names::fault(word).is_none() {
            return Some(InstanceName::new(word));
        }
        self.instance(word, said.span)
    }

    fn launches(&mut self, said: &Map<Name<InstanceName>, Instance>) -> Vec<Placed<Operation>> {
        let mut launches = Vec::new();
        for entry in &said.entries {
            let Some((launch, _)) = self.launch(entry) else { continue };
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

    fn deletions(&mut self, said: &Many<Name<GroupName>>) -> Vec<Placed<Operation>> {
        let mut operations = Vec::new();
        for item in &said.items {
            let Some(group) = self.group_or_refused(item.text(), item.span) else { continue };
            operations.push(Placed { value: Operation::DeleteGroup(group), place: self.place(item.span) });
        }
        operations
    }

    fn rule_changes(
        &mut self,
        said: &RulesOfGroups,
        (verb, make): (&Verb, ChangeRules),
        lenient: bool,
    ) -> Vec<Placed<Operation>> {
        let mut operations = Vec::new();
        let direction = match verb {
            Verb::AuthorizeEgress(_) | Verb::RevokeEgress(_) => Direction::Egress,
            _ => Direction::Ingress,
        };
        for Entry { key, at, value } in &said.entries {
            let group = key.as_deref().and_then(|key| self.group_or_refused(key.text(), key.span));
            let context = RuleContext { group: group.as_ref(), direction, addresses: true, lenient };
            let rules = value.as_ref().map_or_else(Vec::new, |rules| self.rules(rules, context));
            if let Some(list) = value.as_ref().filter(|list| list.items.is_empty() && !list.unread) {
                self.report(Draft::new(list.span, format!("`{}` names no rule", verb.key())));
            }
            let Some(group) = group else { continue };
            let rules = rules.into_iter().map(|(rule, _)| rule).collect();
            operations.push(Placed { value: make(group, rules), place: self.place(*at) });
        }
        operations
    }
}
