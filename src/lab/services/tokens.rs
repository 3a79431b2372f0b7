//! The session tokens of the metadata service, version 2.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Longest lifetime of a token, in seconds ("Use the Instance Metadata Service", EC2 user guide).
pub(super) const LONGEST: u32 = 21_600;

/// Issues tokens and knows its own again. Nothing is kept: a token says whose it is and until when, under a seal that
/// only this value can make.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    seal: RandomState,
}

impl Tokens {
    /// A token for the interface of this number; `now` is the time since any beginning.
    pub fn issue(&self, interface: u32, now: Duration, seconds: u32) -> String {
        let until = (now + Duration::from_secs(seconds.into())).as_millis();
        let until = u64::try_from(until).unwrap_or(u64::MAX);
        format!("{until:016x}{:016x}", self.seal.hash_one((interface, until)))
    }

    /// Returns `true` if a token is one of that interface, and still good.
    pub fn accepts(&self, token: &str, interface: u32, now: Duration) -> bool {
        let hex = token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
        let Some((until, seal)) = hex.then(|| token.split_at(16)) else { return false };
        let (Ok(until), Ok(seal)) = (u64::from_str_radix(until, 16), u64::from_str_radix(seal, 16)) else {
            return false;
        };
        seal == self.seal.hash_one((interface, until)) && now.as_millis() < u128::from(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000);

    #[test]
    fn a_token_is_good_for_its_instance_until_it_ends() {
        let tokens = Tokens::default();
        let token = tokens.issue(7, NOW, 60);
        assert!(tokens.accepts(&token, 7, NOW) && tokens.accepts(&token, 7, NOW + Duration::from_millis(59_999)));
        assert!(!tokens.accepts(&token, 7, NOW + Duration::from_secs(60)));
        assert!(!tokens.accepts(&token, 8, NOW), "another's token is none");
    }

    #[test]
    fn what_was_not_issued_here_is_no_token() {
        let tokens = Tokens::default();
        let token = tokens.issue(7, NOW, 60);
        assert!(!Tokens::default().accepts(&token, 7, NOW));
        let longer = format!("{}{}", "f".repeat(16), &token[16..]);
        let odd = format!("+{}", &token[1..]);
        for forged in ["", "x", &token[1..], longer.as_str(), odd.as_str(), "\u{e9}".repeat(16).as_str()] {
            assert!(!tokens.accepts(forged, 7, NOW), "{forged}");
        }
    }
}
