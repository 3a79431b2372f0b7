//! Reading of sources, each by its kind.

use std::sync::Arc;

use indexmap::IndexSet;

use super::builder::Builder;
use super::fault::{Faults, Mistake};
use super::kind::{self, Kind};
use super::parameters::Parameters;
use super::reader::Reader;
use super::tree::{self, Node};
use super::{cloudformation, describe, terraform};
use crate::account::{Account, SourceKind};
use crate::topology::Source;

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
    read_with(sources, kind, &Arc::default())
}

/// As [`read`], with values for parameters of templates.
///
/// # Errors
/// As [`read`].
pub fn read_with(sources: &[Text], kind: Option<Kind>, parameters: &Arc<Parameters>) -> Result<Account, Faults> {
    let mut builder = Builder::with(Arc::clone(parameters));
    for text in sources {
        builder.written.clear();
        let source = Source::shared(&text.name, text.text.clone());
        let reader = Reader { source: &source, into: &mut builder };
        read_one(reader, &text.text, kind);
    }
    finished(builder)
}

pub(super) fn finished(builder: Builder) -> Result<Account, Faults> {
    let (account, faults) = builder.finish();
    if faults.is_empty() { Ok(account) } else { Err(Faults::new(faults)) }
}

/// The names of parameters that templates among some sources have, with those that every template has.
pub fn parameters_of(sources: &[Text]) -> IndexSet<String> {
    let mut names = IndexSet::new();
    for text in sources {
        let Ok(tree) = tree::parse(&text.text) else { continue };
        let root = Node(&tree);
        if cloudformation::is_template(root) {
            names.extend(root.get("Parameters").into_iter().flat_map(Node::entries).map(|(name, _)| name.to_owned()));
            names.extend(cloudformation::PSEUDO.iter().map(|name| (*name).to_owned()));
        }
    }
    names
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
            reader.fault(Mistake::new(root.start(), "this is no reply of `aws ec2 describe-*`"));
        }
        Ok(Kind::Describe) => describe::read(&mut reader, root),
        Ok(Kind::Terraform) => terraform::read(&mut reader, root),
        Err(mistake) => reader.fault(mistake),
    }
}
