//! Names of addresses outside that a file need not make: `elsewhere`, `office-neighbour`, `203.0.113.0/24`.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::model::HostName;

/// Name of the addresses of which no rule names a block.
pub(super) const ELSEWHERE: &str = "elsewhere";
const NEIGHBOUR: &str = "-neighbour";
const BLOCK: &str = "in-";

/// Addresses outside that stand for what rules do not name one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OutsideName {
    /// Those of which no rule names a block.
    Elsewhere,
    /// The nearest to those of a host that rules name.
    Neighbour(HostName),
    /// One of a block that rules name.
    Block(IpNet),
}

impl OutsideName {
    /// Reads a word that is the name of no host. `is_host` knows those of the file.
    pub fn of(word: &str, is_host: impl Fn(&str) -> bool) -> Option<Self> {
        let neighbour = |word: &str| {
            let host = word.strip_suffix(NEIGHBOUR).filter(|host| is_host(host))?;
            Some(Self::Neighbour(HostName::new(host)))
        };
        let elsewhere = |word: &str| (word == ELSEWHERE).then_some(Self::Elsewhere);
        // The second of a name that the file gives to something else.
        let numbered = word.rsplit_once('-').filter(|(_, number)| number.parse::<u32>().is_ok_and(|it| it > 1));
        let base = numbered.map_or(word, |(base, _)| base);
        elsewhere(word)
            .or_else(|| elsewhere(base))
            .or_else(|| neighbour(word))
            .or_else(|| neighbour(base))
            .or_else(|| said(word).or_else(|| spelled(word.strip_prefix(BLOCK)?)).map(Self::Block))
    }

    /// Returns the name of its host, where the file gives that to nothing else.
    pub fn host(&self) -> String {
        match self {
            Self::Elsewhere => ELSEWHERE.to_owned(),
            Self::Neighbour(host) => format!("{host}{NEIGHBOUR}"),
            Self::Block(block) => format!("{BLOCK}{}", block.to_string().replace(['.', ':', '/'], "-")),
        }
    }
}

/// A block as a rule says it. Bits beyond its length are cleared, as those of a rule are.
fn said(word: &str) -> Option<IpNet> {
    let block = word.parse::<IpNet>().ok().map(|block| block.trunc());
    block.or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from))
}

/// A block as the name of its host says it.
fn spelled(word: &str) -> Option<IpNet> {
    let (address, length) = word.rsplit_once('-')?;
    let of = |separator: &str| format!("{}/{length}", address.replace('-', separator)).parse::<IpNet>().ok();
    of(".").or_else(|| of(":")).filter(|block| *block == block.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_named_as_rules_do_and_by_its_host() {
        for (said, host) in [
            ("203.0.113.0/24", "in-203-0-113-0-24"),
            ("203.0.113.77/24", "in-203-0-113-0-24"),
            ("0.0.0.0/1", "in-0-0-0-0-1"),
            ("8.8.4.4", "in-8-8-4-4-32"),
            ("2001:db8:7::/48", "in-2001-db8-7---48"),
            ("2001:db8::9", "in-2001-db8--9-128"),
        ] {
            let block = OutsideName::of(said, |_| false).expect(said);
            assert_eq!(block.host(), host, "{said}");
            assert_eq!(OutsideName::of(host, |_| false), Some(block), "{host}");
        }
        for none in ["in-", "in-house", "in-203-0-113-0", "in-203-0-113-7-24", "in-1-2-3-4-33", "1.2.3", "a/b"] {
            assert_eq!(OutsideName::of(none, |_| false), None, "{none}");
        }
    }

    #[test]
    fn a_neighbour_is_one_of_a_host_and_has_a_second_name_where_the_first_is_taken() {
        let of = |word: &str| OutsideName::of(word, |word| word == "office");
        let office = || Some(OutsideName::Neighbour(HostName::new("office")));
        assert_eq!([of("office-neighbour"), of("office-neighbour-2")], [office(), office()]);
        assert_eq!([of("home-neighbour"), of("office-2"), of("elsewhere-1")], [None, None, None]);
        assert_eq!(
            [of("elsewhere"), of("elsewhere-2")].map(|it| it.map(|it| it.host())),
            [(); 2].map(|()| Some(ELSEWHERE.to_owned()))
        );
    }
}
