//! Written as a user of the crate writes tests.
#![allow(missing_docs)]

use sglab::model::Era;
use sglab::model::topology::{NewInstance, Topology};
use sglab::testing::{Error, Lab};

fn shop() -> Topology {
    Topology::builder(Era::Vpc)
        .host("customer", ["198.51.100.7"])
        .group("web", ["tcp 443 from anywhere"])
        .group("db", ["tcp 5432 from web"])
        .instance("web1", NewInstance::in_groups(["web"]))
        .instance("db1", NewInstance::in_groups(["db"]))
        .build()
        .unwrap()
}

#[sglab::test]
async fn only_the_web_reaches_the_database() -> Result<(), Error> {
    let lab = Lab::boot(&shop()).await?;
    lab.probe("web1 -> db1:5432").await?.assert_open();
    lab.probe("customer -> db1:5432").await?.assert_dropped().at_ingress();
    Ok(())
}
