//! Files that people have of their own cloud, read into an account: replies of `aws ec2 describe-*`, Terraform's JSON,
//! CloudFormation templates, topologies.
//!
//! Pure: sources come as texts. Nothing is lost in silence: what is read and has no part in the account is listed there with its reason.

mod allowances;
mod builder;
mod cloudformation;
mod describe;
mod expectation;
mod fault;
mod kind;
mod placed;
#[cfg(test)]
mod shown;
mod terraform;
mod topology;
mod tree;
mod words;
mod written;

use std::sync::Arc;

use builder::{Builder, Reader};
use fault::Mistake;
use tree::Node;

use crate::account::{Account, SourceKind};
use crate::topology::Source;

pub use allowances::{AllowanceWords, allowances};
pub use expectation::{Expectations, ExpectedMembers, ExpectedPassage, read_expectations, write_expectations};
pub use fault::{Fault, Faults};
pub use kind::Kind;
pub use kind::is_topology;
pub use topology::{account_of, listeners_of};
pub use written::{Written, topology_of};

/// One source.
#[derive(Clone, Debug)]
pub struct Text {
    /// Its name as the user gave it.
    pub name: String,
    /// Its content.
    pub text: Arc<str>,
}

/// Reads sources into one account.
///
/// # Errors
/// All mistakes of all sources.
///
/// ```
/// use sglab::import::{Text, read};
///
/// let reply = r#"{"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "db", "VpcId": "vpc-1",
///     "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}]}"#;
/// let account = read(&[Text { name: "groups.json".into(), text: reply.into() }], None)?;
/// let (_, db) = account.groups.first().expect("one group");
/// assert_eq!((db.label.as_str(), db.ingress.len()), ("db", 1));
/// assert_eq!(db.ingress[0].origin.to_string(), "sg-1 (groups.json:2:92)");
/// # Ok::<(), sglab::import::Faults>(())
/// ```
pub fn read(sources: &[Text], kind: Option<Kind>) -> Result<Account, Faults> {
    let mut builder = Builder::default();
    for text in sources {
        builder.written.clear();
        let source = Source::shared(&text.name, text.text.clone());
        let reader = Reader { source: &source, into: &mut builder };
        read_one(reader, &text.text, kind);
    }
    let (account, faults) = builder.finish();
    if faults.is_empty() { Ok(account) } else { Err(Faults::new(faults)) }
}

/// Tells which kind of source a text is; nothing for a text that is none.
pub fn kind_of(text: &str) -> Option<Kind> {
    kind::recognise(Node(&tree::parse(text).ok()?)).ok()
}

fn read_one(mut reader: Reader<'_>, text: &str, kind: Option<Kind>) {
    let tree = match tree::parse(text) {
        Ok(tree) => tree,
        Err(mistake) => return reader.fault(mistake),
    };
    let root = Node(&tree);
    let kind = kind.map_or_else(|| kind::recognise(root), Ok);
    if let Ok(kind) = &kind {
        reader.into.account.sources.insert(match kind {
            Kind::Cloudformation => SourceKind::Cloudformation,
            Kind::Describe => SourceKind::Describe,
            Kind::Terraform => SourceKind::Terraform,
        });
    }
    match kind {
        Ok(Kind::Cloudformation) => cloudformation::read(&mut reader, root),
        Ok(Kind::Describe) if !describe::is_reply(root) => {
            reader.fault(Mistake::new(root.span().beginning(), "this is no reply of `aws ec2 describe-*`"));
        }
        Ok(Kind::Describe) => describe::read(&mut reader, root),
        Ok(Kind::Terraform) => terraform::read(&mut reader, root),
        Err(mistake) => reader.fault(mistake),
    }
}
