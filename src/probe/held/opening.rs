//! Opening of a connection: by whoever asks, or by both ends that send to each other.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpSocket, UdpSocket};

use super::end::End;
use super::{ARRIVAL_TIMEOUT, Connection, NotMet, Way, admissions_of, lacked_room};
use crate::model::{Direction, Port, Service};
use crate::probe::ask::{Ask, parties, tuples};
use crate::probe::canary::Receiver;
use crate::probe::dropped::{InterfaceLookup, SentBy, drop_of, words};
use crate::probe::evidence::{Logged, ProbeRecord};
use crate::probe::missing::WANT_OF_ROOM;
use crate::probe::patience::within;
use crate::probe::prober::Prober;
use crate::probe::resolve;

/// Milliseconds to wait for the record of the receiver's ingress. A receiver outside the cloud has none, so the wait ends.
const RECORD_DELAY_MS: u32 = 20;

impl Connection {
    /// Opens one; the right receiver has answered when this returns.
    ///
    /// # Errors
    /// Why it could not be opened, in words.
    pub async fn open(
        prober: &mut Prober,
        ask: Ask,
        client: Receiver,
        lookup: InterfaceLookup<'_>,
    ) -> Result<Self, NotMet> {
        let server = ask.receiver.as_ref().ok_or_else(NotMet::nobody)?.node.clone();
        let (socket, port) = prober.open_socket(&ask).await?;
        let token = prober.token();
        let there = tuples(&ask, port);
        let case = prober.board.register(&there, parties(&ask));
        prober.board.expect_answer(&there, &case);
        let to = |port: u16| SocketAddr::new(ask.destination, port);
        let text = |error: io::Error| NotMet::Unproved(error.to_string());
        let opening = async {
            match ask.service {
                Service::Tcp(port) => {
                    let stream = TcpSocket::from_std_stream(socket.into()).connect(to(port.0)).await.map_err(text)?;
                    Ok(End::Tcp(stream, Vec::new()))
                }
                Service::Udp(port) => {
                    let socket = UdpSocket::from_std(socket.into()).map_err(text)?;
                    socket.connect(to(port.0)).await.map_err(text)?;
                    Ok(End::Udp(socket))
                }
                Service::IcmpEcho => {
                    let socket = UdpSocket::from_std(socket.into()).map_err(text)?;
                    socket.connect(to(0)).await.map_err(text)?;
                    Ok(End::Ping(socket))
                }
                Service::Icmp(_) | Service::Protocol(_) => {
                    Err(NotMet::Apart("a connection is held over tcp, udp or ping".to_owned()))
                }
            }
        };
        let opening =
            within(ARRIVAL_TIMEOUT, opening).await.ok_or_else(|| NotMet::Unproved("nobody answers".to_owned()));
        let client_node = Arc::clone(&ask.sender);
        let opened = match opening.flatten() {
            Ok(end) => {
                let records = Vec::new();
                let (heard, was_forgotten) = (Instant::now(), false);
                Self { ask, client, client_node, server, port, token, end, records, heard, was_forgotten }
                    .answered(&case)
                    .await
            }
            Err(why) => Err(why),
        };
        prober.board.forget(&there);
        opened.map_err(|not_met| match not_met {
            NotMet::Apart(why) => NotMet::Apart(why),
            NotMet::Unproved(why) => not_opened(why, &case, lookup),
        })
    }

    /// Itself, once the right receiver has answered.
    async fn answered(mut self, case: &ProbeRecord) -> Result<Self, NotMet> {
        let text = |error: io::Error| NotMet::Unproved(error.to_string());
        let token = self.token;
        self.send(token).await.map_err(text)?;
        let answer = within(ARRIVAL_TIMEOUT, self.receive(token)).await;
        match answer.ok_or_else(|| NotMet::Unproved("nobody answers".to_owned()))?.map_err(text)? {
            // Who was sent the question may say so; any other name is only said.
            Some(name) if name != self.server.0 => {
                let was_sent = case.seen_elsewhere().iter().any(|node| node.0 == name);
                let make = if was_sent { NotMet::Apart } else { NotMet::Unproved };
                Err(make(format!("{name} answered")))
            }
            _ if !self.is_shown(case).await => {
                let why = "it was answered, and nothing proves that it was sent there, or that an answer was sent back";
                Err(NotMet::Unproved(why.to_owned()))
            }
            _ => {
                self.records = admitting(&[case]).await;
                Ok(self)
            }
        }
    }

    /// Has both ends send datagrams from fixed ports, until each has heard the other; the client's is this one, where the harness listens. The
    /// first packets may be lost: who has not sent yet takes nothing that no rule admits.
    ///
    /// # Errors
    /// Why they do not meet, in words.
    pub async fn meet(prober: &mut Prober, ask: Ask, client: Receiver, port: Port) -> Result<Self, NotMet> {
        let Service::Udp(at) = ask.service else {
            return Err(NotMet::Apart("only datagrams are sent from both ends".to_owned()));
        };
        let server = ask.receiver.as_ref().ok_or_else(NotMet::nobody)?.node.clone();
        let port = port.0;
        let opened = prober.open_beside(&ask, port).await?;
        let socket = UdpSocket::from_std(opened.into()).map_err(NotMet::unproved)?;
        socket.connect(SocketAddr::new(ask.destination, at.0)).await.map_err(NotMet::unproved)?;
        let client_node = Arc::clone(&ask.sender);
        let token = prober.token();
        let (end, records, heard, was_forgotten) = (End::Udp(socket), Vec::new(), Instant::now(), false);
        let mut connection = Self { ask, client, client_node, server, port, token, end, records, heard, was_forgotten };
        // Once each has sent, each has been heard, or never is.
        connection.exchange(prober).await?;
        match connection.exchange(prober).await? {
            ((Way::Arrived, Way::Arrived), _) => Ok(connection),
            ((there, back), lacked_room) => {
                let why = format!("what the one end sent {there}, and what the other sent {back}");
                Err(if lacked_room {
                    NotMet::Unproved(format!("{why}, {}", WANT_OF_ROOM))
                } else if matches!(there, Way::Silent) || matches!(back, Way::Silent) {
                    NotMet::Unproved(why)
                } else {
                    NotMet::Apart(why)
                })
            }
        }
    }

    /// Each end sends once; what became of it, and whether there was no room for it.
    async fn exchange(&mut self, prober: &mut Prober) -> Result<((Way, Way), bool), NotMet> {
        let (there, back) = (self.there(), self.back());
        let (case_there, case_back) = (self.case_there(prober), self.case_back(prober));
        let (question, answer) = (prober.token(), prober.token());
        prober.board.expect_delivery(question, &case_there);
        let found = self.both_ways(prober, question, answer, (&case_there, &case_back)).await;
        if self.records.is_empty() && matches!(found, Ok((Way::Arrived, _) | (_, Way::Arrived))) {
            self.records = admitting(&[&case_there, &case_back]).await;
        }
        prober.board.forget(&[there, back].concat());
        prober.board.forget_delivery(&question);
        let found =
            found.map_err(|why| if is_refused(&case_there) { NotMet::Apart(why) } else { NotMet::Unproved(why) });
        Ok((found?, [&case_there, &case_back].into_iter().any(|case| lacked_room(case))))
    }
}

/// Tells whether it is for the groups, or for the receiver, that a connection does not come about: an end that keeps its own packets is not
/// answered either.
fn not_opened(why: String, case: &ProbeRecord, lookup: InterfaceLookup<'_>) -> NotMet {
    let records = case.records();
    let Some(logged) = records.iter().find(|logged| logged.record.is_drop()) else {
        return if is_refused(case) { NotMet::Apart(why) } else { NotMet::Unproved(why) };
    };
    match resolve::unjudged(logged).or_else(|| resolve::begun_before(logged, &records)) {
        Some(record) => NotMet::Unproved(record.to_string()),
        None if lacked_room(case) => NotMet::Unproved(format!("a drop is on record, {}", WANT_OF_ROOM)),
        None => NotMet::Apart(words(&drop_of(logged, SentBy::Opener, lookup))),
    }
}

/// Reports whether a refusal was sent to the client: the socket's error is the receiver's word.
fn is_refused(case: &ProbeRecord) -> bool {
    case.sent_back().refusal
}

/// The records of what has let something new pass, behind which it has arrived. They are read by others, and may come a little later: what
/// has not come by then is not known.
async fn admitting(cases: &[&ProbeRecord]) -> Vec<Logged> {
    for _ in 0..RECORD_DELAY_MS {
        let records: Vec<Logged> = cases.iter().flat_map(|case| admissions_of(case)).collect();
        // Where the receiver's end is in the cloud, its record is the last.
        if records.iter().any(|logged| logged.record.is_at(Direction::Ingress)) {
            return records;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    cases.iter().flat_map(|case| admissions_of(case)).collect()
}
