//! Text in markup: nothing of a name is a tag.

use crate::model::shown;

/// The text with what has a meaning in HTML escaped, in its lines.
pub fn escaped(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| shown(line).into_owned()).collect();
    lines.join("\n").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// An id that links point at: `run-1-rule-3`.
pub fn anchor(run: usize, what: &str, number: usize) -> String {
    format!("run-{run}-{what}-{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_is_text() {
        assert_eq!(escaped("<script>alert(\"&\")</script>"), "&lt;script&gt;alert(&quot;&amp;&quot;)&lt;/script&gt;");
    }
}
