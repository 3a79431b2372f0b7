//! Operations of arguments, looked up in a running cloud.

use super::live::read_words;
use super::peers::RuleContext;
use super::resolver::Resolver;
use super::standing::Refused;
use crate::model::{Cloud, Direction, GroupName, Operation, Permission};
use crate::topology::builder::NewInstance;
use crate::topology::document::scenario::{Operations, Verb};
use crate::topology::document::shape::{One, Tagged};
use crate::topology::problem::{Diagnostic, Problems};
use crate::topology::typed::{Lines, Typed, TypedRules, Unresolved};

impl Typed {
    /// Looks up its names in a running cloud. What EC2 itself would refuse is left to [`apply`](fn@crate::model::apply); so are names that nobody
    /// has, but groups, and but of an operation that names things of several kinds, such as a launch: of that all are told at once.
    ///
    /// # Errors
    /// Everything that is wrong with the arguments, at once.
    pub fn read(&self, cloud: &Cloud) -> Result<Vec<Operation>, Problems> {
        let mut lines = Lines::default();
        match self.unresolved(&mut lines) {
            Unresolved::Verb(verb) => {
                let refused = if self.tells_unknown_names() { Refused::ByEc2ButNames } else { Refused::ByEc2 };
                read_words(cloud, &lines.text, |resolver| resolver.typed(verb, refused))
            }
            Unresolved::Rules(rules, description, [ingress, egress]) => {
                let operation = match rules.direction {
                    Direction::Ingress => ingress,
                    Direction::Egress => egress,
                };
                let (group, rules) = rules.read(description, cloud)?;
                Ok(vec![operation(group, rules)])
            }
        }
    }
}

impl NewInstance {
    /// Looks up its names in a running cloud, for its launch under a name. Names that nobody has are left to
    /// [`apply`](fn@crate::model::apply), as far as EC2 knows such.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once; each word that was said of it is a line.
    pub fn read(&self, name: &str, cloud: &Cloud) -> Result<Vec<Operation>, Problems> {
        let (verb, lines) = self.launch(name);
        read_words(cloud, &lines.text, |resolver| resolver.typed(verb, Refused::ByEc2))
    }
}

impl TypedRules {
    /// Looks up its names in a running cloud; `description` is for each rule.
    ///
    /// # Errors
    /// Everything that is wrong with the arguments, at once: groups that nobody has, too.
    pub fn read(&self, description: Option<&str>, cloud: &Cloud) -> Result<(GroupName, Vec<Permission>), Problems> {
        let Self { group: word, direction, rules } = self;
        let mut lines = Lines::default();
        let group = lines.word(word);
        let rules: Vec<_> = rules.iter().map(|rule| lines.rule(rule, *direction)).collect();
        read_words(cloud, &lines.text, |resolver| {
            // Reported, if it is none.
            let name = resolver.group(word, group.span).unwrap_or_else(|| GroupName::new(word));
            if rules.is_empty() {
                resolver.report(Diagnostic::new(group.span, "no rule is named"));
            }
            let context = RuleContext { group: Some(&name), direction: *direction, addresses: true, lenient: false };
            let mut read = Vec::new();
            for rule in rules {
                match rule {
                    Ok(words) => read.extend(resolver.rule_of(&words, context)),
                    Err(drafts) => drafts.into_iter().for_each(|draft| resolver.report(draft)),
                }
            }
            read.iter_mut().for_each(|rule| rule.description = description.map(str::to_owned));
            (name, read)
        })
    }
}

impl Resolver<'_> {
    fn typed(&mut self, verb: Verb, refused: Refused) -> Vec<Operation> {
        let said: Operations = [One::from(verb)].into_iter().collect();
        self.declare_made(&said, &[], refused);
        self.refused = refused;
        let verbs = said.items.iter().flat_map(|entry| &entry.all);
        let read: Vec<_> = verbs.flat_map(|(_, verb)| self.operations(verb.key(), verb.said())).collect();
        self.refused = Refused::No;
        read.into_iter().map(|placed| placed.value).collect()
    }
}
