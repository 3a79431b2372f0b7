//! # sglab: EC2 security groups on real packets
//!
//! The modules are rooms, and each knows only rooms below it: `docs/architecture.md` has the table, and `tests/no_lab/rooms.rs` holds the code to it.
//!
//! Build on [`testing`], [`topology`], [`model`] and [`policy`]; changes of these are in the changelog. The other rooms are public for this
//! repository's tests only, and change without notice.
//!
//! `policy` and `compile` are two independent readings of one state and never see each other.
//!
//! Start at [`topology::Topology`], the file; then [`scenario::run`], which does what it says on real packets.
//! What follows needs no privilege: it reads a file, launches its cloud on paper, and asks both readings about one flow.
//!
//! ```
//! use sglab::topology::Topology;
//! use sglab::model::{Endpoint, Flow, InstanceName, Port, Service, Verdict, Via, apply};
//! use sglab::{compile, policy};
//!
//! let file = "
//! sglab: 1
//! era: vpc
//! groups: {web: [tcp 443 from anywhere], db: [tcp 5432 from web]}
//! instances: {web1: {groups: web}, db1: {groups: db}}
//! scenario: [{step: as launched, expect: {open: [web1 -> db1:5432]}}]
//! ";
//! let topology = Topology::parse("shop.yaml", file.as_bytes()).expect("a valid file");
//! let mut cloud = topology.empty_cloud(topology.eras[0]);
//! for operation in &topology.initial {
//!     apply(&mut cloud, &operation.value)?;
//! }
//! let instance = |name| Endpoint::Instance(InstanceName::new(name));
//! let mut flow = Flow {
//!     from: instance("web1"),
//!     to: instance("db1"),
//!     via: Via::Private,
//!     service: Service::Tcp(Port(5432)),
//! };
//! assert!(policy::judge(&cloud, &flow).is_open());
//! // By public address it comes back from the gateway, and is no member of `web` any more.
//! flow.via = Via::Public;
//! assert!(matches!(policy::judge(&cloud, &flow), Verdict::Dropped { .. }));
//! assert!(compile::render(&cloud)?.contains("ip saddr @members/web tcp dport 5432"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod account;
pub mod compile;
pub mod control;
pub mod fabric;
pub mod graph;
pub mod import;
pub mod lab;
pub mod lint;
pub mod model;
pub mod network;
pub mod outward;
pub mod policy;
pub mod probe;
pub mod protocol;
pub mod reach;
pub mod report;
pub mod sandbox;
pub mod scenario;
pub mod testing;
pub mod topology;
pub mod web;
pub mod workshop;

#[doc(inline)]
pub use sglab_macros::test;
