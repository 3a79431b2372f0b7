//! Reads what the text of a rule names. The only reading of it, for the tests here and for `tests/mutants`.

use super::nft::Ruleset;

/// The sets and maps that a text names. `@th,160,32` is a part of a packet.
pub fn sets(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().filter_map(|word| word.strip_prefix('@')).filter(|name| !name.contains(','))
}

/// The chains that a text leads to.
pub fn chains(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split_whitespace();
    words.clone().zip(words.skip(1)).filter(|(word, _)| matches!(*word, "jump" | "goto")).map(|(_, chain)| chain)
}

/// Finds out if a rule or an entry of a map names a set, a map or a chain.
pub fn is_named(ruleset: &Ruleset, name: &str) -> bool {
    let texts = ruleset.chains.values().flat_map(|chain| chain.rules.iter().map(|rule| rule.text.as_str()));
    let verdicts = ruleset.maps.values().flat_map(|map| map.elements.values().map(String::as_str));
    texts.chain(verdicts).any(|text| sets(text).chain(chains(text)).any(|named| named == name))
}
