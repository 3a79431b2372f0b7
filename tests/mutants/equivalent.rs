//! The mutations that nothing can notice, each with its reason.

/// A claim that a mutation is equivalent.
pub struct Claim {
    pattern: String,
}

impl Claim {
    pub fn claims(&self, mutation: &str) -> bool {
        let mut parts = self.pattern.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = mutation.strip_prefix(first) else { return false };
        let parts: Vec<&str> = parts.collect();
        let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
        for part in middle {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

impl std::fmt::Display for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.pattern)
    }
}

/// Every claim of the list.
pub fn claims() -> Vec<Claim> {
    let lines = include_str!("equivalent.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let claim = |line: &str| {
        let (pattern, reason) = line.split_once(" => ").unwrap_or_else(|| panic!("a line without a reason: {line}"));
        assert!(reason.split_whitespace().count() > 3, "that is no reason: {line}");
        Claim { pattern: pattern.trim().to_owned() }
    };
    lines.map(claim).collect()
}
