//! Story of a file: the comment that it begins with, taken apart by the words its paragraphs begin with.

/// Subject of a paragraph of the opening comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// `People expect:`
    Expect,
    /// `What happens:`
    Happens,
    /// `Why:`
    Why,
    /// `The cure:`
    Cure,
    /// `Source:` or `Sources:`
    Source,
    /// Anything else.
    About,
}

/// The words that begin a paragraph.
const LABELS: &[(&str, Part)] = &[
    ("People expect:", Part::Expect),
    ("What happens:", Part::Happens),
    ("Why:", Part::Why),
    ("The cure:", Part::Cure),
    ("Source:", Part::Source),
    ("Sources:", Part::Source),
];

impl Part {
    /// Every part, in the order in which a story is told.
    pub const ALL: [Self; 6] = [Self::About, Self::Expect, Self::Happens, Self::Why, Self::Cure, Self::Source];

    /// The words for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expect => "people expect",
            Self::Happens => "what happens",
            Self::Why => "why",
            Self::Cure => "the cure",
            Self::Source => "source",
            Self::About => "about",
        }
    }
}

/// The opening comment of a topology file; empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// The paragraphs, in the order of the file.
    pub paragraphs: Vec<(Part, String)>,
}

impl Story {
    /// Takes the opening comment of a file apart. No comment is wrong: what has no known label is told as it is.
    pub fn of(text: &str) -> Self {
        let mut paragraphs: Vec<(Part, String)> = Vec::new();
        let mut open = false;
        for line in text.lines() {
            let Some(line) = line.trim_end().strip_prefix('#') else { break };
            let line = line.trim();
            if line.starts_with("yaml-language-server:") {
                continue;
            }
            if line.is_empty() {
                open = false;
                continue;
            }
            match labelled(line) {
                Some((part, rest)) => paragraphs.push((part, rest.to_owned())),
                None => match paragraphs.last_mut().filter(|_| open) {
                    Some((_, text)) => {
                        let gap = if text.is_empty() { "" } else { " " };
                        text.push_str(gap);
                        text.push_str(line);
                    }
                    None => paragraphs.push((Part::About, line.to_owned())),
                },
            }
            open = true;
        }
        paragraphs.retain(|(_, text)| !text.is_empty());
        Self { paragraphs }
    }

    /// Returns the paragraphs of this part.
    pub fn of_part(&self, part: Part) -> impl Iterator<Item = &str> {
        self.paragraphs.iter().filter(move |(its, _)| *its == part).map(|(_, text)| text.as_str())
    }

    /// Returns the one line that a reader wants first: what people expect, else the first paragraph.
    pub fn headline(&self) -> Option<&str> {
        let expected = self.of_part(Part::Expect).next();
        expected.or_else(|| self.paragraphs.first().map(|(_, text)| text.as_str()))
    }
}

/// The label of a line, and the rest of it. A label of the author's own stays in the text.
fn labelled(line: &str) -> Option<(Part, &str)> {
    let known = LABELS.iter().find_map(|(label, part)| Some((*part, line.strip_prefix(label)?.trim())));
    known.or_else(|| {
        let (label, _) = line.split_once(':')?;
        (label.starts_with("What ") || label.starts_with("The cure ")).then_some((Part::About, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story(text: &str) -> Vec<(Part, String)> {
        Story::of(text).paragraphs
    }

    #[test]
    fn paragraphs_are_told_apart_by_their_first_words() {
        let text = "\
# yaml-language-server: $schema=./sglab.schema.json
# People expect: one thing,
#   told on two lines: with a colon.
# What happens: another.
# Why: a reason.
# The cure for the cure: one more.
# Sources: \"A book\".
sglab: 1
# Why: no part of the opening comment.
";
        assert_eq!(
            story(text),
            [
                (Part::Expect, "one thing, told on two lines: with a colon.".to_owned()),
                (Part::Happens, "another.".to_owned()),
                (Part::Why, "a reason.".to_owned()),
                (Part::About, "The cure for the cure: one more.".to_owned()),
                (Part::Source, "\"A book\".".to_owned()),
            ]
        );
    }

    #[test]
    fn each_gotcha_says_first_what_people_expect() {
        let gotchas = super::super::EXAMPLES.iter().filter(|(name, _)| name.starts_with("gotchas/"));
        for (name, text) in gotchas {
            let first = story(text).first().map(|(part, _)| *part);
            assert_eq!(first, Some(Part::Expect), "{name}: `# People expect:` is the label that `sglab list` knows");
        }
    }

    #[test]
    fn what_has_no_label_is_told_as_it_is_and_no_comment_is_no_story() {
        assert_eq!(story("# Just a word.\n#\n# And another.\r\nsglab: 1\n").len(), 2);
        assert_eq!(Story::of("# Just a word.\nsglab: 1").headline(), Some("Just a word."));
        assert_eq!(Story::of("sglab: 1\n# late\n").headline(), None);
        assert_eq!(Story::of("# Why:\n# because\nsglab: 1").headline(), Some("because"));
    }
}
