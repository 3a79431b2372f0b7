//! A room that predicts: one question at a time, an answer from each phone, and bars once the packets have spoken.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::model::Flow;
use crate::protocol::Revision;
use crate::scenario::Class;

/// People who may take part.
pub const MAX_PARTICIPANTS: usize = 300;
/// Answers that one may send in a row, and how long until another one may follow.
const BURST: u32 = 5;
const REFILL: Duration = Duration::from_secs(1);

/// Who answers: a number that a phone is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Participant(pub String);

/// A prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prediction {
    /// It gets through.
    Open,
    /// It does not.
    Blocked,
}

/// Reason for which an answer is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// There is no such question, or it is closed.
    #[error("that question is closed: look at the screen")]
    Closed,
    /// The packets were first.
    #[error("too late: packets have shown it already. Look at the screen")]
    Late,
    /// Too many take part.
    #[error("the room is full: {MAX_PARTICIPANTS} take part already. Look at the screen")]
    Full,
    /// Too many answers in a row.
    #[error("not so fast: wait a second, then answer again")]
    TooFast,
}

/// The room.
#[derive(Debug, Default)]
pub struct Room {
    /// Phones that listen.
    phones: usize,
    question: Option<Question>,
    asked: u64,
    /// Answers that each may send just now, and since when that is so.
    budgets: HashMap<Participant, (u32, Instant)>,
}

/// Taking of answers to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Taking {
    /// They are taken.
    Open,
    /// Packets have shown it, and the table shows that: an answer is no prediction any more.
    Over,
}

#[derive(Debug)]
struct Question {
    number: u64,
    flow: Flow,
    /// Revision of the lab when it was asked.
    at: Revision,
    step: Option<String>,
    taking: Taking,
    answers: HashMap<Participant, Prediction>,
    outcome: Option<Class>,
}

/// The room as it is shown. What people predict is nobody's business before the packets have spoken: there is their number only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoomView {
    /// Phones that listen.
    pub phones: usize,
    /// The question, if one was asked.
    pub question: Option<QuestionView>,
}

/// A question as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuestionView {
    /// Its number.
    pub number: u64,
    /// The flow: `db1 -> db2:3306`.
    pub words: String,
    /// The step after which it is meant.
    pub step: Option<String>,
    /// Taking of answers.
    pub taking: Taking,
    /// Number of answers.
    pub answered: usize,
    /// The outcome on packets, and the prediction; nothing before the reveal.
    pub revealed: Option<RevealView>,
}

/// Outcome of a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RevealView {
    /// The outcome.
    pub outcome: &'static str,
    /// The prediction that was right.
    pub right: Prediction,
    /// Answers `open`.
    pub open: usize,
    /// Answers `blocked`.
    pub blocked: usize,
}

impl Room {
    /// Asks a question in place of the one before.
    pub fn ask(&mut self, flow: Flow, at: Revision, step: Option<String>) {
        self.asked += 1;
        // Seats are taken anew with each question, so that nobody who has left holds one.
        self.budgets.clear();
        let question = Question {
            number: self.asked,
            flow,
            at,
            step,
            taking: Taking::Open,
            answers: HashMap::new(),
            outcome: None,
        };
        self.question = Some(question);
    }

    /// The flow of the question that is open.
    pub fn open_question(&self) -> Option<&Flow> {
        self.question.as_ref().filter(|it| it.outcome.is_none()).map(|it| &it.flow)
    }

    /// The flow of a question to which answers are taken, and the revision at which it was asked.
    pub fn taking(&self) -> Option<(&Flow, Revision)> {
        let question = self.question.as_ref().filter(|it| it.outcome.is_none() && it.taking == Taking::Open);
        question.map(|it| (&it.flow, it.at))
    }

    /// Takes no more answers.
    pub fn close(&mut self) {
        self.question.iter_mut().for_each(|it| it.taking = Taking::Over);
    }

    /// A phone has come.
    pub fn come(&mut self) {
        self.phones += 1;
    }

    /// A phone has gone.
    pub fn go(&mut self) {
        self.phones = self.phones.saturating_sub(1);
    }

    /// Takes the question back.
    pub fn withdraw(&mut self) {
        self.question = None;
    }

    /// Takes an answer, in place of one that was given to the same question before.
    ///
    /// # Errors
    /// [`Rejected`].
    pub fn answer(
        &mut self,
        who: &Participant,
        number: u64,
        prediction: Prediction,
        now: Instant,
    ) -> Result<(), Rejected> {
        if !self.budgets.contains_key(who) && self.budgets.len() == MAX_PARTICIPANTS {
            return Err(Rejected::Full);
        }
        let (left, since) = self.budgets.entry(who.clone()).or_insert((BURST, now));
        let refilled = u32::try_from(now.duration_since(*since).as_secs() / REFILL.as_secs()).unwrap_or(BURST);
        if refilled > 0 {
            (*left, *since) = ((*left + refilled).min(BURST), now);
        }
        if *left == 0 {
            return Err(Rejected::TooFast);
        }
        *left -= 1;
        let question = self.question.as_mut().filter(|it| it.number == number && it.outcome.is_none());
        let question = question.ok_or(Rejected::Closed)?;
        if question.taking == Taking::Over {
            return Err(Rejected::Late);
        }
        question.answers.insert(who.clone(), prediction);
        Ok(())
    }

    /// Closes the question with what packets have shown.
    pub fn reveal(&mut self, outcome: Class) {
        if let Some(question) = &mut self.question {
            question.outcome = Some(outcome);
        }
    }

    /// The room as it is shown.
    pub fn view(&self) -> RoomView {
        RoomView { phones: self.phones, question: self.question.as_ref().map(Question::view) }
    }
}

impl Question {
    fn view(&self) -> QuestionView {
        let count = |wanted| self.answers.values().filter(|answer| **answer == wanted).count();
        let revealed = self.outcome.map(|outcome| RevealView {
            outcome: outcome.as_str(),
            right: if outcome == Class::Open { Prediction::Open } else { Prediction::Blocked },
            open: count(Prediction::Open),
            blocked: count(Prediction::Blocked),
        });
        QuestionView {
            number: self.number,
            words: self.flow.to_string(),
            step: self.step.clone(),
            taking: self.taking,
            answered: self.answers.len(),
            revealed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoint, InstanceName, Service, Via};

    fn flow() -> Flow {
        let [from, to] = ["db1", "db2"].map(|name| Endpoint::Instance(InstanceName::new(name)));
        Flow { from, to, via: Via::Private, service: Service::IcmpEcho }
    }

    fn who(name: &str) -> Participant {
        Participant(name.to_owned())
    }

    #[test]
    fn counts_by_answer_are_told_after_the_reveal_only() {
        let (mut room, now) = (Room::default(), Instant::now());
        room.ask(flow(), Revision::default(), None);
        for (name, prediction) in [("a", Prediction::Open), ("b", Prediction::Open), ("c", Prediction::Blocked)] {
            room.answer(&who(name), 1, prediction, now).unwrap();
        }
        // Whoever answers twice has changed their mind.
        room.answer(&who("a"), 1, Prediction::Blocked, now).unwrap();
        let question = room.view().question.unwrap();
        assert_eq!((question.answered, question.revealed), (3, None));
        room.reveal(Class::Dropped);
        let revealed = room.view().question.unwrap().revealed.unwrap();
        let wanted = RevealView { outcome: "dropped", right: Prediction::Blocked, open: 1, blocked: 2 };
        assert_eq!(revealed, wanted);
        assert_eq!(room.answer(&who("d"), 1, Prediction::Blocked, now), Err(Rejected::Closed));
    }

    #[test]
    fn who_answers_after_the_packets_is_late_and_counts_for_nothing() {
        let (mut room, now) = (Room::default(), Instant::now());
        room.ask(flow(), Revision::default(), None);
        room.answer(&who("a"), 1, Prediction::Open, now).unwrap();
        room.close();
        assert_eq!(room.answer(&who("b"), 1, Prediction::Blocked, now), Err(Rejected::Late));
        assert_eq!(
            room.answer(&who("a"), 1, Prediction::Blocked, now),
            Err(Rejected::Late),
            "nor does a change of mind"
        );
        room.reveal(Class::Dropped);
        let revealed = room.view().question.unwrap().revealed.unwrap();
        assert_eq!((revealed.open, revealed.blocked), (1, 0));
    }

    #[test]
    fn nobody_answers_a_question_of_before_too_fast_or_in_a_full_room() {
        let (mut room, now) = (Room::default(), Instant::now());
        assert_eq!(room.answer(&who("a"), 1, Prediction::Open, now), Err(Rejected::Closed));
        room.ask(flow(), Revision::default(), None);
        room.ask(flow(), Revision::default(), None);
        assert_eq!(room.answer(&who("a"), 1, Prediction::Open, now), Err(Rejected::Closed));
        for _ in 0..4 {
            room.answer(&who("a"), 2, Prediction::Open, now).unwrap();
        }
        assert_eq!(room.answer(&who("a"), 2, Prediction::Open, now), Err(Rejected::TooFast));
        room.answer(&who("a"), 2, Prediction::Open, now + REFILL).unwrap();
        for number in 1..MAX_PARTICIPANTS {
            room.answer(&who(&number.to_string()), 2, Prediction::Open, now).unwrap();
        }
        assert_eq!(room.answer(&who("late"), 2, Prediction::Open, now), Err(Rejected::Full));
        room.answer(&who("1"), 2, Prediction::Blocked, now).unwrap();
    }
}
