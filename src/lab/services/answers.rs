//! Answers that the services have given to those who wait for them. What comes as an answer may be of somebody else: root at the asker can send its
//! questions anywhere.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Maximum number of answers kept for one question, which is asked three times at the most.
const MAX_ANSWERS: usize = 8;

/// Address and port that a question comes from. Each question has a socket of its own.
type Asker = (IpAddr, u16);

/// Answers to the questions that somebody of the lab waits for. Others are not kept.
#[derive(Clone, Debug, Default)]
pub(in crate::lab) struct GivenAnswers(Arc<Mutex<HashMap<Asker, Vec<Vec<u8>>>>>);

/// A question under way. Its answers are forgotten with it.
#[derive(Debug)]
pub(super) struct Awaited<'a> {
    said: &'a GivenAnswers,
    asker: Asker,
}

impl GivenAnswers {
    /// Keeps what is answered to who asks from there, from now on.
    pub(super) fn await_answer(&self, from: SocketAddr) -> Awaited<'_> {
        let asker = key(from);
        lock(&self.0).insert(asker, Vec::new());
        Awaited { said: self, asker }
    }

    /// A service is about to say this.
    pub(super) fn note(&self, to: SocketAddr, answer: &[u8]) {
        if let Some(kept) = lock(&self.0).get_mut(&key(to))
            && kept.len() < MAX_ANSWERS
        {
            kept.push(answer.to_vec());
        }
    }
}

impl Awaited<'_> {
    /// Returns `true` if a service has said this.
    pub(super) fn is_said(&self, answer: &[u8]) -> bool {
        lock(&self.said.0).get(&self.asker).is_some_and(|kept| kept.iter().any(|it| it == answer))
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        lock(&self.said.0).remove(&self.asker);
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
        assert_eq!(lock(&said.0).values().map(Vec::len).sum::<usize>(), MAX_ANSWERS);
        drop(awaited);
        assert!(lock(&said.0).is_empty());
    }
}
