//! Ranges of ports with numbers, of which those that meet another range are found without asking each.

/// Both ends included.
type Range = (u16, u16);

/// Ranges in the order of their beginnings, with the last end in each half, quarter and so on of them.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    all: Vec<(Range, usize)>,
    /// The last end in a part of `all`: its middle is the place. A tree without pointers.
    last: Vec<u16>,
}

impl Ranges {
    /// Adds one. What is added behind [`Self::finish`] is not found.
    pub fn add(&mut self, range: Range, number: usize) {
        self.all.push((range, number));
    }

    /// Sorts what was added.
    pub fn finish(&mut self) {
        self.all.sort_unstable();
        self.last = vec![0; self.all.len()];
        self.note_last(0, self.all.len());
    }

    fn note_last(&mut self, from: usize, to: usize) -> u16 {
        if from == to {
            return 0;
        }
        let middle = from.midpoint(to);
        let below = self.note_last(from, middle);
        let above = self.note_last(middle + 1, to);
        let last = self.all[middle].0.1.max(below).max(above);
        self.last[middle] = last;
        last
    }

    /// Adds the numbers of those that have a port in common with a range.
    pub fn meeting(&self, range: Range, found: &mut Vec<usize>) {
        self.search(range, 0, self.last.len(), found);
    }

    fn search(&self, range: Range, from: usize, to: usize, found: &mut Vec<usize>) {
        let middle = from.midpoint(to);
        if from == to || self.last[middle] < range.0 {
            return;
        }
        self.search(range, from, middle, found);
        let ((first, last), number) = self.all[middle];
        if first > range.1 {
            return;
        }
        if last >= range.0 {
            found.push(number);
        }
        self.search(range, middle + 1, to, found);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn those_that_meet_are_found_and_no_others(
            all in prop::collection::vec((0_u16..40, 0_u16..9), 0..30),
            (from, length) in (0_u16..40, 0_u16..9),
        ) {
            let all: Vec<Range> = all.into_iter().map(|(from, length)| (from, from + length)).collect();
            let mut ranges = Ranges::default();
            all.iter().enumerate().for_each(|(number, range)| ranges.add(*range, number));
            ranges.finish();
            let mut found = Vec::new();
            ranges.meeting((from, from + length), &mut found);
            found.sort_unstable();
            let meets = |range: &Range| range.0 <= from + length && from <= range.1;
            let wanted: Vec<usize> = all.iter().enumerate().filter(|(_, range)| meets(range)).map(|(number, _)| number).collect();
            prop_assert_eq!(found, wanted);
        }
    }
}
