//! A Rust source as words: enough of a lexer to see which paths a file names, blind to comments and strings.

/// A word or a mark of punctuation (`::` is one), and the line it is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    pub line: usize,
}

/// The words of a source, without comments, strings, characters and lifetimes.
pub fn words(source: &str) -> Vec<Word> {
    let chars: Vec<char> = source.chars().collect();
    let mut words: Vec<Word> = Vec::new();
    let (mut at, mut line) = (0, 1);
    let word_part = |c: char| c.is_alphanumeric() || c == '_';
    while at < chars.len() {
        let rest = &chars[at..];
        let starts = |text: &str| text.chars().enumerate().all(|(i, c)| rest.get(i) == Some(&c));
        let length = if starts("//") {
            rest.iter().position(|c| *c == '\n').unwrap_or(rest.len())
        } else if starts("/*") {
            block_comment(rest)
        } else if let Some(length) = string(rest) {
            length
        } else if rest[0] == '\'' {
            character_or_lifetime(rest)
        } else if word_part(rest[0]) {
            let length = rest.iter().position(|c| !word_part(*c)).unwrap_or(rest.len());
            words.push(Word { text: rest[..length].iter().collect(), line });
            length
        } else if starts("::") {
            words.push(Word { text: "::".into(), line });
            2
        } else {
            if !rest[0].is_whitespace() {
                words.push(Word { text: rest[0].to_string(), line });
            }
            1
        };
        line += rest[..length].iter().filter(|c| **c == '\n').count();
        at += length;
    }
    words
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match (rest[at], rest.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of a string literal of any kind, if one begins here.
fn string(rest: &[char]) -> Option<usize> {
    let prefix = rest.iter().take_while(|c| matches!(c, 'b' | 'r' | 'c')).count();
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    let open = prefix + hashes;
    if prefix > 2 || rest.get(open) != Some(&'"') || (hashes > 0 && !rest[..prefix].contains(&'r')) {
        return None;
    }
    let raw = rest[..prefix].contains(&'r');
    let mut at = open + 1;
    while at < rest.len() {
        match rest[at] {
            '\\' if !raw => at += 2,
            '"' if rest[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes => {
                return Some(at + 1 + hashes);
            }
            _ => at += 1,
        }
    }
    Some(rest.len())
}

fn character_or_lifetime(rest: &[char]) -> usize {
    match (rest.get(1), rest.get(2)) {
        (Some('\\'), _) => rest.iter().skip(3).position(|c| *c == '\'').map_or(rest.len(), |end| end + 4),
        (Some(_), Some('\'')) => 3,
        _ => 1,
    }
}

/// Takes out what is compiled for tests only; gives the names of modules that are, too, and lie in other files.
pub fn without_tests(words: Vec<Word>) -> (Vec<Word>, Vec<String>) {
    let (mut kept, mut modules) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < words.len() {
        let begins = ["#", "[", "cfg", "(", "test", ")", "]"];
        if !begins.iter().enumerate().all(|(i, text)| words.get(at + i).is_some_and(|word| word.text == *text)) {
            kept.push(words[at].clone());
            at += 1;
            continue;
        }
        let mut end = at + begins.len();
        let mut depth = 0;
        while end < words.len() {
            match words[end].text.as_str() {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            let last = &words[end].text;
            end += 1;
            if depth == 0 && (last == ";" || last == "}") {
                break;
            }
        }
        let item = &words[at + begins.len()..end];
        if let [.., word, name, semicolon] = item
            && word.text == "mod"
            && semicolon.text == ";"
        {
            modules.push(name.text.clone());
        }
        at = end;
    }
    (kept, modules)
}

/// A path as a file names it, groups taken apart: `crate::{a, b::c}` is two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub path: Vec<String>,
    pub line: usize,
}

/// Every path in a file of the module `home`; `super` and `self` are resolved, to a path that begins with `crate`.
pub fn paths(words: &[Word], home: &[String]) -> Vec<Named> {
    let mut found = Vec::new();
    // Inline modules, with the depth of braces that each ends at.
    let mut inside: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while at < words.len() {
        let text = words[at].text.as_str();
        match text {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inside.pop_if(|(_, ends)| *ends == depth);
            }
            "mod" if words.get(at + 2).is_some_and(|word| word.text == "{") => {
                inside.push((words[at + 1].text.clone(), depth));
            }
            _ => {}
        }
        let first = text.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
        if !first || (at > 0 && words[at - 1].text == "::") {
            at += 1;
            continue;
        }
        let mut here = home.to_vec();
        here.extend(inside.iter().map(|(name, _)| name.clone()));
        let mut raw = Vec::new();
        let end = tree(words, at, &[], &mut raw);
        found.extend(raw.into_iter().map(|named| Named { path: resolve(&named.path, &here), line: named.line }));
        at = end.max(at + 1);
    }
    found
}

/// Reads a path, or a tree of them, and gives where it ends.
fn tree(words: &[Word], mut at: usize, prefix: &[String], found: &mut Vec<Named>) -> usize {
    let line = words.get(at).map_or(0, |word| word.line);
    let mut path = prefix.to_vec();
    loop {
        match words.get(at).map(|word| word.text.as_str()) {
            Some("{") if !prefix.is_empty() || !path.is_empty() => {
                at += 1;
                while words.get(at).is_some_and(|word| word.text != "}") {
                    let before = at;
                    at = tree(words, at, &path, found);
                    // `as other`, a comma, or something that is no tree.
                    while words.get(at).is_some_and(|word| word.text == "," || word.text == "as") {
                        at += if words[at].text == "as" { 2 } else { 1 };
                    }
                    if at == before {
                        at += 1;
                    }
                }
                return at + 1;
            }
            Some(word) => path.push(word.to_owned()),
            None => break,
        }
        at += 1;
        if words.get(at).is_none_or(|word| word.text != "::") {
            break;
        }
        at += 1;
    }
    found.push(Named { path, line });
    at
}

fn resolve(path: &[String], here: &[String]) -> Vec<String> {
    let ups = path.iter().take_while(|segment| *segment == "super").count();
    let (base, rest) = match path[0].as_str() {
        "super" => (&here[..here.len().saturating_sub(ups)], &path[ups..]),
        "self" if path.get(1).is_some_and(|segment| segment == "super") => return resolve(&path[1..], here),
        "self" => (here, &path[1..]),
        _ => return path.to_vec(),
    };
    [&["crate".to_owned()], base, rest].concat()
}
