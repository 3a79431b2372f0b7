//! What resolvers have said to those who wait for it. What comes as an answer may be of somebody else: root at the asker can send its questions anywhere.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A question is asked again where nobody answers. More of one is nobody's that waits.
const MOST: usize = 8;

/// Who asks, from which port, and the number of the question.
type Question = (IpAddr, u16, u16);

/// Answers to the questions that somebody of the lab waits for. Others are not kept.
#[derive(Clone, Debug, Default)]
pub(in crate::lab) struct Said(Arc<Mutex<HashMap<Question, Vec<Vec<u8>>>>>);

/// A question under way. Its answers are forgotten with it.
#[derive(Debug)]
pub(super) struct Awaited<'a> {
    said: &'a Said,
    question: Question,
}

impl Said {
    /// Keeps what is answered to a question from now on.
    pub(super) fn await_answer(&self, from: SocketAddr, id: u16) -> Awaited<'_> {
        let question = (from.ip(), from.port(), id);
        lock(&self.0).insert(question, Vec::new());
        Awaited { said: self, question }
    }

    /// A resolver is about to say this.
    pub(super) fn note(&self, to: SocketAddr, answer: &[u8]) {
        let [high, low, ..] = *answer else { return };
        let mut all = lock(&self.0);
        if let Some(kept) = all.get_mut(&(to.ip(), to.port(), u16::from_be_bytes([high, low])))
            && kept.len() < MOST
        {
            kept.push(answer.to_vec());
        }
    }
}

impl Awaited<'_> {
    /// Whether a resolver has said this.
    pub(super) fn is_said(&self, answer: &[u8]) -> bool {
        lock(&self.said.0).get(&self.question).is_some_and(|kept| kept.iter().any(|it| it == answer))
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        lock(&self.said.0).remove(&self.question);
    }
}

/// A panic elsewhere leaves whole answers.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_to_a_question_is_kept_while_somebody_waits() {
        let said = Said::default();
        let from = SocketAddr::from(([10, 0, 0, 11], 4000));
        let answer = [0, 7, 1];
        said.note(from, &answer);
        let awaited = said.await_answer(from, 7);
        assert!(!awaited.is_said(&answer), "said before it was asked");
        said.note(SocketAddr::from(([10, 0, 0, 12], 4000)), &answer);
        said.note(SocketAddr::from(([10, 0, 0, 11], 4001)), &answer);
        said.note(from, &[0, 8, 1]);
        assert!(!awaited.is_said(&answer), "said to others");
        for _ in 0..20 {
            said.note(from, &answer);
        }
        assert!(awaited.is_said(&answer) && !awaited.is_said(&[0, 7, 2]));
        assert_eq!(lock(&said.0).values().map(Vec::len).sum::<usize>(), MOST);
        drop(awaited);
        assert!(lock(&said.0).is_empty());
    }
}
