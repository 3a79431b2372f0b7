//! The shape of `lesson.yaml`.

use sglab_macros::Shape;

use crate::model::GroupName;
use crate::topology::document::shape::{Any, At, Field, List, Many, One};
use crate::topology::document::values::{Choice, Version, Whole, Words};
use crate::topology::document::words::{Name, Text};

/// A lesson: what it is called, what it needs, and its stages.
#[derive(Clone, Debug, Default, Shape)]
#[shape("a lesson")]
pub struct LessonDocument {
    /// The version of this format.
    #[shape(needed)]
    pub lesson: Field<Version>,
    /// A few words.
    #[shape(needed, "a title")]
    pub title: Field<Text>,
    /// The heading under which it is listed.
    #[shape(needed, "a theme")]
    pub theme: Field<Text>,
    /// What most people do not expect, in a line.
    #[shape(needed, "a sentence")]
    pub surprise: Field<Text>,
    /// How long it takes.
    #[shape("a number of minutes")]
    pub minutes: Field<Whole<1, 240>>,
    /// Lessons that come before it.
    #[shape("a lesson or a list of lessons")]
    pub needs: Field<Any<Text>>,
    /// What the learner does, in order.
    #[shape(needed, "a list of stages")]
    pub stages: Field<List<One<Stage>>>,
    /// Where it stands.
    pub at: At,
}

/// One stage.
#[derive(Clone, Debug, Shape)]
#[shape(
    "a stage, such as `predict: example:self-trust`",
    others(
        "run" = "what is predicted is run and revealed, step by step: `predict` is enough",
        "reveal" = "what is predicted is run and revealed, step by step: `predict` is enough",
        "explain" = "here it is `investigate:`",
        "modify" = "here it is `fix:`"
    )
)]
pub enum Stage {
    /// A topology whose steps are predicted, run and revealed: `example:NAME`, `start` or `solution`.
    #[shape("a topology: `example:NAME`, `start` or `solution`")]
    Predict(Text),
    /// A cloud whose rules are asked for: `start` or `solution`.
    Investigate(Choice<Which>),
    /// The start file is given, and its goal must come to hold.
    Fix(LimitsDocument),
    /// Groups without a rule are given, and the goal must come to hold.
    Make(LimitsDocument),
}

/// A file of the lesson.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// The one that the learner begins with.
    Start,
    /// The one whose goal holds.
    Solution,
}

impl Words for Which {
    const WHAT: &'static str = "a file of the lesson";
    const DOC: &'static str = "`start`: the one that the learner begins with; `solution`: the one whose goal holds.";

    fn words() -> Vec<(&'static str, Self)> {
        vec![("start", Self::Start), ("solution", Self::Solution)]
    }
}

/// Limits within which a goal must be reached.
#[derive(Clone, Debug, Default, Shape)]
#[shape("a mapping of limits, such as `{rules: 3}`")]
pub struct LimitsDocument {
    /// So many rules at most, over all groups.
    pub rules: Field<Whole<0, 1000>>,
    /// `none`: no rule names an address, but for those of hosts outside and for everybody's.
    pub addresses: Field<Choice<NoAddress>>,
    /// Only these groups may change.
    #[shape("a group or a list of groups")]
    pub groups: Field<Many<Name<GroupName>>>,
    /// `free`: instances may be put into other groups; `fixed`, which is so without it: they may not.
    pub memberships: Field<Choice<Memberships>>,
}

/// `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAddress;

impl Words for NoAddress {
    const WHAT: &'static str = "what `addresses` can be";
    const DOC: &'static str = "";

    fn words() -> Vec<(&'static str, Self)> {
        vec![("none", Self)]
    }
}

/// Freedom to put instances into other groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Memberships {
    /// Only rules may change.
    #[default]
    Fixed,
    /// The groups of instances may change too.
    Free,
}

impl Words for Memberships {
    const WHAT: &'static str = "what `memberships` can be";
    const DOC: &'static str = "";

    fn words() -> Vec<(&'static str, Self)> {
        vec![("fixed", Self::Fixed), ("free", Self::Free)]
    }
}
