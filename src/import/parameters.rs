//! Values that a user gives to parameters of CloudFormation templates.

use indexmap::IndexMap;

use super::fault::{Faults, Mistake};
use super::tree::{self, Node};
use crate::topology::Source;

/// Values of parameters by name; the last that is given counts. `AWS::Region` and the like are parameters, too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(IndexMap<String, String>);

impl Parameters {
    /// The value of a parameter.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The names that have values.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Takes a value as it is typed: `NAME=VALUE`.
    ///
    /// # Errors
    /// If it has no name or no `=`.
    pub fn take(&mut self, typed: &str) -> Result<(), String> {
        match typed.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                self.0.insert(name.trim().to_owned(), value.to_owned());
                Ok(())
            }
            _ => Err(format!("`{typed}` gives no parameter a value: write NAME=VALUE")),
        }
    }

    /// Takes those of a file as the AWS CLI reads it: `[{"ParameterKey": ..., "ParameterValue": ...}]`, `["NAME=VALUE"]`, or
    /// `{"Parameters": {NAME: VALUE}}`.
    ///
    /// # Errors
    /// All mistakes of the file.
    ///
    /// ```
    /// let mut parameters = sglab::import::Parameters::default();
    /// parameters.take_file("prod.json", r#"[{"ParameterKey": "Office", "ParameterValue": "203.0.113.0/24"}]"#)?;
    /// assert_eq!(parameters.value("Office"), Some("203.0.113.0/24"));
    /// # Ok::<(), sglab::import::Faults>(())
    /// ```
    pub fn take_file(&mut self, file: &str, text: &str) -> Result<(), Faults> {
        let source = Source::new(file, text);
        let one = |mistake: Mistake| Faults::new(vec![mistake.placed(&source)]);
        let tree = tree::parse(text).map_err(one)?;
        let root = Node(&tree);
        let mut faults = Vec::new();
        if let Some(values) = root.get("Parameters").or_else(|| Some(root).filter(|root| root.is_object())) {
            for (name, value) in values.entries() {
                match text_of(value) {
                    Some(value) => _ = self.0.insert(name.to_owned(), value),
                    None => faults.push(Mistake::new(value.span(), format!("`{name}` has no value that is a text"))),
                }
            }
        } else {
            for item in root.items() {
                if let Some(Err(wrong)) = item.text().map(|typed| self.take(typed)) {
                    faults.push(Mistake::new(item.span(), wrong));
                }
                if item.text().is_some() {
                    continue;
                }
                match (item.text_of("ParameterKey"), item.get("ParameterValue").and_then(text_of)) {
                    (Some(name), Some(value)) => _ = self.0.insert(name.to_owned(), value),
                    // `UsePreviousValue`: the value is the stack's, and not here.
                    (Some(_), None) if item.get("UsePreviousValue").is_some() => {}
                    _ => faults.push(
                        Mistake::new(item.span(), "this gives no parameter a value")
                            .help("write `{\"ParameterKey\": NAME, \"ParameterValue\": VALUE}`"),
                    ),
                }
            }
        }
        let faults: Vec<_> = faults.into_iter().map(|mistake| mistake.placed(&source)).collect();
        if faults.is_empty() { Ok(()) } else { Err(Faults::new(faults)) }
    }
}

/// A value as a text: a list is one with commas.
fn text_of(node: Node<'_>) -> Option<String> {
    if node.is_list() {
        let parts: Option<Vec<&str>> = node.items().map(Node::text).collect();
        return parts.map(|parts| parts.join(","));
    }
    node.text().map(str::to_owned).or_else(|| node.boolean().map(|truth| truth.to_string()))
}
