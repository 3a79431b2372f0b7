//! A flow that somebody asks about outside a file, in the words of a file.

use super::names::{Sort, fault};
use super::resolver::Resolver;
use super::within::Within;
use crate::model::Cloud;
use crate::topology::document::shape::Word;
use crate::topology::patterns::FlowPattern;
use crate::topology::problem::{Problems, Source, Span};

impl FlowPattern {
    /// Reads `web1 -> db1:3306 by public address`, a question to the model; names are those of a cloud at a moment. Also what no
    /// probe can ask for is a question.
    ///
    /// # Errors
    /// What is wrong with the words, with their places.
    pub fn parse(words: &str, cloud: &Cloud) -> Result<Self, Problems> {
        let source = Source::new("FLOW", words);
        let mut resolver = Resolver::new(&source, Vec::new(), None);
        let nowhere = Span { start: 0, end: 0 };
        let mut declare = |name: &str, sort| resolver.declare(&Word::new(name, nowhere), sort, &[]);
        cloud.hosts.keys().for_each(|name| declare(name.as_str(), Sort::Host));
        cloud.instances.keys().for_each(|name| declare(name.as_str(), Sort::Instance));
        cloud.load_balancers.keys().for_each(|name| declare(name.as_str(), Sort::LoadBalancer));
        // Amazon's own groups are no names that a file may give.
        let default = crate::model::DEFAULT_GROUP;
        let groups = cloud.groups.keys().filter(|name| name.as_str() != default && fault(name.as_str()).is_none());
        groups.for_each(|name| declare(name.as_str(), Sort::Group));
        for (name, group) in &cloud.groups {
            resolver.cloud.now.groups.insert(name.clone(), Some(group.vpc.clone()));
        }
        for (name, _, interface) in cloud.interfaces() {
            resolver.cloud.now.instances.insert(name.clone(), Some(interface.vpc.clone()));
            resolver.cloud.now.attach(name, [interface.id.device]);
            for group in &interface.groups {
                resolver.cloud.now.members.entry(group.clone()).or_default().insert(name.clone());
            }
        }
        let node = Word::new(words, Span { start: 0, end: words.len() });
        let pattern = resolver.flow(&node, Within::Question);
        resolver.refuse_empty_patterns();
        match pattern {
            Some(pattern) if resolver.told.problems.is_empty() => Ok(pattern),
            _ => Err(Problems::new(&source, resolver.told.problems)),
        }
    }
}
