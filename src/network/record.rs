//! The words of a log prefix: what the filter says of a packet, written by the compiler and read by the prober.

use std::fmt;
use std::str::FromStr;

use crate::model::{Direction, RuleId};

/// The NFLOG group of every lab namespace.
pub const LOG_GROUP: u16 = 1;

/// Action of the filter on the packet that a log record shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// A new flow was admitted by a rule: `ingress accept sgr-7`.
    Accept(Direction, RuleId),
    /// A new flow was admitted at an end that nobody judges (no egress rules in the era): `egress accept`.
    Pass(Direction),
    /// The packet goes on, and is not remembered: its interface has filled what room it has: `no-room`.
    NoRoom,
    /// The end admits the datagram by what it has sent before, whatever its rules say: `ingress remembered`.
    Remembered(Direction),
    /// No rule of the interface's groups admits the new flow: `ingress drop`.
    Drop(Direction),
    /// An untracked flow under way that no present rule admits: `ingress cut`.
    Cut(Direction),
    /// No interface of the VPC claims the packet: `ingress unclaimed`.
    Unclaimed(Direction),
    /// The source is not an address of the interface it came from: `spoofed`.
    Spoofed,
    /// A fragment of an interface that has sent more of them than are put together at a time: `fragments`.
    Fragments,
    /// A new flow of an interface that has as many under way as are tracked for one: `connections`.
    Connections,
    /// An ICMP error about a flow of which its sender is no end, and which does not come by it: `foreign-error`.
    ForeignError,
    /// The destination is not an address of the interface that a route leads to: `not-its-own`.
    NotItsOwn,
    /// The route leads to an interface that is not there: `blackhole`.
    Blackhole,
    /// Connection tracking cannot place the packet: `invalid`.
    Invalid,
    /// The gateway has no translation for the source: `untranslated`.
    Untranslated,
    /// Nobody holds the address, and the sender is told: `unreachable`.
    Unreachable,
    /// It is addressed to the router, and asks for nothing that is served there: `unserved`.
    Unserved,
}

impl Record {
    /// Records that have no more to them than their word.
    const PLAIN: [Self; 11] = [
        Self::NoRoom,
        Self::Spoofed,
        Self::Fragments,
        Self::Connections,
        Self::ForeignError,
        Self::NotItsOwn,
        Self::Blackhole,
        Self::Invalid,
        Self::Untranslated,
        Self::Unreachable,
        Self::Unserved,
    ];

    /// Returns its word, if it has no more to it than that.
    fn plain_word(self) -> Option<&'static str> {
        Some(match self {
            Self::NoRoom => "no-room",
            Self::Spoofed => "spoofed",
            Self::Fragments => "fragments",
            Self::Connections => "connections",
            Self::ForeignError => "foreign-error",
            Self::NotItsOwn => "not-its-own",
            Self::Blackhole => "blackhole",
            Self::Invalid => "invalid",
            Self::Untranslated => "untranslated",
            Self::Unreachable => "unreachable",
            Self::Unserved => "unserved",
            Self::Accept(..)
            | Self::Pass(_)
            | Self::Remembered(_)
            | Self::Drop(_)
            | Self::Cut(_)
            | Self::Unclaimed(_) => return None,
        })
    }

    /// Returns the end of a flow that it is about; none where the packet was judged by no end.
    pub fn at(self) -> Option<Direction> {
        match self {
            Self::Accept(at, _)
            | Self::Pass(at)
            | Self::Remembered(at)
            | Self::Drop(at)
            | Self::Cut(at)
            | Self::Unclaimed(at) => Some(at),
            Self::NoRoom
            | Self::Spoofed
            | Self::Fragments
            | Self::Connections
            | Self::ForeignError
            | Self::NotItsOwn
            | Self::Blackhole
            | Self::Invalid
            | Self::Untranslated
            | Self::Unreachable
            | Self::Unserved => None,
        }
    }

    /// Reports whether it is about this end of a flow.
    pub fn is_at(self, end: Direction) -> bool {
        self.at() == Some(end)
    }

    /// Reports whether the packet ended there.
    pub fn is_drop(self) -> bool {
        !matches!(self, Self::Accept(..) | Self::Pass(_) | Self::Remembered(_) | Self::NoRoom)
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept(direction, rule) => write!(f, "{direction} accept {rule}"),
            Self::Pass(direction) => write!(f, "{direction} accept"),
            Self::Remembered(direction) => write!(f, "{direction} remembered"),
            Self::Drop(direction) => write!(f, "{direction} drop"),
            Self::Cut(direction) => write!(f, "{direction} cut"),
            Self::Unclaimed(direction) => write!(f, "{direction} unclaimed"),
            plain => f.write_str(plain.plain_word().unwrap_or_default()),
        }
    }
}

impl FromStr for Record {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split_whitespace();
        let first = words.next().ok_or(())?;
        if let Some(plain) = Self::PLAIN.into_iter().find(|plain| plain.plain_word() == Some(first)) {
            return Ok(plain);
        }
        let direction = match first {
            "ingress" => Direction::Ingress,
            "egress" => Direction::Egress,
            _ => return Err(()),
        };
        match (words.next(), words.next()) {
            (Some("accept"), Some(rule)) => rule.parse().map(|rule| Self::Accept(direction, rule)),
            (Some("accept"), None) => Ok(Self::Pass(direction)),
            (Some("remembered"), None) => Ok(Self::Remembered(direction)),
            (Some("drop"), None) => Ok(Self::Drop(direction)),
            (Some("cut"), None) => Ok(Self::Cut(direction)),
            (Some("unclaimed"), None) => Ok(Self::Unclaimed(direction)),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_filter_writes_is_what_the_prober_reads() {
        let mut all = Vec::from(Record::PLAIN);
        assert!(all.iter().all(|plain| plain.at().is_none() && plain.plain_word().is_some()));
        for direction in Direction::BOTH {
            all.extend([Record::Accept(direction, RuleId(7)), Record::Pass(direction), Record::Drop(direction)]);
            all.extend([Record::Cut(direction), Record::Unclaimed(direction), Record::Remembered(direction)]);
        }
        for record in all {
            assert_eq!(record.to_string().parse(), Ok(record));
        }
        for nothing in ["", "sideways drop", "ingress", "ingress drop sgr-7", "egress accept web1", "ingress vanish"] {
            assert_eq!(nothing.parse::<Record>(), Err(()), "{nothing}");
        }
    }

    #[test]
    fn whatever_is_not_admitted_ended_there() {
        for direction in Direction::BOTH {
            assert!(!Record::Accept(direction, RuleId(7)).is_drop() && !Record::Remembered(direction).is_drop());
            assert!(!Record::Pass(direction).is_drop() && !Record::NoRoom.is_drop());
            assert!(Record::Drop(direction).is_drop() && Record::Cut(direction).is_drop());
        }
        assert!(Record::Unreachable.is_drop() && Record::Spoofed.is_drop());
    }
}
