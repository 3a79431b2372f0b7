//! A topology file as lines that can be taken out one by one: what is drawn, and what shrinks.

use std::collections::BTreeSet;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sglab::topology::Topology;

use crate::{flows, strategy};

/// What a line is written as when nothing stands below it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Childless {
    /// Itself: it never has anything below it.
    Itself,
    /// It goes.
    Gone,
    /// An empty list, `ingress: []`.
    List,
    /// An empty mapping, `a: {}`.
    Mapping,
}

/// One line; deeper lines behind it belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub indent: usize,
    pub text: String,
    pub childless: Childless,
    /// Without it there is no file.
    pub fixed: bool,
}

/// The lines of a file, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostic(pub Vec<Line>);

impl Diagnostic {
    pub fn add(&mut self, indent: usize, text: impl Into<String>, childless: Childless) {
        self.0.push(Line { indent, text: text.into(), childless, fixed: false });
    }

    /// A line that is never taken out.
    pub fn fix(&mut self, indent: usize, text: impl Into<String>) {
        self.0.push(Line { indent, text: text.into(), childless: Childless::Itself, fixed: true });
    }

    /// Where what belongs to a line ends.
    pub fn end_of(&self, at: usize) -> usize {
        let deeper = |line: &Line| line.indent > self.0[at].indent;
        self.0[at + 1..].iter().position(|line| !deeper(line)).map_or(self.0.len(), |length| at + 1 + length)
    }

    /// Without some lines and what belongs to them.
    pub fn without(&self, lines: &BTreeSet<usize>) -> Self {
        let gone: BTreeSet<usize> = lines.iter().flat_map(|at| *at..self.end_of(*at)).collect();
        Self(self.0.iter().enumerate().filter(|(at, _)| !gone.contains(at)).map(|(_, line)| line.clone()).collect())
    }

    /// The text of the file, and which of the lines each of its lines is.
    fn written(&self) -> (String, Vec<usize>) {
        let (mut text, mut from) = (String::new(), Vec::new());
        for (at, line) in self.0.iter().enumerate() {
            let alone = self.end_of(at) == at + 1;
            let behind = match line.childless {
                Childless::Gone if alone => continue,
                Childless::List if alone => " []",
                Childless::Mapping if alone => " {}",
                _ => "",
            };
            text.push_str(&format!("{:1$}{2}{behind}\n", "", line.indent, line.text));
            from.push(at);
        }
        (text, from)
    }

    pub fn text(&self) -> String {
        self.written().0
    }

    /// Takes out what the reader finds fault with, until it finds none. Nothing if a line that must stay is at fault.
    pub fn settled(mut self) -> Option<(Self, Topology)> {
        loop {
            let (text, from) = self.written();
            let problems = match Topology::parse("random.yaml", text.as_bytes()) {
                Ok(topology) => return Some((self, topology)),
                Err(problems) => problems,
            };
            let blamed = problems.iter().filter_map(|problem| from.get(problem.place().line as usize - 1).copied());
            let faulty: BTreeSet<usize> = blamed.filter(|at| !self.0[*at].fixed).collect();
            if faulty.is_empty() {
                return None;
            }
            self = self.without(&faulty);
        }
    }
}

/// So many are drawn for a number until one is a file.
const TRIES: u64 = 20;

/// The file of a seed and a number. The same for ever, as long as the strategy is the same.
pub fn draw(seed: u64, number: u64) -> Option<(Diagnostic, Topology)> {
    (0..TRIES).find_map(|attempt| {
        let mut bytes = [0; 32];
        for (at, word) in [seed, number, attempt, 0].into_iter().enumerate() {
            bytes[at * 8..][..8].copy_from_slice(&word.to_le_bytes());
        }
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let drawn = strategy::clouds().new_tree(&mut runner).ok()?.current();
        flows::fill(&drawn)?.settled()
    })
}
