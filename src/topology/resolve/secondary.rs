//! IPv6 addresses and secondary addresses of interfaces: what a file says of them, and flows that go by one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::resolver::Resolver;
use crate::model::reserved_addresses::gives;
use crate::model::{AskedIpv6, Attachment, Ipv6, SecondaryAddress, SubnetName, Via, VpcName};
use crate::topology::document::instances::Instance;
use crate::topology::document::shape::{Field, Many, Span};
use crate::topology::document::words::{Address, Ipv6Address, Secondary};
use crate::topology::patterns::Selector;
use crate::topology::problem::{Diagnostic, quote};

/// Addresses and prefixes that are asked for, with their places.
#[derive(Default)]
pub(super) struct Claims {
    blocks: HashMap<IpNet, Span>,
    /// Prefixes of which single addresses are asked for, each with the place of the first.
    within: HashMap<IpNet, Span>,
}

impl Claims {
    /// The place where an address is claimed, or a prefix with it or a part of it.
    fn taken(&self, asked: SecondaryAddress) -> Option<Span> {
        let (block, around) = (asked.block(), asked.delegated());
        let of_prefix = || self.blocks.get(&around).or_else(|| self.within.get(&around).filter(|_| block == around));
        self.blocks.get(&block).or_else(of_prefix).copied()
    }

    fn claim(&mut self, asked: SecondaryAddress, span: Span) {
        self.blocks.insert(asked.block(), span);
        self.within.entry(asked.delegated()).or_insert(span);
    }
}

impl Resolver<'_> {
    /// `ipv6: no` of an interface in a subnet. One that says nothing has an address where the subnet has a block.
    pub fn asked_ipv6(&mut self, said: &Field<Ipv6Address>, (vpc, subnet): (&VpcName, &SubnetName)) -> AskedIpv6 {
        let block = self.cloud.vpcs.get(vpc).and_then(|vpc| vpc.ipv6_subnet(subnet));
        match (said.get().map(|node| (node, node.text())), block) {
            (Some((_, "no")), _) | (None, None) => AskedIpv6::None,
            (None | Some((_, "yes")), Some(_)) => AskedIpv6::Automatic,
            (Some((node, word)), Some(block)) => match word.parse::<Ipv6Addr>() {
                Ok(address) => {
                    self.may_be_given(Ipv6Net::from(address), block, node.span);
                    AskedIpv6::Exact(Ipv6(address))
                }
                Err(_) => {
                    let draft = Diagnostic::new(node.span, format!("{} is not an IPv6 address", quote(word)));
                    self.report(draft.help(format!("`yes`, `no`, or an address of {block}")));
                    AskedIpv6::Automatic
                }
            },
            (Some((node, _)), None) => {
                let draft = self.no_ipv6_block((vpc, subnet), node.span);
                self.report(draft);
                AskedIpv6::None
            }
        }
    }

    fn no_ipv6_block(&self, (vpc, subnet): (&VpcName, &SubnetName), span: Span) -> Diagnostic {
        let draft = Diagnostic::new(span, format!("the subnet {} has no IPv6 block", quote(subnet.as_str())));
        match self.cloud.vpcs.get(vpc).is_some_and(|vpc| vpc.ipv6.is_some()) {
            true => draft.help("its `ipv6: no` says so"),
            false => draft.help("`ipv6: yes` gives its VPC one, in era vpc"),
        }
    }

    /// Reports an address or a prefix that its subnet does not give away.
    pub fn may_be_given(&mut self, asked: impl Into<IpNet>, subnet: impl Into<IpNet>, span: Span) -> Option<()> {
        let (asked, subnet) = (asked.into(), subnet.into());
        let is_one = asked.prefix_len() == asked.max_prefix_len();
        let named = if is_one { asked.addr().to_string() } else { asked.to_string() };
        if !subnet.contains(&asked) {
            self.report(Diagnostic::new(span, format!("{named} is not inside the subnet {subnet}")));
            return None;
        }
        if !gives(subnet, asked) {
            let part = if is_one { "" } else { ", or a part of it does" };
            let draft = Diagnostic::new(span, format!("{named} belongs to EC2 itself{part}"));
            self.report(draft.help("the first four addresses of a subnet and its last are reserved"));
            return None;
        }
        Some(())
    }

    /// `secondary-addresses: [10.0.1.20, 10.0.1.32/28]` of an interface in a subnet.
    pub fn secondary(
        &mut self,
        said: &Field<Many<Secondary>>,
        subnet: Ipv4Net,
        place: (&VpcName, &SubnetName, AskedIpv6),
    ) -> Vec<SecondaryAddress> {
        let Some(list) = said.get() else { return Vec::new() };
        if let Some(key) = said.key {
            self.only_in_a_vpc(key, "a secondary address");
        }
        list.items.iter().filter_map(|item| self.secondary_address(item, subnet, place)).collect()
    }

    fn secondary_address(
        &mut self,
        said: &Secondary,
        subnet: Ipv4Net,
        (vpc, name, first): (&VpcName, &SubnetName, AskedIpv6),
    ) -> Option<SecondaryAddress> {
        let word = said.text();
        let Ok(read) = word.parse::<SecondaryAddress>() else {
            let draft = Diagnostic::new(said.span, format!("{} is no secondary address", quote(word)));
            self.report(draft.help(match word.parse::<IpNet>() {
                Ok(block) if matches!((block, block.prefix_len()), (IpNet::V4(_), 28) | (IpNet::V6(_), 80)) => {
                    format!("the prefix is {}", block.trunc())
                }
                Ok(IpNet::V4(_)) => "EC2 delegates prefixes of /28".to_owned(),
                Ok(IpNet::V6(_)) => "EC2 delegates prefixes of /80".to_owned(),
                Err(_) => "such as 10.0.0.50, or a prefix such as 10.0.0.64/28".to_owned(),
            }));
            return None;
        };
        let block = match read.block() {
            IpNet::V4(block) => block,
            IpNet::V6(block) => {
                let of = self.cloud.vpcs.get(vpc).and_then(|vpc| vpc.ipv6_subnet(name));
                return match (of, first) {
                    (Some(of), AskedIpv6::Automatic | AskedIpv6::Exact(_)) => {
                        self.may_be_given(block, of, said.span).map(|()| read)
                    }
                    (None, _) => {
                        let draft = self.no_ipv6_block((vpc, name), said.span);
                        self.report(draft);
                        None
                    }
                    (Some(_), AskedIpv6::None) => {
                        let draft = Diagnostic::new(said.span, "there is no first IPv6 address to have it beside");
                        self.report(draft.help("leave `ipv6: no` out"));
                        None
                    }
                };
            }
        };
        self.may_be_given(block, subnet, said.span).map(|()| read)
    }

    /// Reports addresses that an instance asks for and that are claimed already, and claims them.
    pub fn claim(&mut self, claims: &mut Claims, said: &Instance) {
        self.claim_of(claims, (&said.address, &said.ipv6, &said.secondary_addresses));
        let interfaces = said.interfaces.get().into_iter().flat_map(|map| &map.entries);
        for interface in interfaces.filter_map(|entry| entry.value.as_ref()) {
            self.claim_of(claims, (&interface.address, &interface.ipv6, &interface.secondary_addresses));
        }
    }

    /// The same of one interface.
    pub fn claim_of(
        &mut self,
        claims: &mut Claims,
        (primary, ipv6, secondary): (&Field<Address>, &Field<Ipv6Address>, &Field<Many<Secondary>>),
    ) {
        let primary = primary.get().map(|word| (word.text(), word.span));
        let ipv6 = ipv6.get().map(|word| (word.text(), word.span));
        let secondary = secondary.get().into_iter().flat_map(|list| &list.items).map(|word| (word.text(), word.span));
        for (word, span) in primary.into_iter().chain(ipv6).chain(secondary) {
            let Ok(asked) = word.parse::<SecondaryAddress>() else { continue };
            // An address that is refused for itself claims nothing.
            if self.told.problems.iter().any(|problem| problem.span() == span) {
                continue;
            }
            match claims.taken(asked) {
                Some(first) => {
                    let draft = Diagnostic::new(span, format!("an instance holds {asked} already"));
                    self.report(draft.related("here", first));
                }
                None => claims.claim(asked, span),
            }
        }
    }

    /// Finds the reason why no flow goes by a secondary address to this end; nothing where one may.
    pub fn no_secondary(&self, to: &Selector, address: IpAddr, both_ways: bool, span: Span) -> Option<Diagnostic> {
        let id = match to {
            Selector::Instance(name) => Attachment::first_of(name),
            Selector::Interface(id) => id.clone(),
            _ => {
                let draft = Diagnostic::new(span, format!("`by {address}` is an address of one interface"));
                return Some(draft.help("the receiver is the instance or the interface that has it"));
            }
        };
        if both_ways {
            let draft = Diagnostic::new(span, format!("`by {address}` is an address of one of the ends"));
            return Some(draft.help("write two flows, with `->`"));
        }
        // An instance that could not be read has been told.
        self.cloud.now.instances.get(&id.instance)?.as_ref()?;
        let known = self.cloud.now.secondary.get(&id).map_or(&[][..], Vec::as_slice);
        if known.iter().any(|own| own.block().contains(&address)) {
            return None;
        }
        let draft = Diagnostic::new(span, format!("{} has no secondary address {address}", quote(&id.short())));
        let all: Vec<String> = known.iter().map(ToString::to_string).collect();
        Some(draft.help(match all.as_slice() {
            [] => "`secondary-addresses` gives an interface some; its primary one is its private address".to_owned(),
            some => format!("it has {}", some.join(", ")),
        }))
    }

    /// Finds the interface that has a secondary address.
    pub fn secondary_holder(&self, address: Option<IpAddr>) -> Option<&Attachment> {
        let address = address?;
        let has_it = |all: &[SecondaryAddress]| all.iter().any(|own| own.block().contains(&address));
        self.cloud.now.secondary.iter().find(|(_, all)| has_it(all)).map(|(id, _)| id)
    }

    /// Returns true if an address is a secondary one of the interface that sends from it: nothing of that is forged.
    pub fn is_own_secondary(&self, from: &Selector) -> bool {
        let Selector::Forged(at, source) = from else { return false };
        let known = self.cloud.now.secondary.get(at).map_or(&[][..], Vec::as_slice);
        known.iter().any(|own| own.block().contains(source))
    }

    /// The address of a flow's receiver that is a secondary one.
    pub fn by_secondary(via: Option<Via>) -> Option<IpAddr> {
        match via {
            Some(Via::Secondary(address)) => Some(address),
            Some(Via::Private | Via::Public | Via::Ipv6 | Via::Dns) | None => None,
        }
    }
}
