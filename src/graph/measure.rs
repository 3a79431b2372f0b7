//! Widths of text, in pixels: by DejaVu Sans, which is as wide as any font that a browser takes for `system-ui`.

/// A font of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Font {
    /// Titles of boxes.
    Title,
    /// Members.
    Member,
    /// Traffic and remarks in boxes.
    Small,
    /// Words at arrows.
    Label,
    /// Addresses.
    Fixed,
}

impl Font {
    /// Width of a character in thousandths of a pixel.
    fn advance(self, one: char) -> i32 {
        let size = match self {
            Self::Title | Self::Member => 13,
            Self::Small | Self::Label => 12,
            Self::Fixed => return 11_500 * 602 / 1000,
        };
        let bold = if matches!(self, Self::Title | Self::Label) { 1100 } else { 1000 };
        let thousandths = match one {
            'i' | 'j' | 'l' | 't' | 'f' | 'r' | 'I' | ' ' | '.' | ',' | ':' | ';' | '|' | '\'' | '(' | ')' | '-'
            | '/' => 400,
            'm' | 'w' | 'M' | 'W' | '@' | '%' => 980,
            'A'..='Z' | '+' | '?' => 740,
            other if other.is_ascii() => 636,
            // A sign of another script may fill the whole square.
            _ => 1000,
        };
        size * thousandths * bold / 1000
    }

    /// Width of words.
    pub(super) fn width(self, words: &str) -> i32 {
        words.chars().map(|one| self.advance(one)).sum::<i32>() / 1000 + 1
    }

    /// The words, or as many of them as have room, and `…`.
    pub(super) fn fit(self, words: &str, room: i32) -> String {
        if self.width(words) <= room {
            return words.to_owned();
        }
        let mut left = (room - 1) * 1000 - self.advance('…');
        let fits = |one: &char| {
            left -= self.advance(*one);
            left >= 0
        };
        words.chars().take_while(fits).chain(['…']).collect()
    }
}

impl Font {
    /// The same with both ends of the words, for names: what tells one from another may be at either.
    pub(super) fn fit_ends(self, words: &str, room: i32) -> String {
        if self.width(words) <= room {
            return words.to_owned();
        }
        let left = (room - 1) * 1000 - self.advance('…');
        let fitting = |all: &mut dyn Iterator<Item = char>, mut left: i32| {
            let fits = |one: &char| {
                left -= self.advance(*one);
                left >= 0
            };
            all.take_while(fits).collect::<Vec<char>>()
        };
        let mut end = fitting(&mut words.chars().rev(), left / 2);
        let used: i32 = end.iter().map(|one| self.advance(*one)).sum();
        let begin = fitting(&mut words.chars(), left - used);
        end.reverse();
        begin.into_iter().chain(['…']).chain(end).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_has_room() {
        for words in ["web1, web2 and 38 more", "i-0123456789abcdef0", "WWWWWWWWWWWWWWWWWWWWWWWW", "a"] {
            for (room, cut) in [40, 90, 200].iter().flat_map(|&room| {
                [Font::Member.fit(words, room), Font::Member.fit_ends(words, room)].map(|cut| (room, cut))
            }) {
                assert!(Font::Member.width(&cut) <= room, "{cut} in {room}");
                assert_eq!(cut == words, Font::Member.width(words) <= room, "{cut} in {room}");
            }
        }
    }
}
