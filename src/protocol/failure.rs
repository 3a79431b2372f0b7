//! Failures of what a lab was asked, as they cross the socket.

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Reason for which a lab could not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// It went down before it had an answer.
    #[error("the lab has gone down")]
    GoneDown,
    /// A request came that begins a conversation, where none can be had.
    #[error("a program is started in a conversation of its own")]
    OwnConversation,
    /// A program without a name was to be started.
    #[error("there is no program to start")]
    NoProgram,
    /// The descriptors for a program did not come in time.
    #[error("input, output and errors did not come")]
    NoDescriptors,
    /// Something else came than the descriptors for a program.
    #[error("input, output and errors did not come: {why}")]
    WrongDescriptors {
        /// The OS error.
        why: String,
    },
    /// A probe ended before its first packet.
    #[error("no packet was sent: {why}")]
    NothingSent {
        /// The error, in its own words.
        why: String,
    },
    /// The limit on clients of a kind is reached.
    #[error("{most} {of} already, and more may not")]
    TooMany {
        /// Kind of client.
        of: Limited,
        /// Limit.
        most: usize,
    },
    /// Any other error, in its own words. It is written as a bare text, which every version of the protocol reads.
    #[error("{0}")]
    #[serde(untagged)]
    Words(String),
}

impl Failure {
    /// Takes the words of an error from below.
    pub fn of(error: &(impl Error + ?Sized)) -> Self {
        Self::Words(error.to_string())
    }
}

/// Kind of client of which a lab has so many at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limited {
    /// Those who follow events or changes.
    Followers,
    /// Those who follow the flow log.
    FlowLogFollowers,
    /// Captures.
    Captures,
}

/// `follow this lab`, behind their number.
impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Followers => "follow this lab",
            Self::FlowLogFollowers => "follow this lab's flow log",
            Self::Captures => "captures are under way",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Reply;

    #[test]
    fn a_failure_crosses_the_socket_as_a_value_and_is_put_into_words_behind_it() {
        for (failure, words) in [
            (Failure::GoneDown, "the lab has gone down"),
            (Failure::OwnConversation, "a program is started in a conversation of its own"),
            (Failure::NoProgram, "there is no program to start"),
            (Failure::NoDescriptors, "input, output and errors did not come"),
            (
                Failure::WrongDescriptors { why: "3 descriptors are wanted, and 0 came".to_owned() },
                "input, output and errors did not come: 3 descriptors are wanted, and 0 came",
            ),
            (Failure::NothingSent { why: "no room".to_owned() }, "no packet was sent: no room"),
            (Failure::TooMany { of: Limited::Followers, most: 64 }, "64 follow this lab already, and more may not"),
            (
                Failure::TooMany { of: Limited::FlowLogFollowers, most: 32 },
                "32 follow this lab's flow log already, and more may not",
            ),
            (
                Failure::TooMany { of: Limited::Captures, most: 32 },
                "32 captures are under way already, and more may not",
            ),
        ] {
            let text = serde_json::to_string(&Reply::Failed(failure.clone())).unwrap();
            assert!(!text.contains(words), "{text}");
            assert_eq!(serde_json::from_str::<Reply>(&text).unwrap(), Reply::Failed(failure.clone()), "{text}");
            assert_eq!(failure.to_string(), words);
        }
    }

    /// Replies of version 5 and before had no other failures.
    #[test]
    fn a_failure_in_words_is_a_text_that_every_version_reads() {
        let reply = Reply::Failed(Failure::Words("this lab speaks version 5 of the protocol, and not 6".to_owned()));
        let text = r#"{"failed":"this lab speaks version 5 of the protocol, and not 6"}"#;
        assert_eq!(serde_json::to_string(&reply).unwrap(), text);
        assert_eq!(serde_json::from_str::<Reply>(text).unwrap(), reply);
    }
}
