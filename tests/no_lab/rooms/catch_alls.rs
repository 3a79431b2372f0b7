//! Arms of a `match` that take whatever the other arms leave.

use super::source::Word;

/// The lines of such arms in each `match` whose patterns name a variant of one of these enums. `Self` is one of them in an `impl` of it.
pub fn catch_alls(words: &[Word], enums: &[&str]) -> Vec<usize> {
    let source = Source { words, enums };
    let own = source.in_impls();
    let mut found = Vec::new();
    for at in (0..words.len()).filter(|at| source.text(*at) == "match") {
        let patterns = source.patterns(source.opening(at));
        let names = |at: usize| {
            let is_enum = enums.contains(&source.text(at)) || source.text(at) == "Self" && own[at];
            is_enum && source.text(at + 1) == "::"
        };
        if patterns.iter().any(|(from, to)| (*from..*to).any(names)) {
            let whole = patterns.iter().filter(|(from, to)| takes_all(&words[*from..*to]));
            found.extend(whole.map(|(from, _)| words[*from].line));
        }
    }
    found
}

/// Returns true of `_`, of a name for what is left, and of these in parentheses or `Some`; not where an `if` stands behind it.
fn takes_all(pattern: &[Word]) -> bool {
    let is_name = |text: &str| text.starts_with(|c: char| c == '_' || c.is_lowercase());
    let is_plain = |text: &str| is_name(text) || ["(", ")", ",", "&", ".", "Some"].contains(&text);
    let texts = || pattern.iter().map(|word| word.text.as_str());
    texts().all(|text| is_plain(text) && !["if", "true", "false"].contains(&text)) && texts().any(is_name)
}

struct Source<'a> {
    words: &'a [Word],
    enums: &'a [&'a str],
}

impl Source<'_> {
    fn text(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| word.text.as_str())
    }

    /// The change of depth by a bracket of any kind.
    fn step(&self, at: usize) -> i32 {
        match self.text(at) {
            "(" | "[" | "{" => 1,
            ")" | "]" | "}" => -1,
            _ => 0,
        }
    }

    /// The first `{` from here on that is in no other bracket.
    fn opening(&self, from: usize) -> usize {
        let mut depth = 0;
        let is_it = |at: &usize| {
            let is_outside = depth == 0;
            depth += self.step(*at);
            is_outside && self.text(*at) == "{"
        };
        (from..self.words.len()).find(is_it).unwrap_or(self.words.len())
    }

    /// Whether each word stands in an `impl` of one of the enums, none of which has parameters.
    fn in_impls(&self) -> Vec<bool> {
        let mut own = vec![false; self.words.len()];
        let is_item = |at: &usize| {
            // Elsewhere it is a type.
            let before = if *at == 0 { "" } else { self.text(*at - 1) };
            self.text(*at) == "impl" && ["", "}", ";", "]", "{"].contains(&before)
        };
        for at in (0..self.words.len()).filter(is_item) {
            let open = self.opening(at);
            if self.enums.contains(&self.text(open - 1)) {
                let mut depth = 0;
                for (at, is_own) in own.iter_mut().enumerate().skip(open) {
                    depth += self.step(at);
                    *is_own = true;
                    if depth == 0 {
                        break;
                    }
                }
            }
        }
        own
    }

    /// The patterns of a match that opens here, each with its `if`, as ranges of words.
    fn patterns(&self, open: usize) -> Vec<(usize, usize)> {
        let mut patterns = Vec::new();
        let (mut from, mut depth, mut is_body) = (open + 1, 0, false);
        for at in open..self.words.len() {
            depth += self.step(at);
            if depth == 0 {
                break;
            }
            // Past a comma or a block there is the next arm. No pattern has a comma in no bracket.
            let ends_body = self.text(at) == "," || is_body && self.text(at) == "}";
            if depth == 1 && ends_body {
                (from, is_body) = (at + 1, false);
            } else if depth == 1 && !is_body && self.text(at) == "=" && self.text(at + 1) == ">" {
                patterns.push((from, at));
                is_body = true;
            }
        }
        patterns
    }
}

/// Matches on an enum `Operation`, each with the number of arms that take what is left.
#[test]
fn catch_alls_of_every_form_are_found() {
    let planted = [
        ("match it { Operation::Stop(_) => f(), _ => {} }", 1),
        ("match it { Operation::Stop(_) => f(), _ => Vec::new() }", 1),
        ("match it { Operation::Stop(_) => { f() } _ => return None, }", 1),
        ("match it { Operation::Stop(n) => f(n), other => other.to_string() }", 1),
        ("match (it, n) { (Operation::Stop(_), 1) => f(), (_, _) => g() }", 1),
        ("match &it.value { Some(Operation::Stop(_)) => f::<A, B>(), Some(_) => g(), None => h() }", 1),
        ("match it { Operation::Edit { name, .. } => A { name }.f(), _ => g() }", 1),
        ("match f(|it| { it }) { Operation::Stop(_) => g(), _ => h() }", 1),
        ("impl Operation { fn f(&self) { match self { Self::Stop(_) => g(), _ => h() } } }", 1),
        ("use a; impl fmt::Display for Operation { fn f(&self) { match self { Self::Stop(_) => g(), _ => h() } } }", 1),
        ("match it { Operation::Stop(n) => match n { 1 => f(), _ => g() }, Operation::Start(_) => h() }", 0),
        ("match n { 1 => Operation::Stop(n), _ => Operation::Start(n) }", 0),
        ("match it { Operation::Stop(n) if n == 1 => f(), _ if g() => h(), Operation::Stop(_) => i() }", 0),
        ("match it { None => f(), Some(Operation::Stop(_)) => g() }", 0),
        ("impl Other { fn f(&self) { match self { Self::Stop(_) => g(), _ => h() } } }", 0),
        (
            "impl From<Operation> for Other { fn f(a: impl Into<Operation>) { match a { Self::Stop => g(), _ => h() } } }",
            0,
        ),
    ];
    for (source, expected) in planted {
        assert_eq!(catch_alls(&super::source::words(source), &["Operation"]).len(), expected, "{source}");
    }
}
