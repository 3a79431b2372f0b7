//! The time: the smallest server of SNTP (RFC 4330) that a client takes for one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::UdpSocket;

use super::answers::GivenAnswers;

/// A message without extensions.
pub(super) const MESSAGE: usize = 48;
const CLIENT: u8 = 3;
const SERVER: u8 = 4;
const STRATUM: u8 = 3;
/// Seconds from 1900, where NTP begins, to 1970.
const ERAS_APART: u64 = 2_208_988_800;

/// Answers for ever.
pub(super) async fn serve(socket: UdpSocket, said: GivenAnswers) {
    let mut asked = [0; 512];
    loop {
        // An error here is somebody's ICMP answer to an earlier datagram of ours; it ends nothing.
        let Ok((length, from)) = socket.recv_from(&mut asked).await else { continue };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if let Some(answer) = answer(&asked[..length], now) {
            said.note(from, &answer);
            drop(socket.send_to(&answer, from).await);
        }
    }
}

/// Answers a request at a time since 1970; nothing to what is no client's request.
pub(super) fn answer(asked: &[u8], now: Duration) -> Option<[u8; MESSAGE]> {
    let version = (asked.first()? >> 3) & 7;
    if asked.len() < MESSAGE || asked[0] & 7 != CLIENT || !(1..=4).contains(&version) {
        return None;
    }
    let mut answer = [0; MESSAGE];
    answer[0] = version << 3 | SERVER;
    answer[1] = STRATUM;
    answer[2] = asked[2];
    // A microsecond, as a power of two.
    answer[3] = -20i8 as u8;
    // Reference of its time: at stratum 3 an address, and nobody is behind this one.
    answer[12..16].copy_from_slice(&[169, 254, 169, 122]);
    let stamp = stamp(now);
    answer[16..24].copy_from_slice(&stamp);
    answer[24..32].copy_from_slice(&asked[40..48]);
    answer[32..40].copy_from_slice(&stamp);
    answer[40..48].copy_from_slice(&stamp);
    Some(answer)
}

/// A client's request, with whatever it wants to find again in the answer.
pub(super) fn request(mark: [u8; 8]) -> [u8; MESSAGE] {
    let mut request = [0; MESSAGE];
    request[0] = 4 << 3 | CLIENT;
    request[40..48].copy_from_slice(&mark);
    request
}

/// Returns `true` if a message is a server's answer to that request, of a server that has the time.
pub(super) fn answers(message: &[u8], mark: [u8; 8]) -> bool {
    message.len() >= MESSAGE && message[0] & 7 == SERVER && message[1] == STRATUM && message[24..32] == mark
}

/// Seconds since 1900 and their fraction, as 32 bits each; the seconds begin anew in 2036.
fn stamp(now: Duration) -> [u8; 8] {
    let seconds = (now.as_secs() + ERAS_APART) & 0xffff_ffff;
    let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
    (seconds << 32 | fraction).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_answered_with_the_time_and_with_what_was_sent() {
        let half_past = Duration::new(1_700_000_000, 500_000_000);
        let answer = answer(&request(*b"mark-abc"), half_past).expect("an answer");
        assert!(answers(&answer, *b"mark-abc") && !answers(&answer, *b"mark-xyz"));
        assert_eq!(answer[0], 0b00_100_100, "no leap second, version 4, a server");
        assert_eq!(answer[40..44], (1_700_000_000u32.wrapping_add(2_208_988_800)).to_be_bytes());
        assert_eq!(answer[44..48], [0x80, 0, 0, 0], "half a second");
    }

    #[test]
    fn the_version_of_the_request_is_that_of_the_answer() {
        let mut request = request([0; 8]);
        request[0] = 3 << 3 | CLIENT;
        assert_eq!(answer(&request, Duration::ZERO).expect("an answer")[0] >> 3, 3);
    }

    #[test]
    fn what_is_no_request_is_not_answered() {
        let good = request([0; 8]);
        let server = {
            let mut it = good;
            it[0] = 4 << 3 | SERVER;
            it
        };
        assert_eq!(answer(&server, Duration::ZERO), None, "else two servers would talk for ever");
        assert_eq!(answer(&good[..47], Duration::ZERO), None);
        assert_eq!(answer(&[], Duration::ZERO), None);
    }

    #[test]
    fn the_seconds_begin_anew_in_2036() {
        assert_eq!(stamp(Duration::from_secs((1 << 32) - ERAS_APART)), [0; 8]);
    }
}
