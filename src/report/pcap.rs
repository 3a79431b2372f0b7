//! Packets as a file that tcpdump reads.

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{DataLink, Endianness, TsResolution};

use crate::fabric::capture::Frame;

/// The file of some frames.
#[must_use]
pub fn pcap(frames: &[Frame]) -> Vec<u8> {
    let header = PcapHeader {
        version_major: 2,
        version_minor: 4,
        ts_correction: 0,
        ts_accuracy: 0,
        snaplen: 262_144,
        datalink: DataLink::ETHERNET,
        ts_resolution: TsResolution::NanoSecond,
        endianness: Endianness::Little,
    };
    let Ok(mut writer) = PcapWriter::with_header(Vec::new(), header) else { return Vec::new() };
    for Frame { at, bytes } in frames {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        // Writing to memory fails for nothing but a frame longer than the header says, and none is.
        drop(writer.write_packet(&PcapPacket::new(*at, length, bytes)));
    }
    writer.into_writer()
}

/// More frames for a file that has been begun.
#[must_use]
pub fn more(frames: &[Frame]) -> Vec<u8> {
    pcap(frames).split_off(pcap(&[]).len())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pcap_file::pcap::PcapReader;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let frames = [1, 2].map(|n| Frame { at: Duration::new(n, 5), bytes: vec![u8::try_from(n).unwrap_or(0); 60] });
        let file = [pcap(&frames[..1]), more(&frames[1..])].concat();
        assert_eq!(file, pcap(&frames), "at once or one after the other");
        let mut reader = PcapReader::new(file.as_slice()).expect("a pcap");
        let mut read = Vec::new();
        while let Some(packet) = reader.next_packet() {
            let packet = packet.expect("a packet");
            read.push(Frame { at: packet.timestamp, bytes: packet.data.to_vec() });
        }
        assert_eq!(read, frames);
    }
}
