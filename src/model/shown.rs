//! Values in words: names and numbers as they are shown, and as a shell takes them.

use std::borrow::Cow;
use std::str::FromStr;

/// Characters that a terminal does not show, that move what it shows, or that turn the direction of writing.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// One character: `\n`, `\t` and `\u{1b}` in place of what would not be seen as itself.
pub(crate) fn push(shown: &mut String, c: char) {
    match c {
        '\n' | '\r' | '\t' => shown.extend(c.escape_default()),
        c if is_hidden(c) => shown.extend(c.escape_unicode()),
        c => shown.push(c),
    }
}

/// Beginnings of what the log of a workflow takes for a command, wherever it stands in a line.
const COMMANDS: [&str; 2] = ["##[", "##vso["];

/// A text on one line, without effect on the terminal or in the log of a workflow. Whatever else Unicode has stays as it is.
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) && !COMMANDS.iter().any(|command| text.contains(command)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    text.chars().for_each(|c| push(&mut shown, c));
    Cow::Owned(without_commands(shown, "\\u{23}"))
}

/// The text with something else in place of the second `#` of what would be a command.
pub(crate) fn without_commands(text: String, instead: &str) -> String {
    COMMANDS.iter().fold(text, |text, command| {
        if text.contains(command) {
            text.replace(command, &command.replacen("##", &format!("#{instead}"), 1))
        } else {
            text
        }
    })
}

/// Reads a whole number of digits alone. `parse` takes a plus before them, which no number of a file or of an id has.
pub fn number<T: FromStr>(text: &str) -> Option<T> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_or_hides_is_an_escape_and_the_rest_stays() {
        for plain in ["", "web1 -> db1:22", "Größe, 大きさ, حجم, \u{1f310}", "C:\\temp"] {
            assert_eq!(shown(plain), plain);
        }
        for (text, escaped) in [
            ("a\u{1b}]0;x\u{7}b", "a\\u{1b}]0;x\\u{7}b"),
            ("a\n::error::b\r\tc", "a\\n::error::b\\r\\tc"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{7f}\u{85}\u{2028}", "\\u{7f}\\u{85}\\u{2028}"),
            ("ab\u{202e}dc\u{2069}", "ab\\u{202e}dc\\u{2069}"),
            ("a\u{200b}b\u{e0041}", "a\\u{200b}b\\u{e0041}"),
            ("# ##[error]a ##vso[b", "# #\\u{23}[error]a #\\u{23}vso[b"),
        ] {
            assert_eq!(shown(text), escaped);
        }
    }
}
