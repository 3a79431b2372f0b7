//! Boxes and arrows of a picture, before anything has a place.

/// Boxes and the arrows between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// Boxes, those outside first.
    pub boxes: Vec<NodeBox>,
    /// Arrows between boxes, each pair once, and once more for what is not known.
    pub arrows: Vec<Arrow>,
    /// Arrows that are words in their boxes.
    pub told: Vec<Arrow>,
    /// Passages of which nobody can tell if they are open.
    pub unknown: usize,
}

impl Picture {
    /// A title with the number of what is not known.
    pub(super) fn titled(&self, title: &str) -> String {
        match self.unknown {
            0 => title.to_owned(),
            1 => format!("{title}; ? 1 passage is not known"),
            unknown => format!("{title}; ? {unknown} passages are not known"),
        }
    }
}

/// A box: somebody outside, or the members of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeBox {
    /// Its title: a block, `anywhere`, or the group's short name.
    pub title: String,
    /// Its content.
    pub kind: BoxKind,
    /// Its members.
    pub members: Vec<Member>,
    /// Egress of members to outside: `all to anywhere`.
    pub outward: Vec<String>,
    /// Traffic to members for which no arrow is drawn: `22 from bastion`.
    pub inward: Vec<Line>,
    /// Traffic from members for which no arrow is drawn: `22 to 40 boxes`.
    pub reaching: Vec<Line>,
}

/// A member of a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its short name.
    pub name: String,
    /// Its other groups.
    pub others: Vec<String>,
    /// Its address, or its state where that is more than running or stopped: it stands in a column of its own.
    pub detail: Option<String>,
    /// Its state.
    pub state: MemberState,
}

/// State of what holds an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// It answers.
    Running,
    /// It is stopped, and nothing answers.
    Stopped,
}

impl Member {
    /// A line of its own.
    fn line(&self) -> Line {
        let name = std::iter::once(&self.name).chain(&self.others).cloned().collect::<Vec<_>>();
        let words = match name.as_slice() {
            [name] => name.clone(),
            [name, others @ ..] => format!("{name} + {}", others.join(", ")),
            [] => String::new(),
        };
        match (self.state, &self.detail) {
            (MemberState::Running, None) => Line::Member(words),
            (MemberState::Running, Some(detail)) => Line::Member(format!("{words}  {detail}")),
            (MemberState::Stopped, None) => Line::Stopped(format!("{words} (stopped)")),
            (MemberState::Stopped, Some(detail)) => Line::Stopped(format!("{words}  {detail}")),
        }
    }
}

impl NodeBox {
    /// Members that are listed; a box with more tells the first ones and the number.
    const LISTED: usize = 4;
    /// Characters that names may have there, so that their number is not cut off.
    const NAMES: usize = 15;
    /// Lines of traffic for which no arrow is drawn; of more it tells the number.
    const TOLD: usize = 6;

    /// The lines below its title.
    pub fn lines(&self) -> Vec<Line> {
        let members = match self.members.as_slice() {
            [] if self.kind == BoxKind::Empty => vec![Line::Note("no member".to_owned())],
            [first, second, others @ ..] if self.members.len() > Self::LISTED => {
                let stopped = self.members.iter().filter(|member| member.state == MemberState::Stopped).count();
                let stopped = (stopped > 0).then(|| Line::Stopped(format!("{stopped} not running")));
                let named = format!("{}, {}", first.name, second.name);
                let words = if named.chars().count() <= Self::NAMES {
                    format!("{named} and {} more", others.len())
                } else {
                    format!("{} and {} more", shortened(&first.name, Self::NAMES), others.len() + 1)
                };
                std::iter::once(Line::Member(words)).chain(stopped).collect()
            }
            all => all.iter().map(Member::line).collect(),
        };
        let cut = |lines: &[Line]| match lines {
            all if all.len() <= Self::TOLD => all.to_vec(),
            all => {
                let more = format!("and {} more", all.len() + 1 - Self::TOLD);
                all[..Self::TOLD - 1].iter().cloned().chain([Line::Note(more)]).collect()
            }
        };
        let traffic = cut(&self.inward).into_iter().chain(cut(&self.reaching));
        let outward = (!self.outward.is_empty()).then(|| Line::Note(format!("out: {}", self.outward.join(", "))));
        members.into_iter().chain(traffic).chain(outward).collect()
    }

    /// Returns true if it has members, and all of them are stopped.
    pub fn is_stopped(&self) -> bool {
        !self.members.is_empty() && self.members.iter().all(|member| member.state == MemberState::Stopped)
    }

    /// Its title with the number of its members: `web · 48`.
    pub fn head(&self, title: &str) -> String {
        if self.members.len() > 1 { format!("{title} · {}", self.members.len()) } else { title.to_owned() }
    }
}

/// A line of a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A member.
    Member(String),
    /// A member that is stopped.
    Stopped(String),
    /// Traffic from outside for which no arrow is drawn.
    FromOutside(String),
    /// Other traffic for which no arrow is drawn.
    Traffic(String),
    /// A remark.
    Note(String),
}

impl Line {
    /// Its words.
    pub fn words(&self) -> &str {
        match self {
            Self::Member(words)
            | Self::Stopped(words)
            | Self::FromOutside(words)
            | Self::Traffic(words)
            | Self::Note(words) => words,
        }
    }
}

/// The kind of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BoxKind {
    /// Somebody outside.
    Outside,
    /// Load balancers.
    LoadBalancers,
    /// Instances, databases, functions.
    Members,
    /// A group without members.
    Empty,
}

/// An arrow: what passes from one box to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// Index of the sender's box.
    pub from: usize,
    /// Index of the receiver's box.
    pub to: usize,
    /// Traffic, each once: `443`, `udp 53`, `icmp echo`; `? 443` where it may be closed.
    pub traffic: Vec<String>,
    /// Knowledge of it.
    pub kind: ArrowKind,
}

/// Knowledge of an arrow's traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArrowKind {
    /// It passes.
    Open,
    /// It may pass: something is not known.
    Perhaps,
}

impl Arrow {
    /// Traffic that is told; of more the number.
    const TOLD: usize = 4;

    /// Longest label, in characters; a port name alone may be longer.
    const LABEL: usize = 20;

    /// As much of its traffic as stands at an arrow, and the number of the rest: `443, udp 53 +3`.
    pub fn label(&self) -> String {
        let more = |shown: usize| {
            if shown == self.traffic.len() { String::new() } else { format!(" +{}", self.traffic.len() - shown) }
        };
        let fits =
            |shown: &usize| self.traffic[..*shown].join(", ").chars().count() + more(*shown).len() <= Self::LABEL;
        let shown = (1..=self.traffic.len()).rev().find(fits).unwrap_or_else(|| self.traffic.len().min(1));
        format!("{}{}", self.traffic[..shown].join(", "), more(shown))
    }

    /// Its traffic in one line: `443, udp 53 and 3 more`.
    pub fn words(&self) -> String {
        match self.traffic.as_slice() {
            all if all.len() <= Self::TOLD => all.join(", "),
            all => format!("{} and {} more", all[..Self::TOLD - 1].join(", "), all.len() + 1 - Self::TOLD),
        }
    }
}

/// Both ends of a long name: what tells it from others may be at either.
fn shortened(name: &str, length: usize) -> String {
    let all: Vec<char> = name.chars().collect();
    if all.len() <= length {
        return name.to_owned();
    }
    let end = (length - 1) / 2;
    all[..length - 1 - end].iter().chain(['…'].iter()).chain(&all[all.len() - end..]).collect()
}

/// `web10` stands behind `web2`.
pub(super) fn natural(name: &str) -> (String, u64, String) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem.to_owned(), name[stem.len()..].parse().unwrap_or(0), name.to_owned())
}
