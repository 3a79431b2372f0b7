//! Advice on the groups and rules of an account: the article's strategy, Amazon's, and what others check.
//!
//! Pure. Each check is an entry of one list, with its reason, whose advice it is, and two examples that tests run. A family of checks is a file.

mod addresses;
mod allowance;
mod allowed;
mod anywhere;
mod check;
mod checks;
mod convention;
mod cure;
mod date;
mod defaults;
mod everybody;
mod finding;
mod fixes;
mod flow_allowance;
mod found;
mod groups;
mod level;
mod limits;
mod listeners;
mod options;
mod outcome;
mod ports;
mod proof;
mod redundant;
mod subject;
mod tiers;
mod tracking;

pub use allowance::{Allowance, AllowanceFault, Scope, in_comments};
pub use check::{Advice, Check};
pub use checks::{all, check};
pub use convention::{Convention, ConventionFault};
pub use date::Date;
pub use finding::Finding;
pub use fixes::{Fix, Fixed, Fixes};
pub use flow_allowance::{AllowedFlows, AllowedPassage, FlowAllowance, Useless, UselessFlowAllowance, allow};
pub use found::{About, AboutKind};
pub use level::Level;
pub use options::{ADMIN, AUTHORISED, CureWords, EgressRules, Listeners, Options, Platform, Profile};
pub use outcome::{Outcome, lint};
pub use proof::{Claim, Proof};
