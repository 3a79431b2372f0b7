//! Words for the ends of lines, and the classes that they mean.

use super::super::cells;
use super::bits::Bits;
use super::classes::ClassId;
use super::judged::Judged;
use crate::model::{Cloud, Endpoint, GroupName, HostName, IcmpMatch, Rule, Service, Traffic, Via};
use crate::topology::write;

/// The word of everybody.
const ANY: &str = "any";

/// A word, or one for each member of a class.
pub struct Selector {
    pub names: Vec<String>,
    pub classes: Vec<ClassId>,
    /// The family of a host of both.
    pub by: Option<Via>,
    /// Its place among the selectors.
    pub place: usize,
    what: What,
}

enum What {
    Any,
    Group(GroupName),
    Ends,
}

/// Those of senders: everybody, groups, hosts, and what stands alone.
pub fn senders(cloud: &Cloud, judged: &Judged) -> Vec<Selector> {
    let everybody = (0..judged.classes.members.len()).collect();
    let any = Selector { names: vec![ANY.to_owned()], classes: everybody, by: None, place: 0, what: What::Any };
    numbered([any].into_iter().chain(of_both_ends(cloud, judged)))
}

/// Those of receivers.
pub fn receivers(cloud: &Cloud, judged: &Judged) -> Vec<Selector> {
    numbered(of_both_ends(cloud, judged).into_iter())
}

fn numbered(all: impl Iterator<Item = Selector>) -> Vec<Selector> {
    all.enumerate().map(|(place, selector)| Selector { place, ..selector }).collect()
}

fn of_both_ends(cloud: &Cloud, judged: &Judged) -> Vec<Selector> {
    let classes = &judged.classes;
    let mut all: Vec<Selector> = cloud.hosts.keys().flat_map(|name| of_host(judged, name)).collect();
    for name in cloud.groups.keys().filter(|name| !write::is_amazons(name)) {
        let is_member = |end: &Endpoint| {
            let interface = end.interface().and_then(|id| cloud.interface(&id));
            interface.is_some_and(|interface| interface.groups.contains(name))
        };
        let members = classes.all_of(is_member);
        if !members.is_empty() {
            let names = vec![name.to_string()];
            all.push(Selector { names, classes: members, by: None, place: 0, what: What::Group(name.clone()) });
        }
    }
    for (id, members) in classes.members.iter().enumerate() {
        if !matches!(members.first(), Some(Endpoint::Host(..)) | None) {
            let names = members.iter().map(ToString::to_string).collect();
            all.push(Selector { names, classes: vec![id], by: None, place: 0, what: What::Ends });
        }
    }
    all
}

/// A host by all its addresses, and by those of each family where it has both.
fn of_host(judged: &Judged, name: &HostName) -> Vec<Selector> {
    let of_family = |family: Option<Via>| {
        judged.classes.all_of(|end| {
            matches!(end, Endpoint::Host(own, _) if own == name)
                && family.is_none_or(|it| cells::via_of(end) == Some(it))
        })
    };
    let selector = |by: Option<Via>| {
        let names = vec![name.to_string()];
        Selector { names, classes: of_family(by), by, place: 0, what: What::Ends }
    };
    let families = [Via::Public, Via::Ipv6].map(|by| selector(Some(by)));
    let has_both = families.iter().all(|own| !own.classes.is_empty());
    [selector(None)].into_iter().chain(families.into_iter().filter(|_| has_both)).collect()
}

impl Selector {
    /// Returns true for a group, whose members send to each other.
    pub fn is_group(&self) -> bool {
        matches!(self.what, What::Group(_))
    }

    /// Returns true if a rule of the receivers names the senders for this service.
    pub fn is_peer(&self, cloud: &Cloud, to: &Self, service: Service) -> bool {
        let What::Group(receiver) = &to.what else { return false };
        let Some(group) = cloud.groups.get(receiver) else { return false };
        group.ingress.iter().any(|rule| {
            let is_named = match &self.what {
                What::Any => rule.peer.block().is_some_and(|block| block.prefix_len() == 0),
                What::Group(own) => rule.peer.group() == Some(own),
                What::Ends => false,
            };
            is_named && is_for(rule, service)
        })
    }

    /// Returns false for `any` where it would promise more than was asked: it means strangers too. Where none of them can ask, a rule for anywhere
    /// has to say so.
    pub fn may_say(&self, cloud: &Cloud, to: &Self, judged: &Judged, columns: &Bits) -> bool {
        let is_host = |class: &ClassId| matches!(judged.classes.members[*class].first(), Some(Endpoint::Host(..)));
        if !matches!(self.what, What::Any) || cloud.hosts.is_empty() || to.classes.iter().all(is_host) {
            return true;
        }
        let strangers: Vec<ClassId> = self.classes.iter().copied().filter(is_host).collect();
        let ask = |to: &ClassId| strangers.iter().any(|from| judged.between(*from, *to).is_some());
        to.classes.iter().all(ask) || columns.iter().all(|column| self.is_peer(cloud, to, judged.columns[column]))
    }
}

/// Tells whether a rule is for a service, to choose words: what it comes to is judged.
fn is_for(rule: &Rule, service: Service) -> bool {
    match (rule.traffic, service) {
        (Traffic::All, _) => true,
        (Traffic::Tcp(ports), Service::Tcp(port)) | (Traffic::Udp(ports), Service::Udp(port)) => ports.contains(port),
        (Traffic::Protocol(number), Service::Protocol(own)) => number == own,
        (Traffic::Icmp(IcmpMatch::All) | Traffic::Icmpv6(IcmpMatch::All), Service::IcmpEcho | Service::Icmp(_)) => true,
        _ => false,
    }
}
