//! Labs in tests of your own.
//!
//! ```no_run
//! use sglab::model::Era;
//! use sglab::topology::{NewInstance, Topology};
//! use sglab::testing::{Error, Lab};
//!
//! #[sglab::test]
//! async fn only_the_web_reaches_the_database() -> Result<(), Error> {
//!     let shop = Topology::builder(Era::Vpc)
//!         .group("web", ["tcp 443 from anywhere"])
//!         .group("db", ["tcp 5432 from web"])
//!         .instance("web1", NewInstance::in_groups(["web"]))
//!         .instance("db1", NewInstance::in_groups(["db"]))
//!         .build()?;
//!     let lab = Lab::boot(&shop).await?;
//!     lab.probe("web1 -> db1:5432").await?.assert_open();
//!     lab.probe("db1 -> web1:22").await?.assert_dropped().at_ingress();
//!     lab.instance("web1")?.stop().await?;
//!     lab.instance("web1")?.start().await?;
//!     lab.probe("web1 -> db1:5432").await?.assert_open();
//!     Ok(())
//! }
//! ```
//!
//! A thread of an ordinary process cannot enter a lab, and a test harness has threads. So [`macro@crate::test`] starts the test's
//! own executable anew, for this one test and inside of a sandbox, and passes on what it prints and how it ends; see
//! [`run`]. A test under another attribute begins with [`sandboxed!`](crate::sandboxed), and a `main`, that of a
//! doctest too, wraps its work in [`main`]. What is in the process before that is there twice: once outside, once inside.

mod connection;
mod error;
mod instance;
mod lab;
mod rerun;
mod seen;
mod within;

pub use crate::scenario::ProbedFlow;
pub use connection::Connection;
pub use error::Error;
pub use instance::Instance;
pub use lab::{Lab, assert_scenario};
#[doc(hidden)]
pub use rerun::sandboxed;
pub use rerun::{Inside, Passed, TestResult, main, run};
pub use seen::{Dropped, Probed};
pub use within::Running;

/// Makes the rest of a test run inside a lab's sandbox, where the attribute of the test is somebody else's.
///
/// It goes at the very beginning. Outside of a sandbox it runs the test once more in a process of its own, and returns from the
/// function, or panics as the test has; a function that gives back something else than nothing says what: `sandboxed!(Ok(()))`.
///
/// ```
/// # fn main() {}
/// #[tokio::test]
/// async fn a_test_of_another_harness() -> Result<(), sglab::testing::Error> {
///     sglab::sandboxed!(Ok(()));
///     // Here labs can be booted.
/// #   Ok(())
/// }
/// ```
#[macro_export]
macro_rules! sandboxed {
    ($($passed:expr)?) => {
        let _inside = {
            fn here() {}
            match $crate::testing::sandboxed(::core::any::type_name_of_val(&here)) {
                ::core::result::Result::Ok(inside) => inside,
                ::core::result::Result::Err($crate::testing::Passed) => return $($passed)?,
            }
        };
    };
}
