//! Tests that fail, for `failures` and `runners`, which run them and read what is said of them.

use sglab::testing::{Error, Lab};

use super::shop;

/// Without it they do nothing, so that `--ignored` alone is no red build.
pub const ON_PURPOSE: &str = "FAIL_ON_PURPOSE";

fn on_purpose() -> bool {
    std::env::var_os(ON_PURPOSE).is_some()
}

#[sglab::test]
#[ignore = "fails on purpose"]
async fn an_assertion() -> Result<(), Error> {
    if on_purpose() {
        println!("said before");
        let lab = Lab::boot(&shop()).await?;
        lab.probe("customer -> db1:5432").await?.assert_open();
    }
    Ok(())
}

#[sglab::test]
#[ignore = "fails on purpose"]
async fn too_open() -> Result<(), Error> {
    if on_purpose() {
        let lab = Lab::boot(&shop()).await?;
        let _ = lab.probe("web1 -> db1:5432").await?.assert_dropped();
    }
    Ok(())
}

#[sglab::test]
#[ignore = "fails on purpose"]
async fn an_error() -> Result<(), Error> {
    match on_purpose() {
        true => Lab::boot(&shop()).await?.apply("stop: nobody").await,
        false => Ok(()),
    }
}

#[sglab::test(timeout = 1)]
#[ignore = "fails on purpose"]
async fn for_ever() {
    if on_purpose() {
        std::future::pending::<()>().await;
    }
}

#[sglab::test]
#[ignore = "fails on purpose"]
async fn an_abort() {
    if on_purpose() {
        std::process::abort();
    }
}

#[sglab::test]
#[ignore = "fails on purpose"]
async fn an_early_exit() {
    if on_purpose() {
        std::process::exit(0);
    }
}

#[test]
#[ignore = "fails on purpose"]
fn behind_a_guard() {
    sglab::sandboxed!();
    assert!(!on_purpose(), "as was meant");
}

#[sglab::test]
#[ignore = "runs until it is killed"]
async fn with_a_locked_file() -> Result<(), Error> {
    if let Some(file) = std::env::var_os(ON_PURPOSE) {
        let file = std::fs::File::options().write(true).open(file).unwrap();
        file.lock().unwrap();
        let _lab = Lab::boot(&shop()).await?;
        println!("locked");
        std::future::pending::<()>().await;
    }
    Ok(())
}
