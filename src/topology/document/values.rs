//! What a document says with a meaning of its own: one of a few words, a number, seconds.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::shape::{Definitions, Diagnostics, Map, Node, Shape, Span, Value, Yaml, described, means};
use super::words::{MountPlace, MountSource};
use crate::model::{
    AutomaticPublic, ChangeGroups, ElasticIpOnStop, Era, Forwarding, GroupReferenceIpv6, IcmpErrors, OnCrash, OnStart,
    Quotas, Reassociation, RefusalCode, Scheme, SelfReference, SourceDestCheck, Via,
};
use crate::topology::problem::{Diagnostic, quote};
use crate::topology::tree::{Kind, Scalar};

/// What has a word for each of its values.
pub trait Words: Copy + PartialEq + 'static {
    /// What is expected.
    const WHAT: &'static str;
    /// For the schema.
    const DOC: &'static str;

    /// Every value with its word.
    fn words() -> Vec<(&'static str, Self)>;
}

/// One of a few words.
#[derive(Clone, Copy, Debug)]
pub struct Choice<T> {
    /// What it stands for.
    pub value: T,
    /// Its place.
    pub span: Span,
}

impl<T> From<T> for Choice<T> {
    fn from(value: T) -> Self {
        Self { value, span: Span::default() }
    }
}

impl<T: Words> Shape for Choice<T> {
    const WHAT: &'static str = T::WHAT;
    const ALONE: bool = true;

    fn schema(_: &mut Definitions) -> Json {
        let words: Vec<&str> = T::words().into_iter().map(|(word, _)| word).collect();
        let truths: Vec<bool> =
            [true, false].into_iter().filter(|it| words.iter().any(|word| means(*it, word))).collect();
        if truths.is_empty() {
            return described(json!({"type": "string", "enum": words}), &[T::DOC]);
        }
        let all: Vec<Json> = words.into_iter().map(Json::from).chain(truths.into_iter().map(Json::from)).collect();
        described(json!({"enum": all}), &[T::DOC])
    }

    fn read(node: &Node, what: &str, told: &mut Diagnostics) -> Option<Self> {
        told.choice(node, what, &T::words()).map(|value| Self { value, span: node.span })
    }

    fn yaml(&self) -> Yaml {
        let word = T::words().into_iter().find(|(_, value)| *value == self.value).map_or("", |(word, _)| word);
        Yaml::Bare(word.to_owned())
    }
}

/// The words of each.
macro_rules! words {
    ($($of:ty: $what:literal, $doc:literal, $words:expr;)+) => {$(
        impl Words for $of {
            const WHAT: &'static str = $what;
            const DOC: &'static str = $doc;

            fn words() -> Vec<(&'static str, Self)> {
                $words.to_vec()
            }
        }
    )+};
}

words! {
    Era: "an era", "`article`: as an article of January 2013 states it; `classic`: EC2-Classic as documented; `vpc`: today.",
        Self::ALL.map(|era| (era.as_str(), era));
    ChangeGroups: "a value of this knob", "", Self::WORDS;
    SelfReference: "a value of this knob", "", Self::WORDS;
    OnStart: "a value of this knob", "", Self::WORDS;
    OnCrash: "a value of this knob", "", Self::WORDS;
    ElasticIpOnStop: "a value of this knob", "", Self::WORDS;
    Quotas: "a value of this knob", "", Self::WORDS;
    GroupReferenceIpv6: "a value of this knob", "", Self::WORDS;
    IcmpErrors: "a value of this knob", "", Self::WORDS;
    SourceDestCheck: "a setting", "", Self::WORDS;
    Forwarding: "what it does with packets for others", "",
        [("no", Self::None), ("nat", Self::Nat), ("as-is", Self::Plain)];
    AutomaticPublic: "an answer", "", [("yes", Self::Given), ("no", Self::None)];
    Reassociation: "an answer", "", [("yes", Self::Allowed), ("no", Self::Refused)];
    Scheme: "a scheme", "`internet-facing`: its DNS name means its public address, inside its VPC as well; `internal`: it has a private address only, and its DNS name means that.",
        Self::ALL.map(|scheme| (scheme.as_str(), scheme));
    Via: "a kind of address", "", Self::WORDS;
    RefusalCode: "one of EC2's error codes", "One of EC2's error codes.", Self::ALL.map(|code| (code.as_str(), code));
    Nothing: "what traffic can suffer", "", [("none", Self)];
    Unchanged: "what `rules` can be", "", [("unchanged", Self)];
    EveryHost: "what `egress` of a table can be", "", [("all", Self)];
}

/// `none`: nothing is suffered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nothing;

/// `unchanged`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unchanged;

/// `all`: every host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EveryHost;

/// A whole number of a range.
#[derive(Clone, Copy, Debug)]
pub struct Whole<const MIN: u32, const MAX: u32> {
    /// The number.
    pub value: u32,
}

impl<const MIN: u32, const MAX: u32> From<u32> for Whole<MIN, MAX> {
    fn from(value: u32) -> Self {
        Self { value }
    }
}

impl<const MIN: u32, const MAX: u32> Shape for Whole<MIN, MAX> {
    const WHAT: &'static str = "a whole number";

    fn schema(_: &mut Definitions) -> Json {
        json!({"type": ["integer", "string"], "minimum": MIN, "maximum": MAX, "pattern": "^[0-9]+$"})
    }

    fn read(node: &Node, what: &str, told: &mut Diagnostics) -> Option<Self> {
        told.number(node, what, MIN..=MAX).map(Self::from)
    }

    fn yaml(&self) -> Yaml {
        Yaml::Bare(self.value.to_string())
    }
}

/// The version of the format.
#[derive(Clone, Copy, Debug)]
pub struct Version;

/// The one that there is.
const VERSION: u32 = 1;

impl Shape for Version {
    const WHAT: &'static str = "a version of the format";

    fn schema(_: &mut Definitions) -> Json {
        json!({"enum": [VERSION, VERSION.to_string()]})
    }

    fn read(node: &Node, what: &str, told: &mut Diagnostics) -> Option<Self> {
        let version = told.number(node, what, 0..=u32::MAX)?;
        // The schema has one text for it.
        let is_padded = matches!(&node.value, Value::Scalar(scalar) if scalar.text.starts_with('0'));
        if version != VERSION || is_padded {
            let draft = Diagnostic::new(node.span, format!("version {version} of the format is not known here"));
            told.report(draft.help(format!("this sglab knows version {VERSION}")));
        }
        Some(Self)
    }

    fn yaml(&self) -> Yaml {
        Yaml::Bare(VERSION.to_string())
    }
}

/// The least is sglab's, so that a test need not wait; Amazon's is 5 for the interval of health checks, and 2 for the timeout.
const SHORTEST: f64 = 0.05;
const LONGEST: f64 = 300.0;

/// Seconds of a health check.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub Duration);

impl Shape for Seconds {
    const WHAT: &'static str = "seconds";

    fn schema(_: &mut Definitions) -> Json {
        json!({"type": ["number", "string"], "minimum": SHORTEST, "maximum": LONGEST, "pattern": r"^[0-9]*\.?[0-9]+$"})
    }

    fn read(node: &Node, what: &str, told: &mut Diagnostics) -> Option<Self> {
        let Value::Scalar(scalar) = &node.value else { return told.expected(node, what, None) };
        // In quotes the schema knows digits and a point.
        let is_plain = scalar.kind() == Kind::Number || scalar.text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        match scalar.text.parse::<f64>() {
            Ok(seconds) if is_plain && !scalar.text.starts_with('+') && (SHORTEST..=LONGEST).contains(&seconds) => {
                Some(Self(Duration::from_secs_f64(seconds)))
            }
            _ => {
                let draft = Diagnostic::new(node.span, format!("{} is no time for this", quote(&scalar.text)));
                told.report(draft.help(format!("a number of seconds, from {SHORTEST} to {LONGEST}")));
                None
            }
        }
    }

    fn yaml(&self) -> Yaml {
        Yaml::Bare(self.0.as_secs_f64().to_string())
    }
}

/// What an instance mounts, by place. It is read where files are looked for, and tells users of docker what they mean.
#[derive(Clone, Debug)]
pub struct Mounts(pub Node);

impl Default for Mounts {
    fn default() -> Self {
        Self(Node { value: Value::Mapping(Vec::new()), span: Span::default() })
    }
}

impl Mounts {
    /// One more.
    pub fn push(&mut self, place: &str, source: &str) {
        let word = |text| Node { value: Value::Scalar(Scalar::new(text, 0)), span: Span::default() };
        if let Value::Mapping(entries) = &mut self.0.value {
            entries.push((word(place), word(source)));
        }
    }
}

impl Shape for Mounts {
    const WHAT: &'static str = "a mapping of places to what is there, such as `/srv/www: ./www`";

    fn schema(definitions: &mut Definitions) -> Json {
        <Map<MountPlace, MountSource>>::schema(definitions)
    }

    fn read(node: &Node, _: &str, _: &mut Diagnostics) -> Option<Self> {
        Some(Self(node.clone()))
    }

    fn yaml(&self) -> Yaml {
        Yaml::of(&self.0)
    }
}
