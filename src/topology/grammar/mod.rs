//! The grammar of the short forms, a rule `tcp 3306 from WEB` and a flow `web1 -> db1:3306`, wherever they stand: in a file, in an
//! argument, in a program. Nothing is looked up here; that is for `resolve`.

mod flow;
mod rule;
mod services;

pub use flow::Within;
pub use flow::{Ends, FORM, FlowTarget, TypedFlow, in_one_line};
pub use rule::{RuleWords, TypedRule, is_all, whom};
pub use services::{first_word, port, service, traffic, unknown_protocol, unprobeable};
