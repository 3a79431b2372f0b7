//! Secondary private addresses of interfaces: what a file says of them, and flows that go by one.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;

use super::resolver::Resolver;
use crate::model::{Attachment, SecondaryAddress, Via};
use crate::topology::document::instances::Instance;
use crate::topology::document::shape::{Field, Many, Span};
use crate::topology::document::words::{Address, Secondary};
use crate::topology::patterns::Selector;
use crate::topology::problem::{Diagnostic, quote};

/// Blocks of addresses that are asked for, with their places.
#[derive(Default)]
pub(super) struct Claims(Vec<(Ipv4Net, Span)>);

impl Resolver<'_> {
    /// `secondary-addresses: [10.0.1.20, 10.0.1.32/28]` of an interface in a subnet.
    pub fn secondary(&mut self, said: &Field<Many<Secondary>>, subnet: Ipv4Net) -> Vec<SecondaryAddress> {
        let Some(list) = said.get() else { return Vec::new() };
        if let Some(key) = said.key {
            self.only_in_a_vpc(key, "a secondary address");
        }
        list.items.iter().filter_map(|item| self.secondary_address(item, subnet)).collect()
    }

    fn secondary_address(&mut self, said: &Secondary, subnet: Ipv4Net) -> Option<SecondaryAddress> {
        let word = said.text();
        let Ok(read) = word.parse::<SecondaryAddress>() else {
            let draft = Diagnostic::new(said.span, format!("{} is no secondary address", quote(word)));
            self.report(draft.help(match word.parse::<Ipv4Net>() {
                Ok(block) if block.prefix_len() == 28 => format!("the prefix is {}", block.trunc()),
                Ok(_) => "EC2 delegates prefixes of /28".to_owned(),
                Err(_) => "such as 10.0.0.50, or a prefix such as 10.0.0.64/28".to_owned(),
            }));
            return None;
        };
        let block = read.block();
        if !subnet.contains(&block) {
            self.report(Diagnostic::new(said.span, format!("{read} is not inside the subnet {subnet}")));
            return None;
        }
        let first = u32::from(block.network()) - u32::from(subnet.network());
        if first < 4 || block.contains(&subnet.broadcast()) {
            let draft = Diagnostic::new(said.span, format!("{read} belongs to EC2 itself, or a part of it does"));
            self.report(draft.help("the first four addresses of a subnet and its last are reserved"));
            return None;
        }
        Some(read)
    }

    /// Reports addresses that an instance asks for and that are claimed already, and claims them.
    pub fn claim(&mut self, claims: &mut Claims, said: &Instance) {
        self.claim_of(claims, (&said.address, &said.secondary_addresses));
        let interfaces = said.interfaces.get().into_iter().flat_map(|map| &map.entries);
        for interface in interfaces.filter_map(|entry| entry.value.as_ref()) {
            self.claim_of(claims, (&interface.address, &interface.secondary_addresses));
        }
    }

    /// The same of one interface.
    pub fn claim_of(&mut self, claims: &mut Claims, said: (&Field<Address>, &Field<Many<Secondary>>)) {
        let primary = said.0.get().map(|word| (word.text(), word.span));
        let secondary = said.1.get().into_iter().flat_map(|list| &list.items).map(|word| (word.text(), word.span));
        for (word, span) in primary.into_iter().chain(secondary) {
            let Ok(asked) = word.parse::<SecondaryAddress>() else { continue };
            // An address that is refused for itself claims nothing.
            if self.told.problems.iter().any(|problem| problem.span() == span) {
                continue;
            }
            let block = asked.block();
            let taken = claims.0.iter().find(|(other, _)| other.contains(&block) || block.contains(other));
            match taken {
                Some((_, first)) => {
                    let draft = Diagnostic::new(span, format!("an instance holds {asked} already"));
                    self.report(draft.related("here", *first));
                }
                None => claims.0.push((block, span)),
            }
        }
    }

    /// Finds the reason why no flow goes by a secondary address to this end; nothing where one may.
    pub fn no_secondary(&self, to: &Selector, address: Ipv4Addr, both_ways: bool, span: Span) -> Option<Diagnostic> {
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
        let Some(IpAddr::V4(address)) = address else { return None };
        let has_it = |all: &[SecondaryAddress]| all.iter().any(|own| own.block().contains(&address));
        self.cloud.now.secondary.iter().find(|(_, all)| has_it(all)).map(|(id, _)| id)
    }

    /// Returns true if an address is a secondary one of the interface that sends from it: nothing of that is forged.
    pub fn is_own_secondary(&self, from: &Selector) -> bool {
        let Selector::Forged(at, IpAddr::V4(source)) = from else { return false };
        let known = self.cloud.now.secondary.get(at).map_or(&[][..], Vec::as_slice);
        known.iter().any(|own| own.block().contains(source))
    }

    /// The address of a flow's receiver that is a secondary one.
    pub fn by_secondary(via: Option<Via>) -> Option<Ipv4Addr> {
        match via {
            Some(Via::Secondary(address)) => Some(address),
            Some(Via::Private | Via::Public | Via::Ipv6 | Via::Dns) | None => None,
        }
    }
}
