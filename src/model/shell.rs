//! Words as a POSIX shell takes them.

/// A word for a shell: as it is where every character is plain, else in single quotes.
///
/// ```
/// use sglab::model::shell_word;
///
/// assert_eq!(shell_word("SG-T-DB"), "SG-T-DB");
/// assert_eq!(shell_word("tcp 22 from it's"), r"'tcp 22 from it'\''s'");
/// assert_eq!(shell_word(""), "''");
/// ```
pub fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", within_quotes(word)) }
}

/// A part of a word that stands between single quotes.
pub(crate) fn within_quotes(text: &str) -> String {
    text.replace('\'', "'\\''")
}
