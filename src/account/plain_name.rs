//! Names that a topology can have, as like those of an account as can be.

use crate::model::MAX_NAME;

/// Makes a name of a topology of any other: letters, digits, `-` and `_`, beginning with a letter. A name of digits would be a number in a file,
/// and `sg-1` an id.
pub fn plain_name(wanted: &str) -> String {
    let mut name = String::new();
    for c in wanted.trim().chars() {
        match c {
            c if c.is_ascii_alphanumeric() || c == '_' || c == '-' => name.push(c),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    let name = name.trim_matches('-');
    // `default-VPC` is the default group of a VPC in a topology.
    let is_taken = |name: &str| ["sg-", "default-"].iter().any(|beginning| name.to_lowercase().starts_with(beginning));
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic()) && !is_taken(name);
    let mut name = if begins { name.to_owned() } else { format!("n-{name}") };
    name.truncate(MAX_NAME);
    name.trim_end_matches('-').to_owned()
}

/// Returns the name without the number by which it is told from its twins: `web` of `web-2`.
pub fn without_number(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((stem, number)) if !stem.is_empty() && number.parse().is_ok_and(|number: u32| number > 1) => stem,
        _ => name,
    }
}
