//! The resolver: names as questions and answers on the wire, over UDP and TCP.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use simple_dns::rdata::{A, AAAA, OPT, PTR, RData};
use simple_dns::{CLASS, Name, OPCODE, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

use super::answers::GivenAnswers;
use super::now::{CurrentCloud, MAX_CONNECTIONS};
use crate::compile::services::zone::{self, Answer, Data, Kind, View};
use crate::probe::NoAddress;
use crate::probe::connections::Connections;

/// An answer of more bytes is cut over UDP, unless the question says that more will do.
const DATAGRAM: usize = 512;
/// Time that somebody may be silent on a TCP connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time that an answer may be kept, in seconds: it follows the cloud at once, so not at all.
const TTL: u32 = 0;

/// Answers datagrams for ever.
pub(super) async fn serve_udp(socket: UdpSocket, now: CurrentCloud, view: View, said: GivenAnswers) {
    let mut asked = [0; 4096];
    loop {
        // An error here is somebody's ICMP answer to an earlier datagram of ours; it ends nothing.
        let Ok((length, from)) = socket.recv_from(&mut asked).await else { continue };
        if let Some(answer) = respond(&asked[..length], Carrier::Datagram, &look_up(&now, &view)) {
            said.note(from, &answer);
            drop(socket.send_to(&answer, from).await);
        }
    }
}

/// Answers connections for ever.
pub(super) async fn serve_tcp(listener: TcpListener, now: CurrentCloud, view: View) {
    // Dropped with this task, and then the connections end too.
    let mut connections = Connections::at_most(MAX_CONNECTIONS);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    let conversing = handle_connection(stream, now.clone(), view.clone());
                    // An error of the connection is the client's own affair.
                    connections.serve(from.ip(), async { drop(conversing.await) });
                }
                // Out of descriptors, for example, which nobody tells the end of.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            () = connections.ended() => {}
        }
    }
}

async fn handle_connection(mut stream: TcpStream, now: CurrentCloud, view: View) -> io::Result<()> {
    loop {
        let Ok(length) = timeout(IDLE_TIMEOUT, stream.read_u16()).await else { return Ok(()) };
        let mut asked = vec![0; length?.into()];
        let Ok(read) = timeout(IDLE_TIMEOUT, stream.read_exact(&mut asked)).await else { return Ok(()) };
        read?;
        let Some(answer) = respond(&asked, Carrier::Stream, &look_up(&now, &view)) else { return Ok(()) };
        let Ok(length) = u16::try_from(answer.len()) else { return Ok(()) };
        stream.write_all(&[length.to_be_bytes().as_slice(), &answer].concat()).await?;
    }
}

fn look_up<'a>(now: &'a CurrentCloud, view: &'a View) -> impl Fn(&str, Kind) -> Answer + 'a {
    move |name, kind| zone::answer(&now.cloud(), view, name, kind)
}

/// Transport that a message came in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    Datagram,
    Stream,
}

/// The answer to a message; nothing to what is none, or is an answer itself.
pub(super) fn respond(asked: &[u8], carrier: Carrier, look_up: &dyn Fn(&str, Kind) -> Answer) -> Option<Vec<u8>> {
    let Ok(query) = Packet::parse(asked) else {
        let id = simple_dns::header_buffer::id(asked).ok()?;
        if simple_dns::header_buffer::has_flags(asked, PacketFlag::RESPONSE).ok()? {
            return None;
        }
        let mut reply = Packet::new_reply(id);
        *reply.rcode_mut() = RCODE::FormatError;
        return reply.build_bytes_vec().ok();
    };
    if query.has_flags(PacketFlag::RESPONSE) {
        return None;
    }
    let mut reply = Packet::new_reply(query.id());
    *reply.opcode_mut() = query.opcode();
    reply.set_flags(PacketFlag::RECURSION_AVAILABLE);
    if query.has_flags(PacketFlag::RECURSION_DESIRED) {
        reply.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    let mut limit = DATAGRAM;
    if let Some(opt) = query.opt() {
        limit = limit.max(opt.udp_packet_size.into());
        *reply.opt_mut() = Some(OPT { opt_codes: Vec::new(), udp_packet_size: 1232, version: 0 });
    }
    *reply.rcode_mut() = match (query.opcode(), query.questions.as_slice()) {
        (OPCODE::StandardQuery, [question]) => {
            reply.questions.push(question.clone());
            let (code, records) = records(question, look_up);
            reply.answers = records;
            code
        }
        (OPCODE::StandardQuery, _) => RCODE::FormatError,
        _ => RCODE::NotImplemented,
    };
    let bytes = reply.build_bytes_vec_compressed().ok()?;
    if carrier == Carrier::Datagram && bytes.len() > limit {
        reply.answers.clear();
        reply.set_flags(PacketFlag::TRUNCATION);
        return reply.build_bytes_vec_compressed().ok();
    }
    Some(bytes)
}

fn records<'q>(question: &Question<'q>, look_up: &dyn Fn(&str, Kind) -> Answer) -> (RCODE, Vec<ResourceRecord<'q>>) {
    let kind = match question.qtype {
        QTYPE::TYPE(TYPE::A) => Kind::A,
        QTYPE::TYPE(TYPE::AAAA) => Kind::Aaaa,
        QTYPE::TYPE(TYPE::PTR) => Kind::Ptr,
        QTYPE::ANY => Kind::Any,
        _ => Kind::Other,
    };
    if !matches!(question.qclass, QCLASS::CLASS(CLASS::IN) | QCLASS::ANY) {
        return (RCODE::Refused, Vec::new());
    }
    match look_up(&question.qname.to_string(), kind) {
        Answer::NoSuchName => (RCODE::NameError, Vec::new()),
        Answer::Records(data) => {
            let record = |data| Some(ResourceRecord::new(question.qname.clone(), CLASS::IN, TTL, rdata(data)?));
            (RCODE::NoError, data.into_iter().filter_map(record).collect())
        }
    }
}

fn rdata<'r>(data: Data) -> Option<RData<'r>> {
    Some(match data {
        Data::Address(IpAddr::V4(address)) => RData::A(A::from(address)),
        Data::Address(IpAddr::V6(address)) => RData::AAAA(AAAA::from(address)),
        Data::Name(name) => RData::PTR(PTR(Name::new(&name).ok()?.into_owned())),
    })
}

/// A question for the IPv4 addresses of a name; nothing where the name cannot be asked for.
pub(super) fn question(id: u16, name: &str) -> Option<Vec<u8>> {
    let mut query = Packet::new_query(id);
    query.set_flags(PacketFlag::RECURSION_DESIRED);
    query.questions.push(Question::new(Name::new(name).ok()?, TYPE::A.into(), CLASS::IN.into(), false));
    query.build_bytes_vec().ok()
}

/// Reads the answer to that question: its first address, or that there is none. Nothing if the message is no
/// answer to it.
pub(super) fn read_answer(message: &[u8], id: u16, name: &str) -> Option<Result<IpAddr, NoAddress>> {
    let packet = Packet::parse(message).ok()?;
    let question = packet.questions.first()?;
    let is_asked = question.qname.to_string().eq_ignore_ascii_case(name)
        && question.qtype == TYPE::A.into()
        && question.qclass == CLASS::IN.into();
    if packet.id() != id || !packet.has_flags(PacketFlag::RESPONSE) || !is_asked {
        return None;
    }
    Some(match packet.rcode() {
        RCODE::NoError => {
            let address = packet.answers.iter().find_map(|record| match &record.rdata {
                RData::A(a) => Some(IpAddr::V4(a.address.into())),
                _ => None,
            });
            address.ok_or_else(|| NoAddress::Unknown(name.to_owned()))
        }
        RCODE::NameError => Err(NoAddress::NoSuchName(name.to_owned())),
        other => Err(NoAddress::NoAnswer { name: name.to_owned(), code: format!("{other:?}") }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "ip-10-0-0-11.ec2.internal";

    fn knows(name: &str, kind: Kind) -> Answer {
        let address = Data::Address([10, 0, 0, 11].into());
        match (name, kind) {
            (NAME, Kind::A) => Answer::Records(vec![address]),
            (NAME, _) => Answer::Records(Vec::new()),
            ("many", _) => Answer::Records(vec![address; 100]),
            ("11.0.0.10.in-addr.arpa", Kind::Ptr) => Answer::Records(vec![Data::Name(NAME.to_owned())]),
            _ => Answer::NoSuchName,
        }
    }

    fn ask(carrier: Carrier, message: &[u8]) -> Option<Vec<u8>> {
        respond(message, carrier, &knows)
    }

    #[test]
    fn a_name_is_answered_with_its_address() {
        let answer = ask(Carrier::Datagram, &question(7, NAME).unwrap()).unwrap();
        assert_eq!(read_answer(&answer, 7, NAME), Some(Ok([10, 0, 0, 11].into())));
        assert_eq!(read_answer(&answer, 8, NAME), None, "an answer to another question");
        assert_eq!(read_answer(&answer, 7, "other"), None);
        assert_eq!(Packet::parse(&answer).unwrap().answers[0].ttl, 0, "nobody is to keep it");
    }

    #[test]
    fn no_such_name_is_told_from_no_such_record() {
        let unknown = ask(Carrier::Datagram, &question(7, "nobody").unwrap()).unwrap();
        assert_eq!(Packet::parse(&unknown).unwrap().rcode(), RCODE::NameError);
        assert!(read_answer(&unknown, 7, "nobody").unwrap().is_err());
        let mut query = Packet::new_query(7);
        query.questions.push(Question::new(Name::new(NAME).unwrap(), TYPE::MX.into(), CLASS::IN.into(), false));
        let answer = ask(Carrier::Datagram, &query.build_bytes_vec().unwrap()).unwrap();
        let reply = Packet::parse(&answer).unwrap();
        assert_eq!((reply.rcode(), reply.answers.len()), (RCODE::NoError, 0));
        assert_eq!(read_answer(&answer, 7, NAME), None, "nobody has asked for that");
    }

    #[test]
    fn an_address_is_answered_with_its_name() {
        let mut query = Packet::new_query(7);
        let reverse = Name::new("11.0.0.10.in-addr.arpa").unwrap();
        query.questions.push(Question::new(reverse, TYPE::PTR.into(), CLASS::IN.into(), false));
        let reply = ask(Carrier::Datagram, &query.build_bytes_vec().unwrap()).unwrap();
        let reply = Packet::parse(&reply).unwrap();
        let RData::PTR(name) = &reply.answers[0].rdata else { panic!("{reply:?}") };
        assert_eq!(name.0.to_string(), NAME);
    }

    #[test]
    fn what_is_too_long_for_a_datagram_is_cut_and_comes_whole_over_tcp() {
        let query = question(7, "many").unwrap();
        let datagram = ask(Carrier::Datagram, &query).unwrap();
        assert!(datagram.len() <= DATAGRAM && Packet::parse(&datagram).unwrap().has_flags(PacketFlag::TRUNCATION));
        let stream = ask(Carrier::Stream, &query).unwrap();
        assert_eq!(Packet::parse(&stream).unwrap().answers.len(), 100);
        let mut larger = Packet::parse(&query).unwrap();
        *larger.opt_mut() = Some(OPT { opt_codes: Vec::new(), udp_packet_size: 4096, version: 0 });
        let reply = ask(Carrier::Datagram, &larger.build_bytes_vec().unwrap()).unwrap();
        let reply = Packet::parse(&reply).unwrap();
        assert!(reply.answers.len() == 100 && reply.opt().is_some());
    }

    #[test]
    fn an_answer_is_not_answered_and_what_cannot_be_read_is_a_format_error() {
        let answer = ask(Carrier::Datagram, &question(7, NAME).unwrap()).unwrap();
        assert_eq!(ask(Carrier::Datagram, &answer), None);
        assert_eq!(ask(Carrier::Datagram, b"short"), None);
        let mut cut = question(7, NAME).unwrap();
        cut.truncate(20);
        assert_eq!(Packet::parse(&ask(Carrier::Datagram, &cut).unwrap()).unwrap().rcode(), RCODE::FormatError);
        let mut update = Packet::parse(&answer).unwrap();
        update.remove_flags(PacketFlag::RESPONSE);
        *update.opcode_mut() = OPCODE::Notify;
        let reply = ask(Carrier::Datagram, &update.build_bytes_vec().unwrap()).unwrap();
        assert_eq!(Packet::parse(&reply).unwrap().rcode(), RCODE::NotImplemented);
    }
}
