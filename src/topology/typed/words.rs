//! Values that a command line takes by their words, each with what help says of it.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::model::{Era, SourceDestCheck, Via};

impl ValueEnum for SourceDestCheck {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::On, Self::Off]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (word, _) = Self::WORDS.iter().find(|(_, value)| value == self)?;
        Some(PossibleValue::new(*word).help(match self {
            Self::On => "Drop packets neither from nor to its own addresses",
            Self::Off => "Let it send and receive packets that are not its own",
        }))
    }
}

impl ValueEnum for Era {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()).help(match self {
            Self::Article => "The article of 2013, \"How Security Groups Work\": see docs/semantics.md",
            Self::Classic => "EC2-Classic as documented",
            Self::Vpc => "Today's VPC",
        }))
    }
}

/// Its kinds. A secondary address has no word, and is no value of an option.
impl ValueEnum for Via {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::KINDS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (word, _) = Self::WORDS.iter().find(|(_, via)| via == self)?;
        let help = match self {
            Self::Private => "The private address",
            Self::Public => "The public address, through the gateway",
            Self::Ipv6 => "The IPv6 address",
            Self::Dns => "The public DNS name",
            Self::Secondary(_) => return None,
        };
        Some(PossibleValue::new(*word).help(help))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of<T: ValueEnum + PartialEq + std::fmt::Debug>() -> Vec<String> {
        let read = |value: &T| {
            let word = value.to_possible_value().unwrap().get_name().to_owned();
            assert_eq!(T::from_str(&word, false).as_ref(), Ok(value), "{word}");
            word
        };
        T::value_variants().iter().map(read).collect()
    }

    #[test]
    fn every_value_of_an_option_is_read_by_its_word() {
        assert_eq!(words_of::<Era>(), ["article", "classic", "vpc"]);
        assert_eq!(words_of::<Via>(), ["private", "public", "ipv6", "dns"]);
        assert_eq!(words_of::<SourceDestCheck>(), SourceDestCheck::WORDS.map(|(word, _)| word));
        assert!(<Via as ValueEnum>::from_str("10.0.0.7", false).is_err());
    }
}
