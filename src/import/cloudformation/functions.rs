//! Intrinsic functions on arguments that are evaluated already.

use std::borrow::Cow;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::super::tree::Node;
use super::value::{Found, Value};

/// Texts longer than this are no address, no id and no name, and no value of a parameter.
///
/// Source: "CloudFormation quotas" (AWS CloudFormation user guide).
pub const MAX_TEXT: usize = 4096;
/// Most blocks of one `Fn::Cidr`.
const MAX_BLOCKS: u32 = 256;

/// A reason why a function has no value: what is not known, or a mistake.
pub enum Failed {
    Unknown(String),
    Mistake(String),
}

/// The text of a value.
pub fn text<'t>(found: &Found<'t>) -> Result<Cow<'t, str>, Failed> {
    match &found.value {
        Value::Text(text) => Ok(text.clone()),
        Value::Refers(reference) => Err(Failed::Unknown(reference.why())),
        Value::Unknown(why) => Err(Failed::Unknown(why.clone())),
        Value::Absent => Err(Failed::Mistake("a text is expected, and nothing is here".to_owned())),
        Value::List(_) => Err(Failed::Mistake("a text is expected, and this is a list".to_owned())),
        Value::Object(_) => Err(Failed::Mistake("a text is expected, and this is an object".to_owned())),
    }
}

/// Texts one after the other.
pub fn joined<'t>(parts: &[Found<'t>], between: &str) -> Result<Value<'t>, Failed> {
    // One alone is itself, also where its value is known later only.
    if let [one] = parts
        && matches!(one.value, Value::Refers(_))
    {
        return Ok(one.value.clone());
    }
    let mut all = String::new();
    for (index, part) in parts.iter().enumerate() {
        let part = text(part)?;
        if all.len() + part.len() + between.len() > MAX_TEXT {
            return Err(Failed::Unknown("it is too long".to_owned()));
        }
        if index > 0 {
            all.push_str(between);
        }
        all.push_str(&part);
    }
    Ok(Value::Text(Cow::Owned(all)))
}

/// The parts of a text, as a list.
pub fn split<'t>(node: Node<'t>, text: &str, at: &str) -> Result<Value<'t>, Failed> {
    if at.is_empty() {
        return Err(Failed::Mistake("`Fn::Split` splits at nothing".to_owned()));
    }
    Ok(Value::List(list(node, text.split(at).map(str::to_owned))))
}

/// A list of texts that one place says.
pub fn list<'t>(node: Node<'t>, texts: impl Iterator<Item = String>) -> Vec<Found<'t>> {
    texts.map(|text| Found::new(node, Value::Text(Cow::Owned(text)))).collect()
}

/// An element of a list.
pub fn selected<'t>(index: &str, list: Found<'t>) -> Result<Value<'t>, Failed> {
    let index: usize =
        index.trim().parse().map_err(|_| Failed::Mistake(format!("`{index}` is no index of `Fn::Select`")))?;
    match list.value {
        Value::List(mut elements) if index < elements.len() => Ok(elements.swap_remove(index).value),
        Value::List(elements) => {
            Err(Failed::Mistake(format!("`Fn::Select` takes element {index} of a list of {}", elements.len())))
        }
        Value::Unknown(why) => Err(Failed::Unknown(why)),
        Value::Refers(reference) => Err(Failed::Unknown(reference.why())),
        Value::Absent | Value::Text(_) | Value::Object(_) => {
            Err(Failed::Mistake("`Fn::Select` takes an element of a list".to_owned()))
        }
    }
}

/// `Fn::Cidr`: so many blocks of a block, each with so many bits for hosts.
///
/// Source: `Fn::Cidr` (AWS CloudFormation template reference).
pub fn cidr<'t>(node: Node<'t>, block: &str, count: &str, bits: &str) -> Result<Value<'t>, Failed> {
    let number = |text: &str| text.trim().parse::<u32>().map_err(|_| wrong(format!("`{text}` is no number")));
    let (count, bits) = (number(count)?, number(bits)?);
    let block: IpNet = block.trim().parse().map_err(|_| wrong(format!("`{block}` is no block of addresses")))?;
    if !(1..=MAX_BLOCKS).contains(&count) {
        return Err(wrong(format!("{count} blocks; it makes 1 to {MAX_BLOCKS}")));
    }
    let length = u32::from(block.max_prefix_len()).checked_sub(bits).and_then(|length| u8::try_from(length).ok());
    let length = length.ok_or_else(|| wrong(format!("{bits} bits are more than an address has")))?;
    let small = || wrong(format!("{block} has no {count} blocks of {bits} bits"));
    let blocks: Vec<String> = match block {
        IpNet::V4(block) => blocks_v4(block, length, count),
        IpNet::V6(block) => blocks_v6(block, length, count),
    }
    .ok_or_else(small)?;
    Ok(Value::List(list(node, blocks.into_iter())))
}

fn wrong(why: String) -> Failed {
    Failed::Mistake(format!("`Fn::Cidr`: {why}"))
}

fn blocks_v4(block: Ipv4Net, length: u8, count: u32) -> Option<Vec<String>> {
    let subnets: Vec<String> =
        block.trunc().subnets(length).ok()?.take(count as usize).map(|net| net.to_string()).collect();
    (subnets.len() == count as usize).then_some(subnets)
}

fn blocks_v6(block: Ipv6Net, length: u8, count: u32) -> Option<Vec<String>> {
    let subnets: Vec<String> =
        block.trunc().subnets(length).ok()?.take(count as usize).map(|net| net.to_string()).collect();
    (subnets.len() == count as usize).then_some(subnets)
}

/// A part of a text of `Fn::Sub`.
#[derive(Debug, PartialEq, Eq)]
pub enum Part<'t> {
    Literal(&'t str),
    /// `${Name}` or `${Name.Attribute}`.
    Name(&'t str),
}

/// The parts of a text of `Fn::Sub`. `${!Name}` is the literal `${Name}`.
pub fn parts<'t>(text: &'t str) -> Vec<Part<'t>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        let name = &rest[start + 2..start + length];
        let literal = |parts: &mut Vec<Part<'t>>, text: &'t str| {
            if !text.is_empty() {
                parts.push(Part::Literal(text));
            }
        };
        literal(&mut parts, &rest[..start]);
        if name.starts_with('!') {
            literal(&mut parts, "${");
            literal(&mut parts, &rest[start + 3..=start + length]);
        } else {
            parts.push(Part::Name(name.trim()));
        }
        rest = &rest[start + length + 1..];
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest));
    }
    parts
}
