//! Places on a line that are as near as can be to the wanted ones, and apart.

/// Something with a size that would stand somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Wanted middle.
    pub middle: i32,
    /// Size.
    pub size: i32,
    /// Weight of its wish.
    pub weight: i32,
}

/// Gives middles in the same order, at least `gap` between one's end and the next one's beginning, with the least sum of weighted squares of
/// distances from the wanted ones: by pooling neighbours that would overlap.
pub(super) fn apart(all: &[Wanted], gap: i32) -> Vec<i32> {
    // Distance from the first that each has at least.
    let mut offsets: Vec<i64> = Vec::with_capacity(all.len());
    for (index, one) in all.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| (offsets[before], all[before].size));
        offsets.push(before.map_or(0, |(offset, size)| offset + i64::from((size + one.size) / 2 + gap)));
    }
    // Pools: sum of weighted places, sum of weights, number of members.
    let mut pools: Vec<(i64, i64, usize)> = Vec::new();
    for (one, offset) in all.iter().zip(&offsets) {
        let weight = i64::from(one.weight.max(1));
        pools.push(((i64::from(one.middle) - offset) * weight, weight, 1));
        while let [.., (sum, weights, count), (next, more, others)] = pools.as_slice() {
            if sum * more <= next * weights {
                break;
            }
            let joined = (sum + next, weights + more, count + others);
            pools.truncate(pools.len() - 2);
            pools.push(joined);
        }
    }
    let begins = pools.iter().flat_map(|(sum, weights, count)| std::iter::repeat_n(sum.div_euclid(*weights), *count));
    begins.zip(offsets).map(|(begin, offset)| i32::try_from(begin + offset).unwrap_or(i32::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(middles: &[i32]) -> Vec<i32> {
        let all: Vec<Wanted> = middles.iter().map(|&middle| Wanted { middle, size: 10, weight: 1 }).collect();
        apart(&all, 2)
    }

    #[test]
    fn what_has_room_stands_where_it_would_and_what_has_none_shares_it() {
        assert_eq!(places(&[0, 50, 100]), [0, 50, 100]);
        assert_eq!(places(&[50, 50]), [44, 56]);
        assert_eq!(places(&[0, 50, 50, 50, 100]), [0, 38, 50, 62, 100]);
        assert_eq!(places(&[100, 0]), [44, 56]);
        assert_eq!(places(&[]), [0; 0]);
    }
}
