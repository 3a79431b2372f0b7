//! Flows that no cloud of a file ever has a way for: the scheme of a load balancer and the families of addresses never change.

use std::net::IpAddr;

use super::names::EntityKind;
use super::resolver::Resolver;
use crate::model::{Attachment, AutomaticPublic, HostIp, InterfaceHolder, Via, VpcName};
use crate::topology::outside_name::OutsideName;
use crate::topology::patterns::{FlowPattern, Selector};
use crate::topology::problem::{Diagnostic, Span, quote};

impl Resolver<'_> {
    /// Finds the reason why a flow, or one way of it, never selects a cell. `table` is the address that a table says.
    pub fn no_way(&self, pattern: &FlowPattern, table: Option<Via>, span: Span) -> Option<Diagnostic> {
        let said = match &pattern.from {
            Selector::Forged(_, source) if source.is_ipv6() => Some(Via::Ipv6),
            _ => pattern.via,
        };
        let there = self.no_way_there(&pattern.from, &pattern.to, said, table, span);
        let back = || self.no_way_there(&pattern.to, &pattern.from, pattern.via, table, span);
        there.or_else(|| pattern.both_ways.then(back).flatten())
    }

    fn no_way_there(
        &self,
        from: &Selector,
        to: &Selector,
        asked: Option<Via>,
        table: Option<Via>,
        span: Span,
    ) -> Option<Diagnostic> {
        match (from, to) {
            (from, to) if from.is_host() && to.is_host() => None,
            (from, to)
                if from.is_host()
                    && self.is_internal(to)
                    && !asked.is_some_and(|asked| asked == Via::Dns || asked.is_ipv6())
                    && self.families(from).contains(&Via::Public) =>
            {
                let help = "`by dns name` a host is told its private address, and finds nobody there";
                Some(self.no_public(to, span).help(help))
            }
            _ if from.is_host() || to.is_host() => {
                let (host, other) = if from.is_host() { (from, to) } else { (to, from) };
                let vias: Vec<Via> = self.families(host).into_iter().filter(|via| goes(asked, *via)).collect();
                match (vias.as_slice(), asked) {
                    ([], Some(asked)) if asked.is_ipv6() => self.no_ipv6(host, span),
                    ([], Some(Via::Private)) => {
                        let what = format!("{} is outside, and has no private address", quote(&name(host)));
                        Some(Diagnostic::new(span, what).help("leave `by private address` out"))
                    }
                    ([], Some(_)) if !self.families(host).is_empty() => {
                        let draft = Diagnostic::new(span, format!("{} has no IPv4 address", quote(&name(host))));
                        Some(draft.help("what it sends goes by IPv6 address"))
                    }
                    ([Via::Ipv6], _) => self.no_ipv6(other, span),
                    _ => None,
                }
            }
            _ => match asked.or(table) {
                Some(Via::Public) if self.is_internal(to) => {
                    let help = match asked {
                        Some(_) => "leave `by public address` out",
                        None => "the table is by public address: write `by private address` after the port",
                    };
                    Some(self.no_public(to, span).help(help))
                }
                Some(Via::Ipv6 | Via::Secondary(IpAddr::V6(_))) => {
                    self.no_ipv6(from, span).or_else(|| self.no_ipv6(to, span))
                }
                Some(Via::Private | Via::Secondary(IpAddr::V4(_))) => self.no_private_path(from, to, span),
                None if !self.is_public_balancer(to) => self.no_private_path(from, to, span),
                _ => None,
            },
        }
    }

    /// Finds the reason why a flow never selects a cell, if its receivers never have the public address that it goes to. Launches and
    /// associations are known at the end of a file only.
    pub fn no_public_ever(&self, pattern: &FlowPattern, span: Span) -> Option<Diagnostic> {
        let by_public = |from: &Selector, to: &Selector| match (from, pattern.via) {
            (host, None) if host.is_host() => {
                let families = self.families(from);
                families.contains(&Via::Public) && (families == [Via::Public] || self.no_ipv6(to, span).is_some())
            }
            // Whoever is inside goes by private address.
            (Selector::Any, None) => self.is_alone() && self.no_ipv6(to, span).is_some(),
            (_, via) => matches!(via, Some(Via::Public | Via::Dns)),
        };
        let no_way = |from: &Selector, to: &Selector| by_public(from, to) && self.never_public(to);
        let FlowPattern { from, to, .. } = pattern;
        if self.names.doubts.incomplete
            || self.names.doubts.publics
            || !no_way(from, to)
            || pattern.both_ways && !no_way(to, from)
        {
            return None;
        }
        let (message, help) = match to {
            Selector::Group(group) => {
                (format!("no member of {} ever has a public address", quote(group.as_str())), "none gets an Elastic IP")
            }
            Selector::Instance(_) => (
                format!("{} never has a public address", quote(&name(to))),
                "it is launched without one (`public: no`) and gets no Elastic IP: leave that out, or `associate-address`",
            ),
            _ => (
                format!("{} never has a public address", quote(&name(to))),
                "a further interface has one by an Elastic IP only",
            ),
        };
        Some(Diagnostic::new(span, message).help(help))
    }

    /// Finds the reason why a flow by IPv6 never selects a cell, if one of its ends never has such an address.
    pub fn no_ipv6_ever(&self, pattern: &FlowPattern, span: Span) -> Option<Diagnostic> {
        let FlowPattern { from, to, via, .. } = pattern;
        let is_only_ipv6 = |end: &Selector| match end {
            Selector::Forged(_, source) => source.is_ipv6(),
            host => self.families(host) == [Via::Ipv6],
        };
        let by_ipv6 = via.is_some_and(Via::is_ipv6) || via.is_none() && [from, to].into_iter().any(is_only_ipv6);
        let id = |end: &Selector| match end {
            Selector::Instance(name) => Some(Attachment::first_of(name)),
            Selector::Interface(id) | Selector::Forged(id, _) => Some(id.clone()),
            Selector::Group(_)
            | Selector::LoadBalancer(_)
            | Selector::Any
            | Selector::Host(_)
            | Selector::HostAddress(..)
            | Selector::HostNumber(..) => None,
        };
        let without = [from, to].into_iter().filter_map(id).find(|id| self.cloud.now.ipv6.get(id) == Some(&false))?;
        if !by_ipv6 || self.names.doubts.incomplete {
            return None;
        }
        let message = format!("{} never has an IPv6 address", quote(&without.short()));
        Some(Diagnostic::new(span, message).help("it says `ipv6: no`, or its subnet has no IPv6 block"))
    }

    /// Returns true if the file names one instance and nobody else inside.
    fn is_alone(&self) -> bool {
        let inside = |sort: EntityKind| matches!(sort, EntityKind::Instance | EntityKind::LoadBalancer);
        self.names.named.values().filter(|named| inside(named.sort)).count() == 1
    }

    fn never_public(&self, end: &Selector) -> bool {
        let never = |id: &Attachment| self.cloud.now.publics.get(id) == Some(&AutomaticPublic::None);
        match end {
            Selector::Instance(name) => never(&Attachment::first_of(name)),
            Selector::Interface(id) => never(id),
            Selector::Group(group) if !self.names.doubts.members => {
                let members = self.cloud.now.members.get(group);
                let of_all = |holder: &InterfaceHolder| {
                    let InterfaceHolder::Instance(name) = holder else { return None };
                    let devices = self.cloud.now.devices.get(name)?;
                    let mut ids = devices.iter().map(|device| Attachment { instance: name.clone(), device: *device });
                    Some(ids.all(|id| never(&id)))
                };
                members.is_some_and(|members| members.iter().all(|name| of_all(name) == Some(true)))
            }
            Selector::Group(_)
            | Selector::LoadBalancer(_)
            | Selector::Any
            | Selector::Forged(..)
            | Selector::Host(_)
            | Selector::HostAddress(..)
            | Selector::HostNumber(..) => false,
        }
    }

    fn no_public(&self, balancer: &Selector, span: Span) -> Diagnostic {
        Diagnostic::new(span, format!("{} is internal, and has no public address", quote(&name(balancer))))
    }

    /// Finds the reason why an end has no IPv6 address, if it never has one.
    fn no_ipv6(&self, end: &Selector, span: Span) -> Option<Diagnostic> {
        let in_vpc = |vpc: Option<&Option<VpcName>>| {
            let vpc = self.cloud.vpcs.get(vpc?.as_ref()?)?;
            vpc.ipv6.is_none().then_some("a VPC with `ipv6: yes` gives its instances one")
        };
        let why = match end {
            Selector::LoadBalancer(_) => Some("load balancers are reached by IPv4"),
            Selector::Instance(name)
            | Selector::Interface(Attachment { instance: name, .. })
            | Selector::Forged(Attachment { instance: name, .. }, _) => in_vpc(self.cloud.now.instances.get(name)),
            Selector::Group(group) => in_vpc(self.cloud.now.groups.get(group)),
            Selector::Host(_) => (self.families(end) == [Via::Public]).then_some("its addresses are of IPv4"),
            Selector::HostAddress(..) | Selector::HostNumber(..) => {
                (self.families(end) == [Via::Public]).then_some("it is one of IPv4")
            }
            Selector::Any => None,
        }?;
        let what = if matches!(end, Selector::Group(_)) { "no member with an" } else { "no" };
        Some(Diagnostic::new(span, format!("{} has {what} IPv6 address", quote(&name(end)))).help(why))
    }

    /// Finds the VPCs of two ends, where they differ and are those of instances or groups at this step.
    fn no_private_path(&self, from: &Selector, to: &Selector, span: Span) -> Option<Diagnostic> {
        let vpc = |end: &Selector| match end {
            Selector::Instance(name)
            | Selector::Interface(Attachment { instance: name, .. })
            | Selector::Forged(Attachment { instance: name, .. }, _) => self.cloud.now.instances.get(name)?.clone(),
            Selector::Group(group) => self.cloud.now.groups.get(group)?.clone(),
            Selector::Any
            | Selector::LoadBalancer(_)
            | Selector::Host(_)
            | Selector::HostAddress(..)
            | Selector::HostNumber(..) => None,
        };
        let (one, other) = (vpc(from)?, vpc(to)?);
        (one != other).then(|| {
            let what = format!("{} and {} are in different VPCs, and have no private path", name(from), name(to));
            Diagnostic::new(span, what).help("`by public address` it leaves the one and comes to the other")
        })
    }

    /// Returns true if the name of an end means a public address, inside as well.
    fn is_public_balancer(&self, end: &Selector) -> bool {
        matches!(end, Selector::LoadBalancer(_)) && !self.is_internal(end)
    }

    fn is_internal(&self, end: &Selector) -> bool {
        matches!(end, Selector::LoadBalancer(name) if self.cloud.internal.contains(name))
    }

    /// Returns the kinds of addresses by which a host reaches others and is reached, each once.
    pub fn families(&self, host: &Selector) -> Vec<Via> {
        let (name, number) = match host {
            Selector::Host(name) => (name, None),
            Selector::HostNumber(name, number) => (name, Some(*number)),
            Selector::HostAddress(_, address) => {
                return vec![if address.0.is_ipv4() { Via::Public } else { Via::Ipv6 }];
            }
            _ => return Vec::new(),
        };
        match self.cloud.outside.get(name).map(|(outside, _)| outside) {
            Some(OutsideName::Neighbour(host)) => return self.families(&Selector::Host(host.clone())),
            Some(OutsideName::Block(block)) if block.addr().is_ipv4() => return vec![Via::Public],
            Some(OutsideName::Block(_)) => return vec![Via::Ipv6],
            Some(OutsideName::Elsewhere) => {
                let ipv6 = self.cloud.vpcs.values().any(|vpc| vpc.ipv6.is_some());
                return if ipv6 { vec![Via::Public, Via::Ipv6] } else { vec![Via::Public] };
            }
            None => {}
        }
        let addresses = self.cloud.hosts.get(name).map_or(&[][..], |host| &host.addresses);
        let via = |HostIp(address): &HostIp| if address.is_ipv4() { Via::Public } else { Via::Ipv6 };
        let meant = addresses.iter().enumerate().filter(|(index, _)| number.is_none_or(|number| number == index + 1));
        let mut vias: Vec<Via> = meant.map(|(_, address)| via(address)).collect();
        vias.sort_by_key(|via| *via == Via::Ipv6);
        vias.dedup();
        vias
    }
}

/// Returns true if a flow may go by this address of a host. What a public name means is one of IPv4.
fn goes(asked: Option<Via>, via: Via) -> bool {
    match asked {
        None => true,
        Some(Via::Dns) => via == Via::Public,
        Some(asked) => asked == via || asked.is_ipv6() && via == Via::Ipv6,
    }
}

fn name(end: &Selector) -> String {
    match end {
        Selector::Any => "any".to_owned(),
        Selector::Instance(name) => name.to_string(),
        Selector::LoadBalancer(name) => name.to_string(),
        Selector::Forged(at, _) if at.device == 0 => at.instance.to_string(),
        Selector::Interface(id) | Selector::Forged(id, _) => id.to_string(),
        Selector::Group(group) => group.to_string(),
        Selector::Host(name) => name.to_string(),
        Selector::HostAddress(_, address) => address.0.to_string(),
        Selector::HostNumber(name, number) => format!("{name}[{number}]"),
    }
}
