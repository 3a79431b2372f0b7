//! Seats of a class: one for each browser, with the lesson that it plays.

use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Instant;

use indexmap::IndexMap;
use tokio::sync::Mutex;

use super::play::Play;
use crate::workshop::lesson::Lesson;

/// The longest name of a learner, in characters.
const MAX_NAME: usize = 40;

/// Number of a seat, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct SeatNumber(pub usize);

/// A seat.
#[derive(Debug, Default)]
pub struct Seat {
    /// The learner's own word; empty where there is none.
    pub name: String,
    /// Lessons that were begun, by their names.
    pub plays: IndexMap<String, Play>,
    /// Index of the one that is shown.
    pub open: Option<usize>,
}

/// A seat that is taken.
#[derive(Debug)]
struct Taken {
    seat: Arc<Mutex<Seat>>,
    /// Time of its browser's last request.
    heard: Instant,
}

impl Taken {
    fn now() -> Self {
        Self { seat: Arc::default(), heard: Instant::now() }
    }

    /// True if nothing was done there; false while it is at work.
    fn is_unused(&self) -> bool {
        self.seat.try_lock().is_ok_and(|seat| seat.name.is_empty() && !seat.plays.values().any(Play::is_begun))
    }
}

impl Seat {
    /// The lesson that is shown.
    pub fn play(&self) -> Option<&Play> {
        Some(self.plays.get_index(self.open?)?.1)
    }

    /// The same, to be played.
    pub fn play_mut(&mut self) -> Option<&mut Play> {
        Some(self.plays.get_index_mut(self.open?)?.1)
    }

    /// Shows a lesson, where it was left; nothing for the list of lessons.
    pub fn open(&mut self, lesson: Option<&Arc<Lesson>>) {
        if let Some(play) = self.play_mut() {
            play.pause();
        }
        self.open = lesson.map(|lesson| {
            let entry = self.plays.entry(lesson.name.clone());
            let index = entry.index();
            entry.or_insert_with(|| Play::new(Arc::clone(lesson)));
            index
        });
    }

    /// Takes a name, as far as it is one.
    pub fn call(&mut self, name: &str) {
        // Marks of direction and of no width would show another name than there is.
        let is_hidden = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        let shown: String = name.chars().filter(|c| c.is_whitespace() || !c.is_control() && !is_hidden(*c)).collect();
        self.name = shown.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_NAME).collect();
    }
}

/// All seats. A seat is locked for as long as it is at work, so that its requests come one after the other.
#[derive(Debug)]
pub struct Seats {
    all: StdMutex<IndexMap<String, Taken>>,
    most: usize,
}

/// All seats are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all {0} seats are taken: ask the instructor for more")]
pub struct Full(pub usize);

impl Seats {
    /// So many seats, none of them taken.
    pub fn new(most: usize) -> Self {
        Self { all: StdMutex::new(IndexMap::new()), most }
    }

    /// The seat of a browser.
    pub fn of(&self, browser: &str) -> Option<(SeatNumber, Arc<Mutex<Seat>>)> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let (index, _, taken) = all.get_full_mut(browser)?;
        taken.heard = Instant::now();
        Some((SeatNumber(index + 1), Arc::clone(&taken.seat)))
    }

    /// Gives a browser a seat. Where all are taken it is the one that was not heard of for longest among those where nothing was done: a
    /// browser without cookies takes another seat each time.
    ///
    /// # Errors
    /// [`Full`].
    pub fn take(&self, browser: String) -> Result<SeatNumber, Full> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < self.most {
            let (index, _) = all.insert_full(browser, Taken::now());
            return Ok(SeatNumber(index + 1));
        }
        let unused = all.values().enumerate().filter(|(_, taken)| taken.is_unused());
        let (index, _) = unused.min_by_key(|(_, taken)| taken.heard).ok_or(Full(self.most))?;
        // In its place, so that no other seat gets another number.
        drop(all.replace_index(index, browser));
        if let Some((_, taken)) = all.get_index_mut(index) {
            *taken = Taken::now();
        }
        Ok(SeatNumber(index + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_where_nothing_was_done_is_given_away_and_one_with_a_lesson_never() {
        let seats = Seats::new(2);
        assert_eq!([seats.take("a".into()), seats.take("b".into())], [Ok(SeatNumber(1)), Ok(SeatNumber(2))]);
        let lesson = crate::workshop::lesson::built_in::lesson("03-self-trust").unwrap();
        let (_, seat) = seats.of("a").unwrap();
        seat.try_lock().unwrap().open(Some(&Arc::new(lesson)));
        // b was heard of before a, and a has only looked at a lesson.
        assert_eq!(seats.take("c".into()), Ok(SeatNumber(2)));
        seat.try_lock().unwrap().play_mut().unwrap().first[0] = Some("1 of 2 right".to_owned());
        assert!(seats.of("b").is_none());
        assert_eq!(seats.take("e".into()), Ok(SeatNumber(2)), "nothing was done at c's");
        let (_, seat) = seats.of("e").unwrap();
        seat.try_lock().unwrap().call("Eve");
        assert_eq!(seats.take("f".into()), Err(Full(2)), "a name is something");
        seat.try_lock().unwrap().call("");
        let _at_work = seat.try_lock().unwrap();
        assert_eq!(seats.take("d".into()), Err(Full(2)));
        assert!(seats.of("a").is_some());
    }

    #[test]
    fn a_name_is_one_line_of_text() {
        let mut seat = Seat::default();
        seat.call("  Ada \n\u{7}\u{202e}  Lovelace ");
        assert_eq!(seat.name, "Ada Lovelace");
        seat.call(&"x".repeat(500));
        assert_eq!(seat.name.len(), MAX_NAME);
    }
}
