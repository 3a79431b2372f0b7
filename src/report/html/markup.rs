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

/// Legible on a beamer and on paper; light and dark; letters carry the meaning, colours repeat it.
pub const STYLE: &str = "
:root { color-scheme: light dark; --page: #ffffff; --ink: #1f2328; --faint: #656d76; --line: #d0d7de; --box: #f6f8fa;
  --good: #1a7f37; --bad: #cf222e; --unsure: #9a6700; --open: #dafbe1; --wrong: #ffd8d3; --odd: #fff8c5; }
@media (prefers-color-scheme: dark) { :root { --page: #0d1117; --ink: #e6edf3; --faint: #8b949e; --line: #30363d; --box: #161b22;
  --good: #3fb950; --bad: #ff7b72; --unsure: #d29922; --open: #12361f; --wrong: #67160f; --odd: #3a2d0b; } }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 ui-sans-serif, system-ui, sans-serif; }
main, footer { max-width: 75rem; margin: 0 auto; padding: 1rem 1.5rem; }
h1 { font-size: 1.6rem; margin: 1.5rem 0 .3rem; } h2 { font-size: 1.15rem; margin: 0 0 .5rem; } h2 a { color: var(--faint); text-decoration: none; }
small, .faint, figcaption, .facts { color: var(--faint); font-weight: 400; }
.verdict { font-size: .8rem; font-weight: 700; padding: .15rem .5rem; border: 1.5px solid; border-radius: 1rem; vertical-align: middle; }
.good { color: var(--good); } .bad { color: var(--bad); } .unsure { color: var(--unsure); }
article { border: 1px solid var(--line); border-radius: 8px; padding: 1rem; margin: 1rem 0; background: var(--box); }
.note { max-width: 45rem; margin: 0 0 .7rem; } figure { margin: 1rem 0; overflow-x: auto; } figure svg { max-width: 100%; height: auto; }
pre { overflow-x: auto; padding: .8rem; border-left: 4px solid var(--bad); background: var(--page); font-size: 13px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; background: var(--page); }
th, td { border: 1px solid var(--line); padding: .15rem .45rem; text-align: left; } thead th { background: var(--box); }
.grid td { text-align: center; font-family: ui-monospace, monospace; min-width: 1.4em; } .grid th.port { font-weight: 400; color: var(--faint); }
.grid th[scope=row] { white-space: nowrap; position: sticky; left: 0; background: var(--box); }
td.open { background: var(--open); font-weight: 700; } td.dropped { color: var(--faint); } td.other, td.inconclusive { background: var(--odd); }
td.wrong { background: var(--wrong); font-weight: 700; } td.changed { outline: 2.5px solid var(--ink); outline-offset: -2.5px; }
td.none { background: repeating-linear-gradient(45deg, transparent 0 5px, var(--line) 5px 6px); }
details { margin: .7rem 0; } summary { cursor: pointer; } footer { color: var(--faint); border-top: 1px solid var(--line); font-size: 13px; }
@media print { article { break-inside: avoid; } details { display: block; } details > *:not(summary) { display: block; } body { font-size: 11px; } }
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_is_text() {
        assert_eq!(escaped("<script>alert(\"&\")</script>"), "&lt;script&gt;alert(&quot;&amp;&quot;)&lt;/script&gt;");
    }
}
