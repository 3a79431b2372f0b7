//! Names as a file makes them, and who of them exists at a step.

use super::names::{EntityKind, Named, fault};
use super::resolver::Resolver;
use crate::model::{Era, GroupName, HostName, InstanceName, OwnBox, Peer, RefusalCode, VpcName, vpc_of_default_group};
use crate::topology::document::shape::{Entry, Field, Map, Node, Span, SpannedText, Value};
use crate::topology::document::words::{Name, Named as Nameable};
use crate::topology::problem::{Diagnostic, quote};

/// Words that mean something of their own.
const RESERVED: [&str; 4] = ["any", Peer::ANYWHERE, "internet", "localhost"];
/// Returns true for a word that nothing in a file can have as its name.
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word)
}

/// Hosts, instances and groups of one file.
const MAX_NAMES: usize = 5_000;

impl Resolver<'_> {
    /// Takes up the names that a section makes.
    pub fn declare_section<T: Nameable, V>(&mut self, section: &Field<Map<Name<T>, V>>, sort: EntityKind) {
        self.names.doubts.incomplete |= section.is_unread();
        section.get().into_iter().flat_map(|map| &map.entries).for_each(|entry| self.declare_key(entry, sort, &[]));
    }

    /// Takes up the name that an entry makes.
    pub fn declare_key<T: Nameable, V>(&mut self, entry: &Entry<Name<T>, V>, sort: EntityKind, eras: &[Era]) {
        match &entry.key {
            Some(key) => self.declare(key, sort, eras),
            None => self.names.doubts.members = true,
        }
    }

    /// Takes up a name, and reports a bad or a taken one.
    pub fn declare(&mut self, key: &SpannedText, sort: EntityKind, eras: &[Era]) {
        let Some(name) = self.name(key) else {
            self.names.doubts.members = true;
            self.names.doubts.unread.insert(key.text().to_owned());
            return;
        };
        if is_reserved(&name) {
            self.names.doubts.members = true;
            self.names.doubts.unread.insert(name.clone());
            let message = format!("{} cannot be the name of {}", quote(&name), sort.article());
            return self.report(Diagnostic::new(key.span, message).help("this word has a meaning of its own"));
        }
        let is_own = |vpc: &&VpcName| OwnBox::ALL.iter().any(|own| own.of(vpc) == name);
        let vpc = self.names.vpcs.iter().find(is_own).cloned();
        if let (EntityKind::Host | EntityKind::Instance | EntityKind::LoadBalancer, Some(vpc)) = (sort, vpc) {
            let help = format!("the lab itself has a box of this name in the VPC {}", quote(vpc.as_str()));
            self.names.doubts.members = true;
            self.names.doubts.unread.insert(name.clone());
            let message = format!("{} cannot be the name of {}", quote(&name), sort.article());
            return self.report(Diagnostic::new(key.span, message).help(help));
        }
        if sort == EntityKind::Group && self.names.is_default_group(&name) {
            let draft = Diagnostic::new(key.span, format!("the group {} is there from the start", quote(&name)));
            return self.report(draft.help("EC2 makes it; change its rules in a step, with `authorize` and `revoke`"));
        }
        if let Some(first) = self.names.named.get(&name) {
            // Steps of different eras never meet.
            let apart = !eras.is_empty() && !first.eras.is_empty() && !eras.iter().any(|e| first.eras.contains(e));
            if (apart || first.gone) && first.sort == sort {
                if let Some(named) = self.names.named.get_mut(&name) {
                    named.gone = false;
                }
                return;
            }
            self.names.doubts.members = true;
            self.names.doubts.unread.insert(name.clone());
            let message = format!("the name {} is taken by {}", quote(&name), first.sort.article());
            let draft = Diagnostic::new(key.span, message)
                .help("hosts, instances and groups share one namespace")
                .maybe_related("first given here", first.span);
            return self.report(draft);
        }
        if self.names.named.len() == MAX_NAMES {
            let message = format!("the file names more than {MAX_NAMES} hosts, instances and groups");
            return self.report(Diagnostic::new(key.span, message));
        }
        self.names.named.insert(name, Named { sort, span: Some(key.span), eras: eras.to_vec(), gone: false });
    }

    /// A name as a key, checked for its characters.
    pub fn name(&mut self, key: &SpannedText) -> Option<String> {
        let name = key.text();
        if let Some(fault) = fault(name) {
            self.report(Diagnostic::new(key.span, format!("{} cannot be a name", quote(name))).help(fault));
            return None;
        }
        Some(name.to_owned())
    }

    /// The key's text, if it was fit to be declared: so that reading goes on without repeating the complaint.
    pub fn declared<'w>(&self, key: Option<&'w SpannedText>, sort: EntityKind) -> Option<&'w str> {
        key.map(SpannedText::text).filter(|name| self.names.sort(name) == Some(sort))
    }

    /// Takes up what a part that could not be read may declare: its keys, or its words.
    pub fn note_unread(&mut self, node: &Node) {
        let words: Vec<String> = match &node.value {
            Value::Mapping(entries) => entries.iter().filter_map(|(key, _)| plain(key)).collect(),
            Value::Sequence(items) => items.iter().filter_map(plain).collect(),
            Value::Scalar(scalar) => vec![scalar.text.clone()],
        };
        self.names.doubts.members = true;
        let unread: Vec<String> = words.into_iter().filter(|word| self.names.sort(word).is_none()).collect();
        self.names.doubts.unread.extend(unread);
    }

    /// Returns true if an unknown name may have been declared in a part that could not be read, which is reported there.
    pub fn may_be_unread(&self, word: &str) -> bool {
        self.names.doubts.unread.contains(word) || self.names.doubts.incomplete && fault(word).is_none()
    }

    /// A security group that exists at this step.
    pub fn group(&mut self, word: &str, span: Span) -> Option<GroupName> {
        let name = GroupName::new(word);
        if self.cloud.now.groups.contains_key(&name) {
            let vpc = vpc_of_default_group(self.cloud.vpcs.keys(), word).cloned();
            self.cloud.defaults_used.extend(vpc);
            return Some(name);
        }
        self.unknown(word, span, EntityKind::Group);
        None
    }

    /// Returns true if EC2 is to refuse an unknown name with this code, and not the reader.
    pub fn is_for_ec2(&self, word: &str, code: RefusalCode) -> bool {
        self.refused.may_be(code) && self.names.sort(word).is_none() && fault(word).is_none()
    }

    /// The same; any name, if the operation is to be refused for it.
    pub fn group_or_refused(&mut self, word: &str, span: Span) -> Option<GroupName> {
        if self.is_for_ec2(word, RefusalCode::InvalidGroupNotFound) {
            return Some(GroupName::new(word));
        }
        self.group(word, span)
    }

    /// An instance that exists at this step.
    pub fn instance(&mut self, word: &str, span: Span) -> Option<InstanceName> {
        let name = InstanceName::new(word);
        if self.cloud.now.instances.contains_key(&name) {
            return Some(name);
        }
        self.unknown(word, span, EntityKind::Instance);
        None
    }

    /// Says why a name does not stand for what is wanted here.
    pub fn unknown(&mut self, word: &str, span: Span, wanted: EntityKind) {
        let noun = wanted.noun();
        if self.names.doubts.unread.contains(word) {
            return;
        }
        let draft = match self.names.named.get(word) {
            Some(named) if named.sort != wanted => {
                Diagnostic::new(span, format!("{} is {}, not {}", quote(word), named.sort.article(), wanted.article()))
                    .maybe_related("it is named here", named.span)
            }
            Some(named) if named.span > Some(span) => {
                Diagnostic::new(span, format!("the {noun} {} does not exist yet", quote(word)))
                    .maybe_related("a later step makes it here", named.span)
            }
            Some(named) => Diagnostic::new(span, format!("the {noun} {} does not exist any more", quote(word)))
                .maybe_related(&format!("it was made here, and {} since", wanted.ended()), named.span),
            None if self.names.doubts.incomplete => return,
            None => Diagnostic::new(span, format!("unknown {noun} {}", quote(word)))
                .maybe_help(self.names.suggest(word, &[wanted])),
        };
        self.report(draft);
    }

    /// A host.
    pub fn host(&self, word: &str) -> Option<HostName> {
        (self.names.sort(word) == Some(EntityKind::Host)).then(|| HostName::new(word))
    }
}

fn plain(node: &Node) -> Option<String> {
    match &node.value {
        Value::Scalar(scalar) => Some(scalar.text.clone()),
        _ => None,
    }
}
