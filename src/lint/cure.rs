//! Cures in the words of the command line, as they would be typed.

use ipnet::IpNet;

use crate::account::{Account, Peer, Rule};
use crate::model::Direction;
use crate::reach::{peer_words, traffic_words};

/// `sglab revoke DB 'tcp 3306 from WEB'`.
pub(super) fn revoke(account: &Account, group: &str, direction: Direction, rule: &Rule) -> String {
    operation("revoke", group, direction, &words(rule, direction, &peer(account, &rule.peer)))
}

/// `sglab authorize DB 'tcp 3306 from WEB'`: the rule with another peer.
pub(super) fn authorize(group: &str, direction: Direction, rule: &Rule, peer: &str) -> String {
    operation("authorize", group, direction, &words(rule, direction, peer))
}

/// `sglab update-description DB 'tcp 3306 from WEB' --description TEXT`.
pub(super) fn describe(account: &Account, group: &str, direction: Direction, rule: &Rule) -> String {
    let peer = peer(account, &rule.peer);
    operation("update-description", group, direction, &words(rule, direction, &peer)) + " --description TEXT"
}

/// An operation on a rule that is given as its traffic and peer.
pub(super) fn operation(verb: &str, group: &str, direction: Direction, rule: &str) -> String {
    let egress = match direction {
        Direction::Ingress => "",
        Direction::Egress => " --egress",
    };
    format!("sglab {verb} {}{egress} {}", quoted(group), quoted(rule))
}

/// A peer as a command takes it.
pub(super) fn peer(account: &Account, peer: &Peer) -> String {
    match peer {
        Peer::Block(block @ IpNet::V6(_)) if block.prefix_len() == 0 => block.to_string(),
        known => peer_words(account, known),
    }
}

fn words(rule: &Rule, direction: Direction, peer: &str) -> String {
    format!("{} {} {peer}", traffic_words(rule), direction.preposition())
}

/// A word as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_one_word() {
        assert_eq!(quoted("SG-T-DB"), "SG-T-DB");
        assert_eq!(quoted("tcp 22 from it's"), "'tcp 22 from it'\\''s'");
        assert_eq!(quoted(""), "''");
    }
}
