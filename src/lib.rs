//! # sglab: EC2 security groups on real packets
//!
//! The map. Arrows point down only; `tests/rooms.rs` checks them.
//!
//! | room | what it is | touches the world? |
//! |---|---|---|
//! | [`report`] | results as terminal text, JSON, JUnit, annotations | no |
//! | [`scenario`] | steps and expectations, run against a lab | through `lab` |
//! | [`lab`] | the running cloud: boot, stop, start, authorize, revoke ... | through `fabric` |
//! | [`probe`] | sockets in namespaces; turns evidence into outcomes | yes |
//! | [`fabric`] | sandbox, namespaces, links, nft, conntrack, nflog | yes |
//! | [`compile`] | the cloud's state as rulesets and links, as data | no |
//! | [`policy`] | the cloud's state and a flow give a verdict with reasons | no |
//! | [`model`] | instances, groups, rules, addresses, eras, topology files | no |
//!
//! `policy` and `compile` are two independent readings of one state and never see each other.

pub mod compile;
pub mod fabric;
pub mod lab;
pub mod model;
pub mod policy;
pub mod probe;
pub mod report;
pub mod scenario;
