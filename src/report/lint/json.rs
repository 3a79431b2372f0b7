//! Findings for programs.

use serde::Serialize;

use super::shown;
use crate::account::Origin;
use crate::lint::{AboutKind, Allowance, Finding, Fix, Fixed, Fixes, Level, Outcome, Proof};
use crate::model::SourceLocation;

/// Version of the format; a change that programs would notice raises it.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    verdict: Verdict,
    findings: Vec<FindingJson<'a>>,
    allowed: Vec<AllowedJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixes: Option<FixesJson<'a>>,
}

#[derive(Serialize)]
struct Verdict {
    errors: usize,
    warnings: usize,
    notes: usize,
    allowed: usize,
}

#[derive(Serialize)]
struct FindingJson<'a> {
    check: &'a str,
    level: Level,
    title: &'a str,
    kind: AboutKind,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    message: &'a str,
    by: OriginJson<'a>,
    related: Vec<OriginJson<'a>>,
    cure: &'a [String],
    fingerprint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<ProofJson<'a>>,
}

#[derive(Serialize)]
struct ProofJson<'a> {
    status: &'a str,
    told: &'a str,
}

#[derive(Serialize)]
struct FixesJson<'a> {
    /// The file that was written; `null` where none was.
    written: Option<&'a str>,
    fixed: Vec<FixedJson<'a>>,
    not_fixed: Vec<FixedJson<'a>>,
    diff: &'a str,
}

#[derive(Serialize)]
struct FixedJson<'a> {
    check: &'a str,
    fix: Fix,
    subject: &'a str,
    place: &'a SourceLocation,
    fingerprint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct AllowedJson<'a> {
    #[serde(flatten)]
    finding: FindingJson<'a>,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    allowed_at: &'a SourceLocation,
}

#[derive(Serialize)]
struct OriginJson<'a> {
    resource: &'a str,
    place: &'a SourceLocation,
}

/// The document: findings of a level and above, and the counts of all.
///
/// # Errors
/// None that is known: all of it can be written.
pub fn json(outcome: &Outcome, least: Level) -> Result<String, serde_json::Error> {
    let document = Document {
        format: FORMAT,
        verdict: Verdict {
            errors: outcome.count(Level::Error),
            warnings: outcome.count(Level::Warning),
            notes: outcome.count(Level::Note),
            allowed: outcome.allowed.len(),
        },
        findings: shown(outcome, least).map(finding).collect(),
        allowed: outcome.allowed.iter().map(allowed).collect(),
        fixes: outcome.fixes.as_ref().map(fixes),
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn origin(origin: &Origin) -> OriginJson<'_> {
    OriginJson { resource: origin.resource.as_str(), place: &origin.place }
}

fn finding(finding: &Finding) -> FindingJson<'_> {
    FindingJson {
        check: finding.check.id,
        level: finding.level,
        title: finding.check.title,
        kind: finding.about.kind,
        subject: &finding.about.label,
        rule: finding.rule.as_deref(),
        message: &finding.message,
        by: origin(&finding.origin),
        related: finding.related.iter().map(origin).collect(),
        cure: &finding.cure,
        fingerprint: &finding.fingerprint,
        proof: finding.proof.as_ref().map(proof),
    }
}

fn proof(proof: &Proof) -> ProofJson<'_> {
    ProofJson { status: proof.as_str(), told: proof.detail() }
}

fn fixes(fixes: &Fixes) -> FixesJson<'_> {
    FixesJson {
        written: fixes.written.as_deref(),
        fixed: fixes.done.iter().map(|fixed| told(fixed, None)).collect(),
        not_fixed: fixes.left.iter().map(|(fixed, why)| told(fixed, Some(why))).collect(),
        diff: &fixes.diff,
    }
}

fn told<'a>(fixed: &'a Fixed, reason: Option<&'a str>) -> FixedJson<'a> {
    let Fixed { check, fix, subject, place, fingerprint } = fixed;
    FixedJson { check, fix: *fix, subject, place, fingerprint, reason }
}

fn allowed((found, allowance): &(Finding, Allowance)) -> AllowedJson<'_> {
    AllowedJson {
        finding: finding(found),
        reason: &allowance.reason,
        until: allowance.until.map(|day| day.to_string()),
        allowed_at: &allowance.place,
    }
}
