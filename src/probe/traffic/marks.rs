//! Marks by which packets of traffic are known.

/// Begins the payload of every packet of ours.
const MAGIC: [u8; 4] = *b"\xb1iNK";

/// Part of a stream that a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// It begins a connection.
    New,
    /// It belongs to the held one, from the sender.
    Forth,
    /// It belongs to the held one, from the receiver.
    Back,
}

/// Identifies a packet on its way: stream, part and number.
pub type Mark = (u32, Part, u32);

/// The mark of what a packet is a part of: each new connection, and the held one in each direction.
pub fn flow((stream, part, number): Mark) -> Mark {
    (stream, part, if part == Part::New { number } else { 0 })
}

/// Length of the payload of every packet of ours, in bytes.
pub const LENGTH: usize = 13;

pub fn payload((stream, part, number): Mark) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4..8].copy_from_slice(&stream.to_be_bytes());
    bytes[8] = part as u8;
    bytes[9..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// The mark of a packet of ours, at whose end it stands.
pub fn mark(packet: &[u8]) -> Option<Mark> {
    let bytes = packet.last_chunk::<LENGTH>().filter(|bytes| bytes.starts_with(&MAGIC))?;
    let number = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let part = [Part::New, Part::Forth, Part::Back].into_iter().find(|part| *part as u8 == bytes[8])?;
    Some((number(4), part, number(9)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_of_ours_is_known_by_its_mark_behind_any_header() {
        for part in [Part::New, Part::Forth, Part::Back] {
            let packet = [&[0x45; 28][..], &payload((7, part, 70_000))].concat();
            assert_eq!(mark(&packet), Some((7, part, 70_000)));
            assert_eq!(mark(&packet[..40]), None, "cut off");
            assert_eq!(mark(&[&packet, &[0][..]].concat()), None, "something stands behind it");
        }
        assert_eq!(mark(b"somebody else's packet"), None);
    }
}
