//! Flows that began without the holder of an address.
//!
//! Both ends of a flow share one entry of connection tracking, and the bits of its mark. An interface whose check is off may send in
//! anybody's name: it begins flows for others, and answers what it is to pass on. What it is let do makes the entry established, and the
//! bits speak for ends that have had nothing of the flow. So of a flow whose first packet does not come from the interface that holds its source, or
//! does not go to the one that holds its destination, the mark says so, until that interface itself has let a packet of it by. Until then such a
//! packet meets the interface's rules as one that begins something. The marks outlive whoever may forge: they are read in every VPC.

use super::error::CompileError;
use super::names::{REMEMBER_RECEIVED, REMEMBER_SENT, SOURCES, SOURCES_IPV6, TRACKED, UNCHECKED, doubted, new_flows};
use super::parts::{chain, chain_of, families, of};
use super::rule::{Family, mark, marked, own};
use crate::model::{Direction, Interface, SourceDestCheck};
use crate::network::Families;
use crate::network::nft::Ruleset;

/// The bit of the ct mark of a flow whose source has itself sent nothing of it, and been sent nothing.
const SOURCE: u32 = 0x80;
/// The same of its destination.
const DESTINATION: u32 = 0x100;
/// Both: each end of a flow that is forgotten is to be asked anew.
pub const DOUBTS: u32 = SOURCE | DESTINATION;

const CHAIN: &str = "doubts";

/// Reports whether an interface may send what is not its own: only then there are such flows.
pub fn are_possible(attached: &[&Interface]) -> bool {
    attached.iter().any(|interface| interface.source_dest_check == SourceDestCheck::Off)
}

/// Adds the chains that judge such flows. They are to be asked before those of flows that are known.
pub fn add(ruleset: &mut Ruleset, attached: &[&Interface], spoken: Families) -> Result<(), CompileError> {
    for direction in [Direction::Egress, Direction::Ingress] {
        let judged = holders(spoken, direction).map(|(family, way, doubt, own_packet)| {
            let (id, states) = (of(family, way), states(direction));
            let of_it = format!("{states} ct direction {way} {}", marked(doubt));
            own(&id, format!("{of_it} {own_packet} goto {}", new_flows(direction)))
        });
        ruleset.chains.insert(doubted(direction), chain(judged));
        let base = chain_of(ruleset, &direction.to_string())?;
        // Errors are asked for first, and what is forgotten by egress has its marks taken away before.
        let at = match direction {
            Direction::Egress => base.rules.iter().position(|rule| rule.id == TRACKED),
            Direction::Ingress => Some(0),
        };
        let at = at.ok_or_else(|| CompileError::MissingPart { what: "rule", name: TRACKED.to_owned() })?;
        base.rules.insert(at, own("doubted", format!("{} jump {}", any_doubt(), doubted(direction))));
    }
    if are_possible(attached) { add_marks(ruleset, spoken) } else { Ok(()) }
}

/// Adds the chains that set and take away the marks of such flows.
fn add_marks(ruleset: &mut Ruleset, spoken: Families) -> Result<(), CompileError> {
    // The first packet of a flow is the one whose entry is not confirmed.
    let mut begins = vec![own("known", "ct status confirmed return")];
    for family in families(spoken) {
        let (any, ip, sources) = (family.any(), family.header(), sources(family));
        let source = format!("{any} iifname @{UNCHECKED} iifname . {ip} saddr != @{sources} {}", mark(SOURCE));
        let destination =
            format!("{any} oifname @{UNCHECKED} oifname . {ip} daddr != @{sources} {}", mark(DESTINATION));
        begins.extend([own(&of(family, "source"), source), own(&of(family, "destination"), destination)]);
    }
    ruleset.chains.insert(CHAIN.to_owned(), chain(begins));
    for (name, direction) in [(REMEMBER_SENT, Direction::Egress), (REMEMBER_RECEIVED, Direction::Ingress)] {
        let base = chain_of(ruleset, name)?;
        let settled = holders(spoken, direction).map(|(family, way, doubt, own_packet)| {
            let of_it = format!("ct state new,established ct direction {way} {}", marked(doubt));
            let id = of(family, &format!("settled-{way}"));
            own(&id, format!("{of_it} {own_packet} ct mark set ct mark ^ {doubt:#x}"))
        });
        base.rules.extend(settled);
        if direction == Direction::Ingress {
            base.rules.push(own(CHAIN, format!("ct state new jump {CHAIN}")));
        }
    }
    Ok(())
}

/// Packets that an interface sends or gets by an address of its own, by the direction of their flow, and the bit that says that it has
/// had nothing of the flow before.
fn holders(spoken: Families, direction: Direction) -> impl Iterator<Item = (Family, &'static str, u32, String)> {
    let (interface, address) = match direction {
        Direction::Egress => ("iifname", "saddr"),
        Direction::Ingress => ("oifname", "daddr"),
    };
    let ends = match direction {
        Direction::Egress => [("original", SOURCE), ("reply", DESTINATION)],
        Direction::Ingress => [("original", DESTINATION), ("reply", SOURCE)],
    };
    families(spoken).flat_map(move |family| {
        let own_packet = format!("{interface} . {} {address} @{}", family.header(), sources(family));
        ends.map(|(way, doubt)| (family, way, doubt, own_packet.clone()))
    })
}

fn sources(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => SOURCES,
        Family::Ipv6 => SOURCES_IPV6,
    }
}

/// An error goes to an end of the flow, and comes from anybody.
fn states(direction: Direction) -> &'static str {
    match direction {
        Direction::Egress => "ct state new,established",
        Direction::Ingress => "ct state new,established,related",
    }
}

fn any_doubt() -> String {
    format!("ct mark & {DOUBTS:#x} != 0x0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_without_the_place_for_them_is_an_error_and_not_one_without_them() {
        let missing = |ruleset: &mut Ruleset| match add(ruleset, &[], Families::Ipv4) {
            Err(CompileError::MissingPart { what, name }) => Some(format!("{what} {name}")),
            Ok(()) | Err(_) => None,
        };
        let mut ruleset = Ruleset::default();
        assert_eq!(missing(&mut ruleset), Some("chain egress".to_owned()));
        ruleset.chains.insert("egress".to_owned(), chain([]));
        assert_eq!(missing(&mut ruleset), Some("rule tracked".to_owned()));
        ruleset.chains.insert("egress".to_owned(), chain([own(TRACKED, "accept")]));
        assert_eq!(missing(&mut ruleset), Some("chain ingress".to_owned()));
        ruleset.chains.insert("ingress".to_owned(), chain([]));
        assert_eq!(missing(&mut ruleset), None);
    }
}
