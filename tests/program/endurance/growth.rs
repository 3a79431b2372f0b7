//! Whether what a lab holds has grown: the median of the last quarter of the looks against that of the first, after a warm-up.

use std::fmt::Write;

use super::held::{Allowance, Held, Kind};

/// Looks at a lab, in their order.
#[derive(Debug, Default)]
pub struct Series(Vec<Held>);

impl Series {
    pub fn add(&mut self, held: Held) {
        self.0.push(held);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn kinds(&self) -> Vec<Kind> {
        self.0.first().into_iter().flat_map(Held::iter).map(|(kind, _)| kind).collect()
    }

    fn figures(&self, kind: Kind) -> Vec<u64> {
        self.0.iter().filter_map(|held| held.of(kind)).collect()
    }

    /// What has grown.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for kind in self.kinds() {
            // What is kept for who asks later needs memory until it is full.
            if kind == Kind::Memory && self.fills() {
                continue;
            }
            let figures = self.figures(kind);
            if figures.len() < self.len() {
                complaints.push(format!("{} could not be seen every time", kind.word()));
            }
            complaints.extend(growth(&figures, kind.allowance()).map(|how| format!("{} grow: {how}", kind.word())));
        }
        complaints
    }

    /// Whether what is kept for who asks later still becomes more.
    fn fills(&self) -> bool {
        [Kind::Events, Kind::FlowRecords].iter().any(|kind| {
            let figures = self.figures(*kind);
            let at = |part: usize| figures.get(figures.len() * part / 4).copied().unwrap_or(0);
            // Whole windows go.
            at(1) * 10 < figures.last().copied().unwrap_or(0) * 8
        })
    }

    /// Each kind at the beginning, in the middle and at the end.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        if self.fills() {
            text += "memory is not judged: what is kept for who asks later still fills\n";
        }
        for kind in self.kinds() {
            let figures = self.figures(kind);
            let at = |part: usize| figures[(figures.len() - 1) * part / 2];
            writeln!(text, "{:<10} {:>9} {:>9} {:>9}", kind.word(), at(0), at(1), at(2)).expect("a string");
        }
        text
    }
}

/// How figures have grown beyond what is allowed.
fn growth(figures: &[u64], allowance: Allowance) -> Option<String> {
    // A quarter is the warm-up: pools of threads, of memory and of buffers fill.
    let warm = &figures[figures.len() / 4..];
    let quarter = warm.len().div_ceil(4);
    let (first, last) = (median(&warm[..quarter]), median(&warm[warm.len() - quarter..]));
    let most = match allowance {
        Allowance::Few(few) => first + few,
        Allowance::Part(part, few) => first + (first as f64 * part) as u64 + few,
        Allowance::UpTo(most) => most,
        Allowance::NotJudged => return None,
    };
    (last > most).then(|| format!("from {first} to {last}, and {most} is the most"))
}

fn median(figures: &[u64]) -> u64 {
    let mut figures = figures.to_vec();
    figures.sort_unstable();
    figures.get(figures.len() / 2).copied().unwrap_or(0)
}

#[test]
fn what_grows_with_every_look_is_told_and_what_comes_and_goes_is_not() {
    let leaking: Vec<u64> = (0..40).map(|look| 100 + look).collect();
    let coming_and_going: Vec<u64> = (0..40).map(|look| 100 + look % 7).collect();
    let warming_up: Vec<u64> = (0..40).map(|look: u64| 100 + 50 * look.min(9)).collect();
    assert_eq!(growth(&leaking, Allowance::Few(4)), Some("from 114 to 136, and 118 is the most".to_owned()));
    assert_eq!(growth(&coming_and_going, Allowance::Few(4)), None);
    assert_eq!(growth(&warming_up, Allowance::Few(4)), None);
    assert!(growth(&[5, 5, 5, 5000, 5000], Allowance::UpTo(4096)).is_some());
}
