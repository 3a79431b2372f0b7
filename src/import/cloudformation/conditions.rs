//! Conditions, with three values: what depends on more than the template is not known.

use super::super::fault::Mistake;
use super::super::tree::Node;
use super::evaluate::MAY_CHANGE;
use super::template::Template;
use super::value::{Found, Value};
use crate::account::Known;
use crate::model::suggest;

impl<'t> Template<'t> {
    /// Tells for each resource whether it is there.
    pub fn decide(&mut self) {
        let there: Vec<Known<bool>> = self.resources.values().map(|resource| self.is_there(resource.node)).collect();
        for (resource, there) in self.resources.values_mut().zip(there) {
            resource.there = there;
        }
    }

    fn is_there(&self, declared: Node<'t>) -> Known<bool> {
        if let Some(name) = &self.macros {
            return Known::Unknown(format!("the macro `{name}` may change it"));
        }
        let has_macro = |node: Node<'t>| node.entries().any(|(key, _)| key == "Fn::Transform");
        if has_macro(declared) || declared.get("Properties").is_some_and(has_macro) {
            return Known::Unknown(MAY_CHANGE.to_owned());
        }
        match declared.get("Condition") {
            Some(condition) => self.condition(condition, condition.text().unwrap_or_default()),
            None => Known::Is(true),
        }
    }

    /// Tells whether a condition holds.
    pub fn condition(&self, at: Node<'t>, name: &str) -> Known<bool> {
        let Some((name, node)) = self.conditions.get_key_value(name) else {
            let mistake = Mistake::new(at.start(), format!("there is no condition `{name}`"));
            self.mistake(mistake.maybe_help(suggest(name, self.conditions.keys().copied())));
            return Known::Unknown("a mistake".to_owned());
        };
        match self.held.borrow().get(name) {
            Some(Some(known)) => return known.clone(),
            Some(None) => {
                self.mistake(Mistake::new(at.start(), format!("the condition `{name}` depends on itself")));
                return Known::Unknown("a mistake".to_owned());
            }
            None => {}
        }
        let Some(_open) = self.enter() else {
            self.mistake(Mistake::new(at.start(), format!("the condition `{name}` goes through too many others")));
            return Known::Unknown("a mistake".to_owned());
        };
        self.held.borrow_mut().insert(name, None);
        let holds = match self.holds(*node) {
            Known::Unknown(why) => Known::Unknown(format!("the condition `{name}` is not known: {why}")),
            known => known,
        };
        self.held.borrow_mut().insert(name, Some(holds.clone()));
        holds
    }

    fn holds(&self, node: Node<'t>) -> Known<bool> {
        let mut entries = node.entries();
        let (Some((function, argument)), None) = (entries.next(), entries.next()) else {
            return self.no_condition(node);
        };
        let all = |node: Node<'t>| node.items().map(|item| self.holds(item)).collect::<Vec<_>>();
        match function {
            "Condition" => self.condition(argument, argument.text().unwrap_or_default()),
            "Fn::Not" => match all(argument).as_slice() {
                [Known::Is(holds)] => Known::Is(!holds),
                [Known::Unknown(why)] => Known::Unknown(why.clone()),
                _ => self.no_condition(node),
            },
            "Fn::And" => decided(all(argument), false),
            "Fn::Or" => decided(all(argument), true),
            "Fn::Equals" => {
                let sides: Vec<Found<'t>> = argument.items().map(|side| self.value(side)).collect();
                match sides.as_slice() {
                    [one, other] => equal(one, other),
                    _ => self.no_condition(node),
                }
            }
            _ => Known::Unknown(format!("`{function}` is not evaluated")),
        }
    }

    fn no_condition(&self, node: Node<'t>) -> Known<bool> {
        let mistake = Mistake::new(node.start(), "this is no condition");
        self.mistake(mistake.help("one of `Fn::Equals`, `Fn::And`, `Fn::Or`, `Fn::Not` and `Condition`"));
        Known::Unknown("a mistake".to_owned())
    }
}

/// Conditions of which one that is as said decides.
fn decided(all: Vec<Known<bool>>, decides: bool) -> Known<bool> {
    if all.contains(&Known::Is(decides)) {
        return Known::Is(decides);
    }
    let unknown = all.into_iter().find(|known| known.known().is_none());
    unknown.unwrap_or(Known::Is(!decides))
}

fn equal(one: &Found<'_>, other: &Found<'_>) -> Known<bool> {
    match (&one.value, &other.value) {
        (Value::Text(one), Value::Text(other)) => Known::Is(one == other),
        (Value::Unknown(why), _) | (_, Value::Unknown(why)) => Known::Unknown(why.clone()),
        (Value::Refers(reference), _) | (_, Value::Refers(reference)) => Known::Unknown(reference.why()),
        (Value::List(one), Value::List(others)) if one.len() == others.len() => {
            decided(one.iter().zip(others).map(|(one, other)| equal(one, other)).collect(), false)
        }
        (Value::List(_), Value::List(_)) => Known::Is(false),
        _ => Known::Unknown("its sides cannot be compared".to_owned()),
    }
}
