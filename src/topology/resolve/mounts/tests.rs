use super::{Files, Found};
use crate::model::{Era, MountAccess};
use crate::topology::{Topology, schema};

fn as_json(yaml: &str) -> serde_json::Value {
    serde_saphyr::from_str(yaml).expect("it is YAML")
}

/// Files of which some are not there.
struct Beside;

impl Files for Beside {
    fn find(&self, path: &str, access: MountAccess) -> Found {
        match path {
            "." => Found::Something,
            "./there/sock" => Found::Unfit { why: "it is a socket".to_owned(), help: None },
            _ if path.starts_with("./there/ro") && access == MountAccess::Writable => {
                Found::Unfit { why: "it is the system's".to_owned(), help: Some("read it") }
            }
            _ if path.starts_with("./there") => Found::Something,
            _ => Found::Nothing,
        }
    }

    fn find_log(&self, _: &str) -> Found {
        Found::Nothing
    }

    fn names(&self, _: &str) -> Vec<String> {
        vec!["there".to_owned()]
    }
}

#[test]
fn mounts_are_read_as_the_schema_has_them_and_looked_for_only_beside_their_file() {
    let validator = jsonschema::validator_for(&schema()).expect("the schema is one");
    let file = |mounts: &str| {
        format!(
            "sglab: 1\nera: vpc\ngroups: {{A: []}}\ninstances: {{a: {{groups: A, mounts: {{{mounts}}}}}}}\nscenario:\n\
             - {{step: s, expect: {{dropped: ['a -> a:1 by public address']}}}}\n"
        )
    };
    for good in ["/a: ./there", "/a: . writable", "/a: ..", "/a: '../x y read-only'", "/a/b: /x writable", "/a: empty"]
    {
        let text = file(good);
        Topology::parse("t.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(validator.is_valid(&as_json(&text)), "{good}");
    }
    for bad in ["a: empty", "/a: www", "/a: full", "/a: [./there]", "/a: 7", "/a: ~"] {
        let text = file(bad);
        assert!(Topology::parse("t.yaml", text.as_bytes()).is_err(), "{bad}");
        assert!(!validator.is_valid(&as_json(&text)), "{bad}");
    }
    let beside =
        |mounts: &str| Topology::parse_beside("t.yaml", file(mounts).as_bytes(), &Beside).map_err(|e| e.to_string());
    assert!(beside("/a: ./there writable, /b: ./there/x").is_ok());
    assert!(beside("/a: ./there/ro").is_ok());
    let told = beside("/a: ./there/ro writable, /b: ./there/sock").unwrap_err();
    assert!(told.contains("`./there/ro` cannot be mounted: it is the system's"), "{told}");
    assert!(told.contains("`./there/sock` cannot be mounted: it is a socket"), "{told}");
    let told = beside("/a: ./ther").unwrap_err();
    assert!(told.contains("t.yaml:4:41\n") && told.contains("did you mean `./there`?"), "{told}");
}

#[test]
fn many_deep_mounts_are_read() {
    let deep = "/x".repeat(400);
    let mounts: Vec<_> = (0..1000).map(|n| format!("{deep}/{n}: ./there")).collect();
    let text = format!("{{sglab: 1, era: vpc, instances: {{a: {{mounts: {{{}}}}}}}}}", mounts.join(", "));
    let cloud = Topology::parse_cloud_beside("t.yaml", text.as_bytes(), &Beside).expect("a cloud");
    let launched = cloud.initial_cloud(Era::Vpc).expect("a cloud");
    assert_eq!(launched.instances.values().map(|it| it.mounts.len()).collect::<Vec<_>>(), [1000]);
}
