//! Names of groups by their roles.

use std::fmt;
use std::str::FromStr;

/// Patterns of names: `*` stands for any characters. A name that several match has the first role of admin, instance, tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convention {
    /// Groups of a tier: `SG-T-*`.
    pub tier: String,
    /// Groups that are the name of one instance: `SG-I-*`.
    pub instance: String,
    /// The group for administration: `SG-T-ADMIN`.
    pub admin: String,
}

/// The role of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Role {
    Admin,
    Instance,
    Tier,
}

/// The article's.
impl Default for Convention {
    fn default() -> Self {
        Self { tier: "SG-T-*".to_owned(), instance: "SG-I-*".to_owned(), admin: "SG-T-ADMIN".to_owned() }
    }
}

impl fmt::Display for Convention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tier={},instance={},admin={}", self.tier, self.instance, self.admin)
    }
}

impl Convention {
    pub(super) fn role(&self, name: &str) -> Option<Role> {
        [(&self.admin, Role::Admin), (&self.instance, Role::Instance), (&self.tier, Role::Tier)]
            .into_iter()
            .find(|(pattern, _)| matches(pattern, name))
            .map(|(_, role)| role)
    }
}

/// The reason why a convention cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConventionFault(String);

impl fmt::Display for ConventionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConventionFault {}

/// `tier=SG-T-*,instance=SG-I-*,admin=SG-T-ADMIN`; what is not said is the article's.
impl FromStr for Convention {
    type Err = ConventionFault;

    fn from_str(text: &str) -> Result<Self, ConventionFault> {
        let mut convention = Self::default();
        for part in text.split(',') {
            let fault = |why: String| ConventionFault(format!("{why}: a convention is {}", Self::default()));
            let (role, pattern) =
                part.trim().split_once('=').ok_or_else(|| fault(format!("`{part}` is no ROLE=PATTERN")))?;
            if pattern.is_empty() {
                return Err(fault(format!("`{role}` has no pattern")));
            }
            match role {
                "tier" => convention.tier = pattern.to_owned(),
                "instance" => convention.instance = pattern.to_owned(),
                "admin" => convention.admin = pattern.to_owned(),
                other => return Err(fault(format!("there is no role `{other}`"))),
            }
        }
        Ok(convention)
    }
}

/// Takes time in the product of both lengths at most.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name, wanted) in [
            ("SG-T-*", "SG-T-WEB", true),
            ("SG-T-*", "sg-t-web", false),
            ("*-tier-*", "prod-tier-web", true),
            ("*-tier", "prod-tier-web", false),
            ("admin", "admin", true),
            ("admin", "admins", false),
            ("a*a", "a", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), wanted, "{pattern} {name}");
        }
    }

    #[test]
    fn a_convention_says_roles() {
        let convention: Convention = "tier=tier-*,admin=bastion".parse().unwrap();
        assert_eq!(convention.role("bastion"), Some(Role::Admin));
        assert_eq!(convention.role("tier-web"), Some(Role::Tier));
        assert_eq!(convention.role("SG-I-WEB1"), Some(Role::Instance));
        assert!("tiers=a".parse::<Convention>().unwrap_err().to_string().starts_with("there is no role `tiers`"));
        assert!("tier".parse::<Convention>().is_err());
    }
}
