//! One machine's share of the topologies.

use std::str::FromStr;

use sglab::model;

/// Every so-many-th topology, from one of the first on: labs share nothing, so each machine runs its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    /// Number of the share, from 1.
    number: usize,
    /// Of how many.
    of: usize,
}

impl Shard {
    /// Those that are this machine's, in their order. Each is in one shard only, and no two shards differ by more than one.
    pub fn share<T>(self, all: Vec<T>) -> Vec<T> {
        all.into_iter().skip(self.number - 1).step_by(self.of).collect()
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("`{text}` is no share such as 2/3: the second of three");
        let (number, of) = text.split_once('/').ok_or_else(wanted)?;
        let (number, of) = (model::number(number).ok_or_else(wanted)?, model::number(of).ok_or_else(wanted)?);
        if number == 0 || number > of {
            return Err(format!("there is no share {number} of {of}; they are counted from 1"));
        }
        Ok(Self { number, of })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topology_is_in_exactly_one_share() {
        let mut shared: Vec<u32> =
            (1..=4).flat_map(|number| Shard { number, of: 4 }.share((0..10).collect())).collect();
        shared.sort_unstable();
        assert_eq!(shared, (0..10).collect::<Vec<_>>());
        assert_eq!(Shard { number: 3, of: 3 }.share(vec!['a', 'b']), []);
    }

    #[test]
    fn a_share_is_counted_from_one() {
        assert_eq!("2/3".parse(), Ok(Shard { number: 2, of: 3 }));
        for wrong in ["0/3", "4/3", "3", "1/", "/2", "1/2/3", "-1/2", "+1/2", "1/+2", "a/b"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
