//! One expectation of a step, held against what was found.

use std::fmt;

use serde::{Serialize, Serializer};

use super::details::{Details, Section, Words};
use crate::model::SourceLocation;

/// Result of one expectation of a step. Evaluators make it, reports read it.
///
/// ```text
/// connection session: expected cut, observed alive
/// subject             expected      observed
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Subject: `connection session`; empty where `expected` names it.
    pub subject: String,
    /// Expected outcome: a word or two, or the whole expectation in the words of the file.
    pub expected: String,
    /// Observed outcome.
    pub observed: String,
    /// Result of comparing the two.
    pub status: CheckStatus,
    /// Reason for the observed outcome, where it is known.
    pub reason: Option<String>,
    /// Expectation of the file.
    pub said: Said,
    /// Details of its kind of expectation.
    pub details: Details,
}

/// Result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckStatus {
    /// Observed as expected.
    Passed,
    /// It is something else.
    Failed,
    /// Nothing proves either.
    Inconclusive,
}

/// Something expected: the words of the file, and where they stand.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Said {
    /// Such as `table two-tier, which does not list it as open`.
    pub words: String,
    /// Place in the file.
    pub place: SourceLocation,
}

impl CheckStatus {
    /// Names it in JSON, for a check without a word of its own.
    fn proof(self) -> &'static str {
        match self {
            Self::Passed => "right",
            Self::Failed => "wrong",
            Self::Inconclusive => "unproved",
        }
    }
}

impl Check {
    /// Tells whether what was found is what was expected.
    pub fn is_passed(&self) -> bool {
        self.status == CheckStatus::Passed
    }

    /// Tells whether it is known to be something else.
    pub fn is_failed(&self) -> bool {
        self.status == CheckStatus::Failed
    }

    /// Tells whether nothing proves either.
    pub fn is_inconclusive(&self) -> bool {
        self.status == CheckStatus::Inconclusive
    }

    /// Gives the place where the file expects it.
    pub fn place(&self) -> &SourceLocation {
        &self.said.place
    }

    /// Tells whether `expected` is the whole expectation, in the words of the file.
    pub fn is_statement(&self) -> bool {
        self.expected == self.said.words
    }

    /// Gives the list of a report that it stands in; none for a cell.
    pub fn section(&self) -> Option<Section> {
        self.details.section()
    }

    /// Names what was found, in words that do not change from run to run.
    pub fn word(&self) -> &str {
        self.details.word(self.words())
    }

    fn words(&self) -> Words<'_> {
        Words {
            expected: &self.expected,
            observed: &self.observed,
            reason: self.reason.as_deref(),
            proof: self.status.proof(),
        }
    }
}

/// Writes one sentence: `connection session: expected cut, observed alive`.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.subject.is_empty() {
            write!(f, "{}: ", self.subject)?;
        }
        write!(f, "expected {}, observed {}", self.expected, self.observed)
    }
}

/// Writes what `docs/output.md` tells of it: what its kind has, then `right` and `place`.
impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Document<'a, T> {
            #[serde(flatten)]
            kind: T,
            right: bool,
            place: &'a SourceLocation,
        }
        Document { kind: self.details.fields(self.words()), right: self.is_passed(), place: self.place() }
            .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ConnectionName, Endpoint, Flow, InstanceName, Port, Service, Via, VpcService};
    use crate::probe::Held;
    use crate::scenario::results::{AnswerDetails, ConnectionDetails, Met, Promise, Statement, TrafficDetails};
    use crate::scenario::results::{Counted, Headline, Listing};
    use crate::topology::ExpectedConnection;

    const SECTION: Section = Section {
        key: "of_its_own",
        headline: Headline { rank: 9, before: "", unit: "thing", counted: Counted::Alone, after: " not so" },
        listing: Listing::InOrder,
    };

    fn check(subject: &str, [expected, observed, words]: [&str; 3], reason: Option<&str>, details: Details) -> Check {
        Check {
            subject: subject.to_owned(),
            expected: expected.to_owned(),
            observed: observed.to_owned(),
            status: CheckStatus::Failed,
            reason: reason.map(str::to_owned),
            said: Said { words: words.to_owned(), place: SourceLocation { file: "t.yaml".into(), line: 1, column: 2 } },
            details,
        }
    }

    fn all() -> [Check; 6] {
        let connection =
            ConnectionDetails { name: ConnectionName::new("s"), expected: ExpectedConnection::Cut, found: Held::Alive };
        let end = |name: &str| Endpoint::Instance(InstanceName::new(name));
        let packets = TrafficDetails {
            flow: Flow { from: end("a"), to: end("b"), via: Via::Private, service: Service::Tcp(Port(22)) },
            sent: 9,
            owed: 4,
            lost: 1,
            barred: 3,
            leaked: 0,
            either: 2,
            expected: vec![Promise::NoLeak, Promise::NoLoss],
            word: "lost",
        };
        let answer = AnswerDetails { from: InstanceName::new("a"), service: VpcService::Dns };
        let log = Statement { section: SECTION, of: Some("a".to_owned()), met: Met::SaysAll };
        let balanced = Statement { section: SECTION, of: None, met: Met::SaysLess };
        let served = "in-service: {lb: a}";
        [
            check("connection s", ["cut", "alive", "cut: s"], Some("admitted"), Details::Connection(connection)),
            check(
                "traffic a -> b:22",
                ["loss: none", "9 packets", "during: a -> b:22"],
                None,
                Details::Traffic(packets),
            ),
            check("a -> dns", ["answered", "wrong", "answered: a -> dns"], Some("no"), Details::Answer(answer)),
            check("", [served, "out of service", served], None, Details::Statement(balanced.clone())),
            check("", ["f answered by a", "answered by b", "f answered by a"], None, Details::Statement(balanced)),
            check("flow log of a", ["NODATA", "a record", "NODATA"], None, Details::Statement(log)),
        ]
    }

    #[test]
    fn a_program_is_told_of_each_kind_what_the_documentation_says() {
        let json: Vec<String> = all().iter().map(|check| serde_json::to_string(check).unwrap()).collect();
        let place = r#""right":false,"place":{"file":"t.yaml","line":1,"column":2}}"#;
        let expected = [
            r#"{"name":"s","expected":"cut","observed":"alive","reason":"admitted","#,
            r#"{"flow":"a -> b:22","sent":9,"owed":4,"lost":1,"barred":3,"leaked":0,"either":2,"expected":["no-leak","no-loss"],"observed":"lost","reason":null,"#,
            r#"{"from":"a","service":"dns","observed":"wrong","detail":"no","#,
            r#"{"expected":"in-service: {lb: a}","observed":"out of service","proof":"wrong","#,
            r#"{"expected":"f answered by a","observed":"answered by b","proof":"wrong","#,
            r#"{"interface":"a","expected":"NODATA","observed":"a record","proof":"wrong","#,
        ];
        assert_eq!(json, expected.map(|kind| format!("{kind}{place}")));
    }

    #[test]
    fn each_is_one_sentence_and_has_a_word_that_stays() {
        let sentences = all().map(|check| check.to_string());
        let expected = [
            "connection s: expected cut, observed alive",
            "traffic a -> b:22: expected loss: none, observed 9 packets",
            "a -> dns: expected answered, observed wrong",
            "expected in-service: {lb: a}, observed out of service",
            "expected f answered by a, observed answered by b",
            "flow log of a: expected NODATA, observed a record",
        ];
        assert_eq!(sentences, expected);
        assert_eq!(all().map(|check| check.word().to_owned()), ["alive", "lost", "wrong", "wrong", "wrong", "wrong"]);
    }
}
