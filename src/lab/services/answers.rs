//! Answers that the services have given to those who wait for them. What comes as an answer may be of somebody else: root at the asker can send its
//! questions anywhere.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Maximum number of answers kept for one question, which is asked three times at the most.
const MAX_ANSWERS: usize = 8;

/// Address and port that a question comes from. Each question has a socket of its own, but two VPCs may have the same addresses.
type Asker = (IpAddr, u16);

/// Answers that one question has got, behind its number.
type Kept = (u64, Vec<Vec<u8>>);

/// Questions that are waited for, by who asks them.
#[derive(Debug, Default)]
struct Waiting {
    by_asker: HashMap<Asker, Vec<Kept>>,
    /// Number of the next question.
    next: u64,
}

/// Answers to the questions that somebody of the lab waits for. Others are not kept.
#[derive(Clone, Debug, Default)]
pub(in crate::lab) struct GivenAnswers(Arc<Mutex<Waiting>>);

/// A question under way. Its answers are forgotten with it.
#[derive(Debug)]
pub(super) struct Awaited<'a> {
    said: &'a GivenAnswers,
    asker: Asker,
    number: u64,
}

impl GivenAnswers {
    /// Keeps what is answered to who asks from there, from now on.
    pub(super) fn await_answer(&self, from: SocketAddr) -> Awaited<'_> {
        let asker = key(from);
        let mut waiting = lock(&self.0);
        let number = waiting.next;
        waiting.next += 1;
        waiting.by_asker.entry(asker).or_default().push((number, Vec::new()));
        Awaited { said: self, asker, number }
    }

    /// A service is about to say this.
    pub(super) fn note(&self, to: SocketAddr, answer: &[u8]) {
        for (_, kept) in lock(&self.0).by_asker.get_mut(&key(to)).into_iter().flatten() {
            if kept.len() < MAX_ANSWERS {
                kept.push(answer.to_vec());
            }
        }
    }
}

impl Awaited<'_> {
    /// Returns `true` if a service has said this.
    pub(super) fn is_said(&self, answer: &[u8]) -> bool {
        let waiting = lock(&self.said.0);
        let own = waiting.by_asker.get(&self.asker).into_iter().flatten().filter(|(number, _)| *number == self.number);
        own.flat_map(|(_, kept)| kept).any(|it| it == answer)
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        let mut waiting = lock(&self.said.0);
        if let Some(all) = waiting.by_asker.get_mut(&self.asker) {
            all.retain(|(number, _)| *number != self.number);
            if all.is_empty() {
                waiting.by_asker.remove(&self.asker);
            }
        }
    }
}

fn key(at: SocketAddr) -> Asker {
    (at.ip().to_canonical(), at.port())
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
        let said = GivenAnswers::default();
        let from = SocketAddr::from(([10, 0, 0, 11], 4000));
        said.note(from, b"this");
        let awaited = said.await_answer(from);
        assert!(!awaited.is_said(b"this"), "said before it was asked");
        said.note(SocketAddr::from(([10, 0, 0, 12], 4000)), b"this");
        said.note(SocketAddr::from(([10, 0, 0, 11], 4001)), b"this");
        assert!(!awaited.is_said(b"this"), "said to others");
        for _ in 0..20 {
            said.note(from, b"this");
        }
        assert!(awaited.is_said(b"this") && !awaited.is_said(b"that"));
        assert_eq!(lock(&said.0).by_asker.values().flatten().map(|(_, kept)| kept.len()).sum::<usize>(), MAX_ANSWERS);
        drop(awaited);
        assert!(lock(&said.0).by_asker.is_empty());
    }

    #[test]
    fn two_who_ask_from_the_same_address_of_two_vpcs_take_no_answer_from_each_other() {
        let said = GivenAnswers::default();
        let from = SocketAddr::from(([10, 0, 0, 11], 4000));
        let first = said.await_answer(from);
        said.note(from, b"this");
        let second = said.await_answer(from);
        assert!(first.is_said(b"this") && !second.is_said(b"this"));
        drop(second);
        assert!(first.is_said(b"this"));
    }
}
