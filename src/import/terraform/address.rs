//! Addresses of resources and references of expressions: `module.app["a"].aws_instance.web[0].id`.

use std::fmt;

/// The key of one of several instances, by `count` or by `for_each`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    Number(u64),
    Text(String),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "[{number}]"),
            Self::Text(text) => write!(f, "[\"{}\"]", text.replace('\\', "\\\\").replace('"', "\\\"")),
        }
    }
}

/// One step of an address or a reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    Name(String),
    Index(Key),
}

impl Step {
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Index(_) => None,
        }
    }
}

/// One instance of a module call, as a step of the way from the root.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    pub name: String,
    pub key: Option<Key>,
}

/// The address of a module's instance; empty for the root.
pub fn module_address(module: &[Call]) -> String {
    let call = |Call { name, key }: &Call| match key {
        Some(key) => format!("module.{name}{key}"),
        None => format!("module.{name}"),
    };
    module.iter().map(call).collect::<Vec<_>>().join(".")
}

/// Takes an address or a reference apart.
pub fn steps(text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        rest = match rest.strip_prefix('[') {
            Some(inside) => {
                let (key, after) = key(inside);
                steps.extend(key.map(Step::Index));
                after
            }
            None => {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                let (name, after) = rest.split_at(end);
                // Terraform 0.11 wrote `web.0.id`.
                match name.parse() {
                    Ok(number) => steps.push(Step::Index(Key::Number(number))),
                    Err(_) if name.is_empty() => {}
                    Err(_) => steps.push(Step::Name(name.to_owned())),
                }
                after.strip_prefix('.').unwrap_or(after)
            }
        };
        rest = rest.strip_prefix('.').unwrap_or(rest);
    }
    steps
}

/// Reads a key and its closing bracket; nothing for a key that is no literal.
fn key(inside: &str) -> (Option<Key>, &str) {
    if let Some(quoted) = inside.strip_prefix('"') {
        let mut text = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, char)) = chars.next() {
            match char {
                '\\' => text.extend(chars.next().map(|(_, escaped)| escaped)),
                '"' => {
                    let after = quoted.get(at + 1..).unwrap_or_default();
                    return (Some(Key::Text(text)), after.strip_prefix(']').unwrap_or(after));
                }
                _ => text.push(char),
            }
        }
        return (None, "");
    }
    let end = inside.find(']').unwrap_or(inside.len());
    let (number, after) = inside.split_at(end);
    (number.trim().parse().ok().map(Key::Number), after.strip_prefix(']').unwrap_or(after))
}

/// The mode of a resource, as a state names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Managed,
    /// A data source.
    Data,
}

impl Mode {
    /// The beginning of an address in a module.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Managed => "",
            Self::Data => "data.",
        }
    }
}

/// The parts of a resource's address, or of a reference to a resource: the rest is the attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    pub module: Vec<Call>,
    pub mode: Mode,
    pub kind: String,
    pub name: String,
    pub rest: Vec<Step>,
}

/// Takes the address of a resource apart; nothing for what is none.
pub fn parts(steps: Vec<Step>) -> Option<Parts> {
    let mut steps = steps.into_iter().peekable();
    let mut module = Vec::new();
    while steps.peek().and_then(Step::name) == Some("module") {
        steps.next();
        let name = steps.next()?.name()?.to_owned();
        let key = match steps.next_if(|step| matches!(step, Step::Index(_))) {
            Some(Step::Index(key)) => Some(key),
            Some(Step::Name(_)) | None => None,
        };
        module.push(Call { name, key });
    }
    let mode = match steps.next_if(|step| step.name() == Some("data")) {
        Some(_) => Mode::Data,
        None => Mode::Managed,
    };
    let kind = steps.next()?.name()?.to_owned();
    let name = steps.next()?.name()?.to_owned();
    Some(Parts { module, mode, kind, name, rest: steps.collect() })
}

/// The references of an expression without those that are only the beginning of the one before: Terraform writes `a.b[0].id`, `a.b[0]`, `a.b`.
pub fn longest<'t>(references: impl Iterator<Item = &'t str>) -> Vec<Vec<Step>> {
    let mut kept: Vec<Vec<Step>> = Vec::new();
    let mut last: Vec<Step> = Vec::new();
    for reference in references {
        let steps = steps(reference);
        let shorter = steps.len() < last.len() && last.starts_with(&steps);
        last.clone_from(&steps);
        if !shorter {
            kept.push(steps);
        }
    }
    kept
}
