//! Suggestions for a name that nobody has.

/// A shorter beginning of a word says nothing of it.
const SHORTEST_BEGINNING: usize = 3;

/// A name of one letter is as near to any other: only its case can have been meant otherwise.
const SHORTEST_MISSPELT: usize = 2;

/// "did you mean ...?", where one of the candidates is close, or is the only one that begins so.
pub fn suggest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    closest(word, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// The candidate that was meant by a word: one that is close, or the only one that begins so.
pub fn closest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    let length = word.chars().count();
    if length > 63 {
        return None;
    }
    let lower = word.to_lowercase();
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let begun = |candidate: &&str| length >= SHORTEST_BEGINNING && candidate.to_lowercase().starts_with(&lower);
    let mut longer = candidates.iter().copied().filter(begun);
    let only = longer.next().filter(|_| longer.next().is_none());
    let close = candidates
        .iter()
        .copied()
        .filter(|candidate| {
            let long = candidate.chars().count();
            let is_misspelt = long.min(length) >= SHORTEST_MISSPELT && long.abs_diff(length) <= 3;
            *candidate != word && (is_misspelt || candidate.to_lowercase() == lower)
        })
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= (length / 3).clamp(1, 3))
        // Among equals the one that is spelt more alike: `db2` is `db1` rather than `DB`.
        .min_by_key(|(distance, candidate)| (*distance, strsim::damerau_levenshtein(word, candidate)))
        .map(|(_, candidate)| candidate);
    close.or(only.filter(|only| *only != word)).map(str::to_owned)
}

/// Maximum number of names listed where one is not found.
const MAX_NAMES: usize = 20;

/// Suggests names for those that nobody has, and lists the names that there are: `did you mean \`web1\`? there are web1, db1`.
pub fn meant<'w>(words: impl IntoIterator<Item = &'w str>, names: &[&str]) -> String {
    let guesses: Vec<String> = words.into_iter().filter_map(|word| closest(word, names.iter().copied())).collect();
    let there = match names {
        [] => "there are none".to_owned(),
        [name] => format!("there is {name}"),
        names if names.len() > MAX_NAMES => format!("there are {} ...", names[..MAX_NAMES].join(", ")),
        names => format!("there are {}", names.join(", ")),
    };
    match guesses.as_slice() {
        [] => there,
        guesses => format!("did you mean `{}`? {there}", guesses.join("` and `")),
    }
}

/// Says that nobody has a name, and what may have been meant.
pub fn no_such(kind: &str, word: &str, names: &[&str]) -> String {
    format!("there is no {kind} `{word}`; {}", meant([word], names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_one_letter_is_suggested_for_its_case_alone() {
        assert_eq!(closest("b", ["a", "c"]), None);
        assert_eq!(closest("ab", ["a"]), None);
        assert_eq!(closest("A", ["a", "b"]).as_deref(), Some("a"));
        assert_eq!(closest("wbe", ["web", "w"]).as_deref(), Some("web"));
    }
}
