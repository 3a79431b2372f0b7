//! Inputs that must be made a source first: what to run for that.

use std::path::Path;

use anyhow::bail;
use sglab::model::shell_word;

use crate::cli::common::told;

/// Beginning of a zip archive, which a saved plan is.
const ZIP: &[u8] = b"PK\x03\x04";

/// Endings of configurations of Terraform and OpenTofu.
const ENDINGS_OF_HCL: [&str; 3] = [".tf", ".tf.json", ".tofu"];

/// Refuses what is no source as it stands, with the command that makes one of it.
///
/// # Errors
/// If it is such a thing.
pub(super) fn file(name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    if bytes.starts_with(ZIP) {
        bail!(
            "{} is a plan as `terraform plan -out` saves it: run `terraform show -json {} > plan.json`, and give plan.json",
            told(name),
            shell_word(if name == "-" { "PLAN" } else { name })
        );
    }
    if ENDINGS_OF_HCL.iter().any(|ending| name.ends_with(ending)) || is_hcl(bytes) {
        return Err(of_hcl(Path::new(name)));
    }
    if bytes.starts_with(b"{\"@level\"") {
        bail!(
            "{} is what `terraform plan -json` says while it plans: run `terraform plan -out=plan.bin && terraform show -json \
             plan.bin > plan.json`, and give plan.json",
            told(name)
        );
    }
    Ok(())
}

/// Tells whether a text begins with a block of HCL: `resource "aws_security_group" "web" {`.
fn is_hcl(bytes: &[u8]) -> bool {
    const BLOCKS: [&str; 9] =
        ["resource", "data", "module", "variable", "provider", "terraform", "locals", "output", "moved"];
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let is_said = |line: &&str| !line.is_empty() && !line.starts_with('#') && !line.starts_with("//");
    let Some(first) = text.lines().map(str::trim).find(is_said) else { return false };
    let word = first.split_whitespace().next().unwrap_or_default();
    BLOCKS.contains(&word) && first.ends_with(['{', '}'])
}

/// Refuses a folder that is an app of CDK.
///
/// # Errors
/// If it is one.
pub(super) fn folder_of_cdk(path: &Path) -> anyhow::Result<()> {
    if path.join("cdk.json").is_file() {
        bail!(
            "{} is an app of CDK: run `cdk synth` there, and give the templates that it writes, {}",
            told(path),
            path.join("cdk.out/*.template.json").display()
        );
    }
    Ok(())
}

/// Tests whether a folder has HCL.
///
/// # Errors
/// If it cannot be read.
pub(super) fn has_hcl(path: &Path) -> anyhow::Result<bool> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names.iter().any(|name| ENDINGS_OF_HCL.iter().any(|ending| name.ends_with(ending))))
}

/// Says how a source is made of a configuration of Terraform.
pub(super) fn of_hcl(path: &Path) -> anyhow::Error {
    anyhow::anyhow!(
        "{} is a configuration of Terraform, and HCL is not read: run `terraform plan -out=plan.bin && terraform show -json \
         plan.bin > plan.json`, and give plan.json",
        told(path)
    )
}
