//! Mounts as users of docker and podman write them, said as a topology file says it.

use crate::model::{MountAccess, MountSource};
use crate::topology::tree::{Node, Value};

/// Options behind a colon that say that nothing may be written.
const READ_ONLY: [&str; 2] = ["ro", "readonly"];

/// The entry for a volume such as `./www:/srv/www:ro`.
pub(super) fn volume(text: &str) -> Option<String> {
    let mut parts = text.split(':');
    let (source, place, options) = (parts.next()?, parts.next()?, parts.next().unwrap_or_default());
    let is_volume = place.starts_with('/') && parts.next().is_none();
    is_volume.then(|| entry(source, place, is_read_only(options)))
}

/// The entry for a path with options behind it, `./www:ro`; what an instance may do with it is all that is read of these.
pub(super) fn path_with_options(text: &str) -> Option<MountSource> {
    const OTHERS: [&str; 21] = [
        "rw",
        "z",
        "Z",
        "U",
        "O",
        "cached",
        "delegated",
        "consistent",
        "shared",
        "rshared",
        "slave",
        "rslave",
        "private",
        "rprivate",
        "nocopy",
        "copy",
        "idmap",
        "bind",
        "rbind",
        "noexec",
        "nosuid",
    ];
    let (path, options) = text.rsplit_once(':')?;
    let known = |option: &str| READ_ONLY.contains(&option) || OTHERS.contains(&option);
    options.split(',').all(known).then(|| path_of(path, is_read_only(options)))
}

/// The entry for one of a list as compose has them: `{type: bind, source: ./www, target: /srv/www}`; or for one in a list that is in
/// the right words.
pub(super) fn long(entries: &[(Node, Node)]) -> Option<String> {
    let of = |wanted: &[&str]| {
        let is = |key: &Node| matches!(&key.value, Value::Scalar(key) if wanted.contains(&key.text.as_str()));
        let (_, value) = entries.iter().find(|(key, _)| is(key))?;
        text(value)
    };
    if let [(place, source)] = entries {
        return Some(format!("{}: {}", text(place).filter(|place| place.starts_with('/'))?, text(source)?));
    }
    let read_only = of(&["read_only", "readonly", "ro"]).is_some_and(|word| word != "false");
    let source = of(&["source", "src"]).unwrap_or_default();
    Some(entry(source, of(&["target", "destination", "dst"])?, read_only))
}

/// The entry for a place whose source is said in a mapping: `/srv/www: {source: ./www, read_only: true}`.
pub(super) fn options(entries: &[(Node, Node)], place: &str) -> Option<String> {
    let of = |wanted: &[&str]| {
        let is = |key: &Node| matches!(&key.value, Value::Scalar(key) if wanted.contains(&key.text.as_str()));
        text(&entries.iter().find(|(key, _)| is(key))?.1)
    };
    if matches!(of(&["type"]), Some("tmpfs")) {
        return Some(entry("", place, false));
    }
    let source = of(&["source", "src", "bind", "path", "host"])?;
    let read_only = of(&["read_only", "readonly", "ro"]).is_some_and(|word| word != "false")
        || of(&["mode", "options", "access"]).is_some_and(is_read_only);
    Some(entry(source, of(&["target", "destination", "dst"]).unwrap_or(place), read_only))
}

fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar(scalar) => Some(&scalar.text),
        _ => None,
    }
}

fn is_read_only(options: &str) -> bool {
    options.split(',').any(|option| READ_ONLY.contains(&option))
}

fn path_of(path: &str, read_only: bool) -> MountSource {
    let access = if read_only { MountAccess::ReadOnly } else { MountAccess::Writable };
    MountSource::Path(path.to_owned(), access)
}

fn entry(source: &str, place: &str, read_only: bool) -> String {
    // A volume of docker's has a name and no path.
    let source = if source.starts_with(['/', '.', '~']) { path_of(source, read_only) } else { MountSource::Empty };
    format!("{place}: {source}")
}
