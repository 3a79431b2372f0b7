//! `mounts:` of an instance: what its programs see at places of its choice.

mod docker;

use indexmap::IndexMap;

use super::resolver::Resolver;
use crate::model::suggest;
use crate::model::{DATA_FOLDER, MountAccess, MountPlace, MountSource, NoPlace, unfit_path};
use crate::topology::document::shape::{Diagnostics, Field, Shape, SpannedText};
use crate::topology::document::values::Mounts as MountsSaid;
use crate::topology::document::words::{MountPlace as PlaceSaid, MountSource as SourceSaid};
use crate::topology::files::{Files, Found};
use crate::topology::problem::{Diagnostic, Span, quote};
use crate::topology::tree::{Kind, Node, Value};

const MOUNTS: &str = MountsSaid::WHAT;
const SOURCE: &str = SourceSaid::WHAT;
const PLACE_FIRST: &str = "the place in the instance comes first";

/// Mistake in a source as it is written.
struct Fault {
    span: Span,
    message: String,
    help: String,
}

type Mounts = IndexMap<MountPlace, MountSource>;

impl Resolver<'_> {
    /// Reads the mounts of an instance.
    pub fn mounts(&mut self, said: &Field<MountsSaid>) -> Mounts {
        let mut mounts = Mounts::new();
        let mut places: IndexMap<MountPlace, Span> = IndexMap::new();
        let Some(MountsSaid(node)) = said.get() else { return mounts };
        let Value::Mapping(entries) = &node.value else {
            self.refuse_list_of_mounts(node);
            return mounts;
        };
        for (key, value) in entries {
            let Some(place) = self.mount_place(key, value) else { continue };
            if let Some(first) = places.get(&place) {
                let draft =
                    Diagnostic::new(key.span, format!("something is mounted at {} already", quote(place.as_str())));
                self.report(draft.related("here", *first));
                continue;
            }
            places.insert(place.clone(), key.span);
            if let Some(source) = self.mount_source(value, &place) {
                mounts.insert(place, source);
            }
        }
        self.refuse_mounts_without_room(&mounts, &places);
        mounts
    }

    /// No mapping: most likely it is written as docker has it.
    fn refuse_list_of_mounts(&mut self, node: &Node) {
        let items = match &node.value {
            Value::Sequence(items) if !items.is_empty() => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        for item in items {
            let entry = match &item.value {
                Value::Scalar(scalar) => docker::volume(&scalar.text),
                Value::Mapping(entries) => docker::long(entries),
                Value::Sequence(_) => None,
            };
            let draft = Diagnostic::new(item.span, format!("expected {MOUNTS}, found {}", node.describe()));
            self.report(draft.maybe_help(entry.map(|entry| format!("{PLACE_FIRST}, in a mapping: `{entry}`"))));
        }
    }

    fn mount_place(&mut self, key: &Node, value: &Node) -> Option<MountPlace> {
        let path = Diagnostics(&mut self.told.problems).text(key, PlaceSaid::WHAT)?;
        let path = path.text();
        let said = match &value.value {
            Value::Scalar(scalar) if scalar.kind() != Kind::Nothing => scalar.text.as_str(),
            _ => "",
        };
        let volume = docker::volume(path).filter(|_| said.is_empty()).map(|entry| format!("{PLACE_FIRST}: `{entry}`"));
        let why = match MountPlace::new(path) {
            Ok(place) if volume.is_none() => return Some(place),
            Ok(_) => "it is written as docker has it".to_owned(),
            Err(why) => why.to_string(),
        };
        let help = volume.or_else(|| match MountPlace::new(path).err()? {
            NoPlace::Relative if said.starts_with('/') => Some(format!("{PLACE_FIRST}: `{said}: {path}`")),
            NoPlace::Relative => Some(format!("a place begins with `/`: `{}`", absolute(path))),
            NoPlace::GoesUp => straight(path).map(|path| format!("write where it leads: `{path}`")),
            NoPlace::Root => Some("mount what is needed at places of their own, such as `/srv`".to_owned()),
            NoPlace::Own(DATA_FOLDER) => Some("mount something below it, or at another place".to_owned()),
            NoPlace::Own(_) => Some("mount something at another place".to_owned()),
            NoPlace::Unfit(_) => None,
        });
        let draft = Diagnostic::new(key.span, format!("nothing can be mounted at {}: {why}", quote(path)));
        self.report(draft.maybe_help(help));
        None
    }

    fn mount_source(&mut self, node: &Node, place: &MountPlace) -> Option<MountSource> {
        if let Value::Mapping(entries) = &node.value {
            let draft = Diagnostic::new(node.span, format!("expected {SOURCE}, found {}", node.describe()));
            let entry = docker::options(entries, place.as_str());
            let help =
                entry.map_or_else(|| "such as `./www` or `./data writable`".to_owned(), |it| format!("write `{it}`"));
            self.report(draft.help(help));
            return None;
        }
        let word = Diagnostics(&mut self.told.problems).text(node, SOURCE)?;
        let text = word.text().trim();
        if let Some(why) = unfit_path(text) {
            self.report(Diagnostic::new(node.span, format!("{} is no path: {why}", quote(text))));
            return None;
        }
        if text == MountSource::EMPTY {
            return Some(MountSource::Empty);
        }
        let (path, access) = match MountAccess::behind(text) {
            Some(said) => said,
            None => match wrong_end(&word, text, place) {
                Some(fault) => return self.refuse_source(fault),
                None => (text, MountAccess::ReadOnly),
            },
        };
        if let Some(fault) = no_path(&word, path) {
            return self.refuse_source(fault);
        }
        self.refuse_unfit(&word, path, access);
        Some(MountSource::Path(path.to_owned(), access))
    }

    fn refuse_source(&mut self, Fault { span, message, help }: Fault) -> Option<MountSource> {
        self.report(Diagnostic::new(span, message).help(help));
        None
    }

    /// A source that is not there or cannot be mounted, if that can be known.
    fn refuse_unfit(&mut self, node: &SpannedText, path: &str, access: MountAccess) {
        let Some(files) = self.told.files else { return };
        match files.find(path, access) {
            Found::Something | Found::Unknown => {}
            Found::Unfit { why, help } => {
                let draft = Diagnostic::new(node.part(path), format!("{} cannot be mounted: {why}", quote(path)));
                self.report(draft.maybe_help(help.map(str::to_owned)));
            }
            Found::Nothing => self.refuse_missing(files, node, path),
        }
    }

    fn refuse_missing(&mut self, files: &dyn Files, node: &SpannedText, path: &str) {
        let is_missing = |path: &str| files.find(path, MountAccess::ReadOnly) == Found::Nothing;
        let ends = path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0).chain([path.len()]);
        // Up to the first part that is not there.
        let missing = ends.into_iter().map(|end| path.split_at(end)).find(|(begin, _)| is_missing(begin));
        let close = missing.and_then(|(begin, rest)| {
            let (folder, name) = begin.rsplit_once('/')?;
            let names = files.names(if folder.is_empty() { "/" } else { folder });
            let help = suggest(name, names.iter().map(String::as_str))?;
            Some(help.replacen('`', &format!("`{folder}/"), 1).replacen("`?", &format!("{rest}`?"), 1))
        });
        let make = match path.starts_with('/') {
            true => "make it first",
            false => "make it first; paths begin in the folder of the file",
        };
        let draft = Diagnostic::new(node.part(path), format!("{} does not exist", quote(path)));
        self.report(draft.help(close.unwrap_or_else(|| make.to_owned())));
    }

    /// Nothing is made in a folder of the user's: what is to be mounted in one must have its place there.
    fn refuse_mounts_without_room(&mut self, mounts: &Mounts, places: &IndexMap<MountPlace, Span>) {
        let Some(files) = self.told.files else { return };
        for (place, span) in places {
            let above = place.above().find_map(|above| mounts.get_key_value(above));
            let Some((above, MountSource::Path(path, _))) = above else { continue };
            let Some(rest) = place.below(above) else { continue };
            let room = format!("{}/{rest}", path.trim_end_matches('/'));
            let found = |path: &str| files.find(path, MountAccess::ReadOnly);
            if found(path) == Found::Something && found(&room) == Found::Nothing {
                let message = format!("there is no {} in {}, which is mounted at {above}", quote(rest), quote(path));
                let help = format!("make {} first, for something to be mounted there", quote(&room));
                self.report(Diagnostic::new(*span, message).help(help));
            }
        }
    }
}

/// Finds text behind a path that is no word for what an instance may do with it.
fn wrong_end(node: &SpannedText, text: &str, place: &MountPlace) -> Option<Fault> {
    if let Some(more) = text.strip_prefix(MountSource::EMPTY).filter(|more| more.starts_with([' ', '\t', ':'])) {
        let more = more.trim_start_matches([' ', '\t', ':']);
        let message = format!("there is a word too many behind `{}`", MountSource::EMPTY);
        let help = "an empty folder has no size or options: write `empty`; it can be written to, and grows to half of the memory".to_owned();
        return Some(Fault { span: node.part(more), message, help });
    }
    if let Some((path, last)) = text.rsplit_once(char::is_whitespace) {
        let said = |access| MountSource::Path(path.trim_end().to_owned(), access);
        let meant = match last {
            "ro" | "readonly" => Some(said(MountAccess::ReadOnly)),
            "rw" | "write" | "read-write" => Some(said(MountAccess::Writable)),
            _ => None,
        };
        let close = || suggest(last, MountAccess::WORDS.map(|(word, _)| word));
        let help = meant.map(|meant| format!("write `{meant}`")).or_else(close)?;
        let message = format!("{} is no word for what an instance may do", quote(last));
        return Some(Fault { span: node.part(last), message, help });
    }
    let meant = match docker::volume(text) {
        Some(entry) => entry,
        None => format!("{place}: {}", docker::path_with_options(text)?),
    };
    let message = format!("{} is written as docker has it", quote(text));
    Some(Fault { span: node.span, message, help: format!("write `{meant}`") })
}

fn no_path(node: &SpannedText, path: &str) -> Option<Fault> {
    let begins = ["/", "./", "../"].iter().any(|begin| path.starts_with(begin));
    if begins || path == "." || path == ".." {
        return None;
    }
    if path == MountSource::EMPTY {
        let message = format!("there is a word too many behind `{path}`");
        let help = "an empty folder can always be written to".to_owned();
        return Some(Fault { span: node.span, message, help });
    }
    let help = match path {
        "" => "such as `./www`, from the folder of the file".to_owned(),
        "tmpfs" | "emptyDir" | "memory" => "an empty folder in memory is `empty`".to_owned(),
        path if path.starts_with(['~', '$']) => {
            "nothing is filled in here: write the whole path, or one from the folder of the file".to_owned()
        }
        path => suggest(path, [MountSource::EMPTY]).unwrap_or_else(|| {
            let there_are = "there are no named volumes, but what is in `/run/data` outlives restarts";
            let volume = if path.contains(['/', '.']) { String::new() } else { format!("; {there_are}") };
            format!("a path begins with `/`, `./` or `../`: `./{path}`{volume}")
        }),
    };
    let found = if path.is_empty() { "nothing".to_owned() } else { quote(path) };
    Some(Fault { span: node.part(path), message: format!("expected {SOURCE}, found {found}"), help })
}

/// A place for what is named from another folder.
fn absolute(path: &str) -> String {
    let named = path.trim_start_matches(['.', '/', '~']);
    let folder = if named.len() == path.len() { "/" } else { "/srv/" };
    format!("{folder}{named}")
}

/// Resolves the `..` of an absolute path, if nothing on its way is a link.
fn straight(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    MountPlace::new(&parts.join("/")).ok().map(|place| place.to_string())
}

#[cfg(test)]
mod tests {
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
        for good in
            ["/a: ./there", "/a: . writable", "/a: ..", "/a: '../x y read-only'", "/a/b: /x writable", "/a: empty"]
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
        let beside = |mounts: &str| {
            Topology::parse_beside("t.yaml", file(mounts).as_bytes(), &Beside).map_err(|e| e.to_string())
        };
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
}
