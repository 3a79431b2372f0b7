//! The picture of an account.

use std::collections::{HashMap, HashSet};

use indexmap::{IndexMap, IndexSet};

use super::picture::{Arrow, ArrowKind, BoxKind, Member, MemberState, NodeBox, Picture, natural};
use super::sparse::sparse;
use crate::account::{Account, Holder, Interface, ResourceId};
use crate::reach::{Certainty, Passage, Way, admitted};

impl Picture {
    /// Makes the picture of an account.
    pub fn new(account: &Account) -> Self {
        let passages = admitted(account);
        let mut making = Making::new(account);
        passages.iter().for_each(|passage| making.add(passage));
        sparse(making.picture())
    }
}

struct Making<'a> {
    account: &'a Account,
    boxes: IndexMap<(BoxKind, String), NodeBox>,
    arrows: IndexMap<(usize, usize, ArrowKind), IndexSet<String>>,
    unknown: usize,
    /// Boxes with members of a group, by the group's short name.
    of_group: HashMap<String, IndexSet<usize>>,
    /// The box of an interface, by its short name.
    of_member: HashMap<String, usize>,
    /// Short names of groups.
    labels: HashSet<&'a str>,
}

impl<'a> Making<'a> {
    fn new(account: &'a Account) -> Self {
        let mut making = Self {
            account,
            boxes: IndexMap::new(),
            arrows: IndexMap::new(),
            unknown: 0,
            of_group: HashMap::new(),
            of_member: HashMap::new(),
            labels: account.groups.values().map(|group| group.label.as_str()).collect(),
        };
        let mut sizes: HashMap<&ResourceId, usize> = HashMap::new();
        for interface in account.interfaces.values() {
            groups(interface).for_each(|id| *sizes.entry(id).or_default() += 1);
        }
        let mut ruled: HashSet<&ResourceId> = HashSet::new();
        for (id, group) in &account.groups {
            let rules = || group.all_rules();
            ruled.extend((!group.ingress.is_empty()).then_some(id));
            ruled.extend(rules().filter_map(|rule| rule.peer.group()));
        }
        for interface in account.interfaces.values() {
            making.place(interface, &sizes, &ruled);
        }
        making
    }

    /// Puts an interface into the box of its groups: those that rules are about, for the others change nothing.
    fn place(&mut self, interface: &'a Interface, sizes: &HashMap<&ResourceId, usize>, ruled: &HashSet<&ResourceId>) {
        let mut own: Vec<&'a ResourceId> = groups(interface).filter(|id| ruled.contains(id)).collect();
        if own.is_empty() {
            own = groups(interface).collect();
        }
        // The smallest says most: a group that everybody is in says nothing.
        own.sort_by_key(|id| sizes.get(id).copied());
        let titles: Vec<&str> = own.iter().map(|id| self.label(id)).collect();
        let title = if titles.is_empty() { "no group".to_owned() } else { titles.join(" + ") };
        let kind = if interface.holder == Holder::LoadBalancer { BoxKind::LoadBalancers } else { BoxKind::Members };
        let labels: Vec<&str> = groups(interface).map(|id| self.label(id)).collect();
        let others = labels.iter().filter(|label| !titles.contains(*label)).map(|label| (*label).to_owned()).collect();
        let index = self.a_box(kind, &title);
        let is_stopped = interface.holder == Holder::StoppedInstance;
        let state = if is_stopped { MemberState::Stopped } else { MemberState::Running };
        self.boxes[index].members.push(Member { name: interface.label.clone(), others, detail: None, state });
        self.of_member.insert(interface.label.clone(), index);
        for label in labels {
            self.of_group.entry(label.to_owned()).or_default().insert(index);
        }
    }

    fn label(&self, id: &'a ResourceId) -> &'a str {
        self.account.groups.get(id).map_or(id.as_str(), |group| &group.label)
    }

    fn a_box(&mut self, kind: BoxKind, title: &str) -> usize {
        let key = (kind, title.to_owned());
        let made = || NodeBox {
            title: title.to_owned(),
            kind,
            members: Vec::new(),
            outward: Vec::new(),
            inward: Vec::new(),
            reaching: Vec::new(),
        };
        let entry = self.boxes.entry(key);
        let index = entry.index();
        entry.or_insert_with(made);
        index
    }

    /// Boxes with members of these groups; an empty one of this title where there is none.
    fn of_groups(&mut self, labels: &[&str], title: &str) -> Vec<usize> {
        let all: IndexSet<usize> =
            labels.iter().filter_map(|label| self.of_group.get(*label)).flatten().copied().collect();
        if !all.is_empty() {
            return all.into_iter().collect();
        }
        vec![self.a_box(BoxKind::Empty, title)]
    }

    fn senders(&mut self, passage: &Passage) -> Vec<usize> {
        self.of_groups(&passage.senders_groups(), &passage.from)
    }

    fn receivers(&mut self, passage: &Passage) -> Vec<usize> {
        let all: IndexSet<usize> =
            passage.members.iter().filter_map(|label| self.of_member.get(label)).copied().collect();
        if all.is_empty() { self.of_groups(&[&passage.to], &passage.to) } else { all.into_iter().collect() }
    }

    fn add(&mut self, passage: &Passage) {
        let traffic = passage.traffic.strip_prefix("tcp ").unwrap_or(&passage.traffic);
        let (kind, traffic) = match passage.certainty {
            Certainty::Known => (ArrowKind::Open, traffic.to_owned()),
            Certainty::Unknown(_) => (ArrowKind::Perhaps, format!("? {traffic}")),
        };
        self.unknown += usize::from(kind == ArrowKind::Perhaps);
        let (from, to) = match passage.way {
            Way::ToOutside => {
                let line = format!("{traffic} to {}", passage.to);
                for index in self.senders(passage) {
                    let outward = &mut self.boxes[index].outward;
                    if !outward.contains(&line) {
                        outward.push(line.clone());
                    }
                }
                return;
            }
            Way::FromOutside => (vec![self.a_box(BoxKind::Outside, &passage.from)], self.receivers(passage)),
            Way::Inside if passage.senders_groups().iter().any(|label| self.labels.contains(label)) => {
                (self.senders(passage), self.receivers(passage))
            }
            // A block of the VPC: somebody there, in whatever group.
            Way::Inside => (vec![self.a_box(BoxKind::Outside, &passage.from)], self.receivers(passage)),
        };
        for &from in &from {
            for &to in &to {
                self.arrows.entry((from, to, kind)).or_default().insert(traffic.clone());
            }
        }
    }

    fn picture(self) -> Picture {
        let arrows = self.arrows.into_iter().map(|((from, to, kind), traffic)| Arrow {
            from,
            to,
            kind,
            traffic: traffic.into_iter().collect(),
        });
        let arrows = arrows.collect();
        let mut boxes: Vec<NodeBox> = self.boxes.into_values().collect();
        for one in &mut boxes {
            one.members.sort_by_cached_key(|member| natural(&member.name));
        }
        Picture { boxes, arrows, told: Vec::new(), unknown: self.unknown }
    }
}

fn groups(interface: &Interface) -> impl Iterator<Item = &ResourceId> {
    interface.groups.known().into_iter().flatten()
}
