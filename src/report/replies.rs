//! Replies of a lab to what it could not do, in words.

use crate::model::{Operation, no_such};
use crate::protocol::Unfit;

/// Words for a reply that no request of this kind has.
pub const UNEXPECTED: &str = "the lab answered something else than it was asked";

/// The reason why a request could not be carried out in the cloud of the moment.
pub fn unfit(unfit: &Unfit) -> String {
    match unfit {
        Unfit::NoSuch { kind, name, known } => {
            no_such(&kind.to_string(), name, &known.iter().map(String::as_str).collect::<Vec<_>>())
        }
        Unfit::NotRunning(name) => {
            format!("{name} does not run, so nothing can be captured of it; `sglab start {name}` starts it")
        }
        Unfit::NoProcesses => "services are not started in this lab".to_owned(),
    }
}

/// `stop web1 and stop web2 are in force, but stop db1 failed: ...`.
pub fn partly(done: &[Operation], failed: Option<&Operation>, why: &str) -> String {
    let all: Vec<String> = done.iter().map(ToString::to_string).collect();
    let in_force = format!("{} {} in force", all.join(" and "), if all.len() == 1 { "is" } else { "are" });
    match failed {
        Some(operation) => format!("{in_force}, but {operation} failed: {why}"),
        None => format!("{in_force}, but {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Kind;

    #[test]
    fn a_service_that_nobody_has_is_told_with_what_may_have_been_meant() {
        let of = |known: &[&str]| {
            let known = known.iter().map(|name| (*name).to_owned()).collect();
            unfit(&Unfit::NoSuch { kind: Kind::Process, name: "web1/wbe".to_owned(), known })
        };
        let meant = "there is no service `web1/wbe`; did you mean `web1/web`? there are web1/web, web1/php";
        assert_eq!(of(&["web1/web", "web1/php"]), meant);
        assert_eq!(of(&[]), "there is no service `web1/wbe`; there are none");
        assert_eq!(unfit(&Unfit::NoProcesses), "services are not started in this lab");
    }
}
