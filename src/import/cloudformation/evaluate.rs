//! Evaluation of values. What depends on more than the template is unknown; it is never guessed.

use std::borrow::Cow;
use std::collections::HashMap;

use super::super::fault::Mistake;
use super::super::tree::Node;
use super::functions::{self, Failed, Part};
use super::template::{Template, is_secret};
use super::value::{Found, Reference, Value};
use crate::account::Known;
use crate::model::suggest;

/// The reason why nothing is known of an object with `Fn::Transform` in it.
pub const MAY_CHANGE: &str = "`Fn::Transform` may change it";

/// Attributes that are the same as a property.
const MIRRORED: &[(&str, &str, &str)] = &[
    ("AWS::EC2::VPC", "CidrBlock", "CidrBlock"),
    ("AWS::EC2::Subnet", "CidrBlock", "CidrBlock"),
    ("AWS::EC2::Subnet", "VpcId", "VpcId"),
    ("AWS::EC2::SecurityGroup", "VpcId", "VpcId"),
    ("AWS::EC2::Instance", "PrivateIp", "PrivateIpAddress"),
    ("AWS::EC2::NetworkInterface", "PrimaryPrivateIpAddress", "PrivateIpAddress"),
];

impl<'t> Template<'t> {
    /// The value of a node.
    pub fn value(&self, node: Node<'t>) -> Found<'t> {
        if node.is_list() {
            let elements = node.items().map(|item| self.value(item)).filter(|item| !item.is_absent()).collect();
            return Found::new(node, Value::List(elements));
        }
        if let Some(text) = node.text() {
            // `{{resolve:ssm:name}}` is looked up when the stack is made, and may be a secret.
            let is_dynamic = text.contains("{{resolve:");
            let value = if is_dynamic { looked_up() } else { Value::Text(Cow::Borrowed(text)) };
            return Found::new(node, value);
        }
        if let Some(truth) = node.boolean() {
            return Found::new(node, Value::Text(Cow::Borrowed(if truth { "true" } else { "false" })));
        }
        let mut entries = node.entries();
        let function = entries.find(|(key, _)| *key == "Ref" || key.starts_with("Fn::"));
        let Some((name, argument)) = function else {
            return Found::new(node, if node.is_object() { Value::Object(node) } else { Value::Absent });
        };
        if node.entries().count() > 1 {
            if node.entries().any(|(key, _)| key == "Fn::Transform") {
                return Found::unknown(node, MAY_CHANGE);
            }
            return self.wrong(node, format!("`{name}` has keys beside it"));
        }
        match self.enter() {
            Some(_open) => self.call(node, name, argument),
            None => self.wrong(node, "this value goes through too many others, or through itself".to_owned()),
        }
    }

    /// The value of a property.
    pub fn property(&self, object: Node<'t>, key: &str) -> Found<'t> {
        object.get(key).map_or_else(|| Found::absent(object), |node| self.value(node))
    }

    fn wrong(&self, node: Node<'t>, message: String) -> Found<'t> {
        self.mistake(Mistake::new(node.start(), message));
        Found::unknown(node, "a mistake")
    }

    fn call(&self, node: Node<'t>, name: &str, argument: Node<'t>) -> Found<'t> {
        let told = match name {
            "Ref" => match argument.text() {
                Some(name) => return self.named(node, name),
                None => Err(Failed::Mistake("`Ref` takes a name".to_owned())),
            },
            "Fn::If" => match argument.items().collect::<Vec<_>>().as_slice() {
                [condition, yes, no] => return self.chosen(node, *condition, *yes, *no),
                // `!If [c, x, ]` and null.
                _ => Err(takes(name, "a condition and two values")),
            },
            "Fn::GetAtt" => self.attribute(argument),
            "Fn::Sub" => self.substituted(node, argument),
            "Fn::Join" => self.joined(argument),
            "Fn::Split" => self.two(name, argument).and_then(|[at, text]| {
                let (at, text) = (functions::text(&at)?, functions::text(&text)?);
                functions::split(node, &text, &at)
            }),
            "Fn::Select" => {
                self.two(name, argument).and_then(|[index, list]| functions::selected(&functions::text(&index)?, list))
            }
            "Fn::FindInMap" => self.found_in_map(node, argument),
            "Fn::Cidr" => self.cidr(node, argument),
            "Fn::ImportValue" => Err(Failed::Unknown(match functions::text(&self.value(argument)) {
                Ok(name) => format!("`{name}` is exported by another stack"),
                Err(_) => "it is exported by another stack".to_owned(),
            })),
            // `Fn::GetAZs`, `Fn::Transform`, `Fn::Base64`, and those that only conditions and rules have.
            other => Err(Failed::Unknown(format!("`{other}` is not evaluated"))),
        };
        match told {
            Ok(value) => Found::new(node, value),
            Err(Failed::Unknown(why)) => Found::unknown(node, why),
            Err(Failed::Mistake(message)) => self.wrong(node, message),
        }
    }

    /// `Ref`: a pseudo parameter, a parameter or a resource.
    fn named(&self, node: Node<'t>, name: &str) -> Found<'t> {
        if name == "AWS::NoValue" {
            return Found::absent(node);
        }
        if let Some(given) = self.given.value(name).filter(|_| name.starts_with("AWS::")) {
            return Found::new(node, Value::Text(Cow::Owned(given.to_owned())));
        }
        if name.starts_with("AWS::") {
            return Found::unknown(node, format!("`{name}` is known when the stack is made"));
        }
        if let Some(parameter) = self.parameters.get(name) {
            return Found::new(node, parameter_value((node, name), *parameter, self.given.value(name)));
        }
        match self.resources.get_key_value(name) {
            Some((name, _)) => Found::new(node, Value::Refers(Reference { resource: name, attribute: None })),
            None => self.nobody(node, name),
        }
    }

    /// A name that is of no parameter and no resource.
    fn nobody(&self, node: Node<'t>, name: &str) -> Found<'t> {
        if self.is_open {
            return Found::unknown(node, format!("a macro may make `{name}`"));
        }
        let names = self.parameters.keys().chain(self.resources.keys()).copied();
        let mistake = Mistake::new(node.start(), format!("`{name}` is no parameter and no resource of this template"));
        self.mistake(mistake.maybe_help(suggest(name, names)));
        Found::unknown(node, "a mistake")
    }

    /// `Fn::GetAtt`, in its text and its list form.
    fn attribute(&self, argument: Node<'t>) -> Result<Value<'t>, Failed> {
        let parts: Vec<Node<'t>> = argument.items().collect();
        let (name, attribute) = match parts.as_slice() {
            [one] => {
                let text = one.text().ok_or_else(|| takes("Fn::GetAtt", "a resource and an attribute"))?;
                let split = text.split_once('.').ok_or_else(|| takes("Fn::GetAtt", "a resource and an attribute"))?;
                (split.0, split.1.to_owned())
            }
            [resource, attribute] => {
                let name = resource.text().ok_or_else(|| takes("Fn::GetAtt", "a resource and an attribute"))?;
                (name, functions::text(&self.value(*attribute))?.into_owned())
            }
            _ => return Err(takes("Fn::GetAtt", "a resource and an attribute")),
        };
        Ok(self.attribute_of(argument, name, attribute).value)
    }

    fn attribute_of(&self, node: Node<'t>, name: &str, attribute: String) -> Found<'t> {
        let Some((name, resource)) = self.resources.get_key_value(name) else { return self.nobody(node, name) };
        let mirrored = MIRRORED.iter().find(|(kind, of, _)| *kind == resource.kind && *of == attribute);
        if let Some((.., property)) = mirrored {
            let own = self.property(resource.properties, property);
            return match own.value {
                Value::Absent => Found::unknown(node, format!("AWS chooses `{name}.{attribute}`")),
                value => Found::new(node, value),
            };
        }
        Found::new(node, Value::Refers(Reference { resource: name, attribute: Some(attribute) }))
    }

    /// `Fn::Sub`, in its text and its list form.
    fn substituted(&self, node: Node<'t>, argument: Node<'t>) -> Result<Value<'t>, Failed> {
        let arguments: Vec<Node<'t>> = argument.items().collect();
        let (text, own) = match arguments.as_slice() {
            [text] => (text.text(), None),
            [text, own] => (text.text(), Some(*own)),
            _ => (None, None),
        };
        let text = text.ok_or_else(|| takes("Fn::Sub", "a text, or a text and an object of names"))?;
        if text.contains("{{resolve:") {
            return Ok(looked_up());
        }
        let own: HashMap<&str, Node<'t>> = own.into_iter().flat_map(Node::entries).collect();
        let value = |part: Part<'t>| match part {
            Part::Literal(text) => Found::new(node, Value::Text(Cow::Borrowed(text))),
            Part::Name(name) => match (own.get(name), name.split_once('.')) {
                (Some(value), _) => self.value(*value),
                (None, Some((resource, attribute))) => self.attribute_of(node, resource, attribute.to_owned()),
                (None, None) => self.named(node, name),
            },
        };
        let parts: Vec<Found<'t>> = functions::parts(text).into_iter().map(value).collect();
        functions::joined(&parts, "")
    }

    fn joined(&self, argument: Node<'t>) -> Result<Value<'t>, Failed> {
        let [between, list] = self.two("Fn::Join", argument)?;
        let between = functions::text(&between)?;
        match list.value {
            Value::List(parts) => functions::joined(&parts, &between),
            Value::Unknown(why) => Err(Failed::Unknown(why)),
            Value::Refers(reference) => Err(Failed::Unknown(reference.why())),
            Value::Absent | Value::Text(_) | Value::Object(_) => Err(takes("Fn::Join", "a text and a list")),
        }
    }

    fn two(&self, name: &str, argument: Node<'t>) -> Result<[Found<'t>; 2], Failed> {
        let arguments: Vec<Found<'t>> = argument.items().map(|item| self.value(item)).collect();
        <[Found<'t>; 2]>::try_from(arguments).map_err(|_| takes(name, "two arguments"))
    }

    fn found_in_map(&self, node: Node<'t>, argument: Node<'t>) -> Result<Value<'t>, Failed> {
        let arguments: Vec<Node<'t>> = argument.items().collect();
        let (map, top, second, default) = match arguments.as_slice() {
            [map, top, second] => (map, top, second, None),
            [map, top, second, default] => (map, top, second, default.get("DefaultValue")),
            _ => return Err(takes("Fn::FindInMap", "a map and two keys")),
        };
        let text = |node: &Node<'t>| functions::text(&self.value(*node));
        let (map, second) = (text(map)?, text(second)?);
        let levels = self.mappings.get(map.as_ref());
        let levels = levels.ok_or_else(|| {
            let help = suggest(&map, self.mappings.keys().copied()).map(|help| format!("; {help}"));
            Failed::Mistake(format!("there is no map `{map}`{}", help.unwrap_or_default()))
        })?;
        let under = |level: Node<'t>| level.entries().find(|(key, _)| *key == second).map(|(_, value)| value);
        let found = match text(top) {
            Ok(top) => levels.entries().find(|(key, _)| *key == top).and_then(|(_, level)| under(level)),
            // A key that is not known does not matter where all of them have the same.
            Err(Failed::Unknown(why)) => {
                let all: Vec<_> = levels.entries().filter_map(|(_, level)| under(level)?.text()).collect();
                let same = all.len() == levels.entries().count() && all.windows(2).all(|pair| pair[0] == pair[1]);
                return match all.first() {
                    Some(one) if same => Ok(Value::Text(Cow::Borrowed(*one))),
                    _ => Err(Failed::Unknown(why)),
                };
            }
            Err(wrong) => return Err(wrong),
        };
        match (found, default) {
            (Some(value), _) if value.is_list() => {
                let texts = value.items().filter_map(Node::text).map(str::to_owned);
                Ok(Value::List(functions::list(node, texts)))
            }
            (Some(value), _) => Ok(self.value(value).value),
            (None, Some(default)) => Ok(self.value(default).value),
            (None, None) => Err(Failed::Mistake(format!("the map `{map}` has no such keys"))),
        }
    }

    fn cidr(&self, node: Node<'t>, argument: Node<'t>) -> Result<Value<'t>, Failed> {
        let arguments: Vec<Found<'t>> = argument.items().map(|item| self.value(item)).collect();
        match arguments.as_slice() {
            [block, count, bits] => {
                functions::cidr(node, &functions::text(block)?, &functions::text(count)?, &functions::text(bits)?)
            }
            [_, _] => Err(Failed::Unknown("`Fn::Cidr` does not say how large its blocks are".to_owned())),
            _ => Err(takes("Fn::Cidr", "a block, a number of blocks and a number of bits")),
        }
    }

    /// `Fn::If`.
    fn chosen(&self, node: Node<'t>, condition: Node<'t>, yes: Node<'t>, no: Node<'t>) -> Found<'t> {
        let Some(name) = condition.text() else {
            return self.wrong(node, "`Fn::If` takes the name of a condition".to_owned());
        };
        match self.condition(condition, name) {
            Known::Is(true) => self.value(yes),
            Known::Is(false) => self.value(no),
            Known::Unknown(why) => Found::unknown(node, why),
        }
    }
}

fn takes(name: &str, what: &str) -> Failed {
    Failed::Mistake(format!("`{name}` takes {what}"))
}

fn looked_up<'t>() -> Value<'t> {
    Value::Unknown("a dynamic reference is looked up when the stack is made".to_owned())
}

/// The value of a parameter: what is given, else its default. The default of what is marked `NoEcho` is not read.
fn parameter_value<'t>((node, name): (Node<'t>, &str), parameter: Node<'t>, given: Option<&str>) -> Value<'t> {
    if is_secret(parameter) && given.is_none() {
        return Value::Unknown(format!("the parameter `{name}` is marked as secret"));
    }
    let kind = parameter.text_of("Type").unwrap_or("String");
    if kind.starts_with("AWS::SSM::") {
        return Value::Unknown(format!("the parameter `{name}` is looked up when the stack is made"));
    }
    let default = || parameter.get("Default").and_then(|default| default.text().or_else(|| truth(default)));
    let text: Cow<'t, str> = match (given, default()) {
        (Some(given), _) => Cow::Owned(given.to_owned()),
        (None, Some(default)) => Cow::Borrowed(default),
        (None, None) => {
            let why = format!("the parameter `{name}` has no default; `--parameter {name}=VALUE` gives it");
            return Value::Unknown(why);
        }
    };
    if text.len() > functions::MAX_TEXT {
        return Value::Unknown(format!("the value of the parameter `{name}` is longer than CloudFormation takes"));
    }
    if text.contains("{{resolve:") {
        return looked_up();
    }
    if kind == "CommaDelimitedList" || kind.starts_with("List<") {
        return Value::List(functions::list(node, text.split(',').map(|part| part.trim().to_owned())));
    }
    Value::Text(text)
}

fn truth(node: Node<'_>) -> Option<&'static str> {
    node.boolean().map(|truth| if truth { "true" } else { "false" })
}
