//! Tests of renames by an instance while a tree is made.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

/// A tree in a folder, all of it its own; and a folder beside it.
fn tree() -> (tempfile::TempDir, Tree) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["root/shared", "outside"] {
        fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    let root = open(&folder.path().join("root"), NAMED, Mode::empty()).unwrap();
    let own = vec![fstat(&root).unwrap().st_dev];
    (folder, Tree { root, owner: (0, 0), own, of_host: Vec::new(), written: Vec::new() })
}

#[test]
fn room_is_made_where_the_path_was_and_not_where_a_link_leads_that_came_since() {
    for kind in [Kind::Folder, Kind::File] {
        let (folder, mut tree) = tree();
        let found = tree.follow(Path::new("/shared/new/deep")).unwrap();
        fs::rename(folder.path().join("root/shared"), folder.path().join("root/moved")).unwrap();
        symlink(folder.path().join("outside"), folder.path().join("root/shared")).unwrap();
        let made = fstat(tree.room(&found, kind).unwrap()).unwrap();
        assert_eq!(Kind::of(&made).unwrap(), kind);
        assert!(folder.path().join("root/moved/new/deep").exists());
        assert_eq!(fs::read_dir(folder.path().join("outside")).unwrap().count(), 0);
    }
}

#[test]
fn a_link_that_came_where_room_is_made_is_not_followed() {
    for kind in [Kind::Folder, Kind::File] {
        let (folder, mut tree) = tree();
        let found = tree.follow(Path::new("/shared/new")).unwrap();
        symlink(folder.path().join("outside/new"), folder.path().join("root/shared/new")).unwrap();
        assert!(tree.room(&found, kind).is_err());
        assert_eq!(fs::read_dir(folder.path().join("outside")).unwrap().count(), 0);
    }
}

#[test]
fn links_and_dots_lead_nowhere_beyond_the_root() {
    let (folder, mut tree) = tree();
    symlink(folder.path().join("outside"), folder.path().join("root/absolute")).unwrap();
    symlink("../../outside", folder.path().join("root/shared/up")).unwrap();
    for path in ["/absolute/x", "/shared/up/x", "/../outside/x"] {
        let found = tree.follow(Path::new(path)).unwrap();
        drop(tree.room(&found, Kind::File));
    }
    assert_eq!(fs::read_dir(folder.path().join("outside")).unwrap().count(), 0);
    assert!(
        tree.folder(Path::new("/shared/up")).unwrap().is_none() && tree.folder(Path::new("/shared")).unwrap().is_some()
    );
}

#[test]
fn nothing_is_made_in_what_is_not_the_trees_own() {
    let (folder, mut tree) = tree();
    tree.own.clear();
    tree.written.push(folder.path().join("root/shared"));
    let found = tree.follow(Path::new("/shared/new")).unwrap();
    let (attempt, _) = tree.room(&found, Kind::Folder).unwrap_err();
    assert!(attempt.contains("instances may write to"), "{attempt}");
    tree.shows_host_at(Path::new("/shared"));
    let (attempt, _) = tree.room(&found, Kind::Folder).unwrap_err();
    assert!(attempt.contains("not there in what is mounted at /shared"), "{attempt}");
    assert!(!folder.path().join("root/shared/new").exists());
}
