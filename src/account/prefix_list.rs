//! Prefix lists, and as how many rules one counts.

use indexmap::IndexMap;
use ipnet::IpNet;

use super::known::Known;
use super::origin::Origin;
use crate::model::PrefixFamily;

/// A prefix list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixList {
    /// Short name for people.
    pub label: String,
    /// Its entries.
    pub entries: Known<Vec<IpNet>>,
    /// Texts of entries that have one.
    pub descriptions: IndexMap<IpNet, String>,
    /// As many entries as it may have, where a source tells it.
    pub max_entries: Option<u32>,
    /// The family of its entries, where a source tells it apart from them.
    pub address_family: Option<PrefixFamily>,
    /// As many rules as Amazon publishes that a list of its own counts as.
    pub published: Option<u32>,
    /// Its place in the sources.
    pub origin: Origin,
}

impl PrefixList {
    /// Returns the family of its entries, of which it has one alone; nothing where no source tells it.
    pub fn family(&self) -> Option<PrefixFamily> {
        let of_entries = self.entries.known().and_then(|entries| entries.first().copied().map(PrefixFamily::of));
        of_entries.or(self.address_family)
    }

    /// Returns as how many rules of a family one that names it counts.
    ///
    /// Source: "Managed prefix lists" (Amazon VPC user guide): the most entries that it may have, or the published weight.
    pub fn weight(&self, family: PrefixFamily) -> Weight {
        let whole = |weight: u32| if self.family().is_none_or(|of| of == family) { weight } else { 0 };
        match (self.published, self.max_entries, &self.entries) {
            (Some(weight), _, _) => Weight::Published(whole(weight)),
            (None, Some(most), _) => Weight::MaxEntries(whole(most)),
            (None, None, Known::Is(entries)) => {
                let of_family = entries.iter().filter(|block| PrefixFamily::of(**block) == family).count();
                Weight::Entries(u32::try_from(of_family).unwrap_or(u32::MAX))
            }
            (None, None, Known::Unknown(_)) => Weight::Unknown,
        }
    }

    /// As many entries as it may have; where no source tells it, as many as it has.
    pub fn room(&self) -> u32 {
        let entries = self.entries.known().map_or(0, Vec::len);
        self.max_entries.unwrap_or_else(|| u32::try_from(entries).unwrap_or(u32::MAX).max(1))
    }
}

/// As how many rules one that names a prefix list counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Published by Amazon, for a list of its own.
    Published(u32),
    /// As many entries as the list may have.
    MaxEntries(u32),
    /// At least as many entries as the list has: no source tells how many it may have.
    Entries(u32),
    /// No source tells its entries.
    Unknown,
}

impl Weight {
    /// Returns the number that is known; 0 where none is.
    pub fn at_least(self) -> u32 {
        match self {
            Weight::Published(weight) | Weight::MaxEntries(weight) | Weight::Entries(weight) => weight,
            Weight::Unknown => 0,
        }
    }
}

/// Names of Amazon's own prefix lists behind the region, with their weights.
///
/// Source: "AWS-managed prefix lists" (Amazon VPC user guide).
const PUBLISHED: &[(&str, u32)] = &[
    ("cloudfront.origin-facing", 55),
    ("dynamodb", 1),
    ("ec2-instance-connect", 2),
    ("groundstation", 5),
    ("route53-healthchecks", 25),
    ("s3", 1),
    ("s3express", 6),
    ("vpc-lattice", 10),
];

/// Returns the family and weight of a list of Amazon's own by its name, such as `com.amazonaws.eu-west-1.ipv6.vpc-lattice`.
pub(crate) fn of_amazon(name: &str) -> Option<(PrefixFamily, u32)> {
    let (_region, list) = name.strip_prefix("com.amazonaws.")?.split_once('.')?;
    let (family, list) = match list.strip_prefix("ipv6.") {
        Some(list) => (PrefixFamily::Ipv6, list),
        None => (PrefixFamily::Ipv4, list),
    };
    PUBLISHED.iter().find(|(known, _)| *known == list).map(|(_, weight)| (family, *weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_amazon_is_known_by_its_name_in_each_region() {
        assert_eq!(of_amazon("com.amazonaws.us-gov-west-1.s3"), Some((PrefixFamily::Ipv4, 1)));
        assert_eq!(of_amazon("com.amazonaws.global.ipv6.cloudfront.origin-facing"), Some((PrefixFamily::Ipv6, 55)));
        assert_eq!(of_amazon("com.amazonaws.eu-west-1.of-tomorrow"), None);
        assert_eq!(of_amazon("cloudfront.origin-facing"), None);
    }
}
