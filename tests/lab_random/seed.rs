//! From a seed and a number to a file, always the same one.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sglab::topology::Topology;

use crate::draft::Diagnostic;
use crate::{flows, strategy};

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
