//! A page that shows a lab that is up: its picture, its truth table as packets prove it, and the means to change it.
//!
//! One more client of the lab's socket. `board` holds what the page shows, `watch` keeps it up to date, `server` speaks HTTP,
//! `guard` says who may.

mod assets;
mod audience;
mod board;
mod bounded;
mod by_address;
mod cell;
mod classes;
pub mod classroom;
mod forms;
mod frame;
mod guard;
mod history;
mod lab;
mod log;
mod picture;
mod requests;
mod room;
mod script;
mod server;
mod session;
mod sides;
mod table;
mod view;
mod watch;

pub use lab::LabClient;
pub use script::Script;
pub use server::{ServeError, Serving, Wanted, serve};
pub use session::{Session, SessionError};
