use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{Timespec, Timestamps};

use super::super::listing;
use super::*;
use crate::sys::fs;

struct Scene {
    home: tempfile::TempDir,
}

/// Copies onto what the directory shows itself, as an overlay would.
fn copy(trees: &[Tree], context: BorrowedFd<'_>, root: BorrowedFd<'_>, to: &str) -> Result<Copied, Error> {
    write_onto(trees, context, Onto { layer: root, below: None }, None, to)
}

fn write_onto(
    trees: &[Tree],
    context: BorrowedFd<'_>,
    onto: Onto<'_>,
    former: Option<&Former>,
    to: &str,
) -> Result<Copied, Error> {
    let me = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let (path, is_directory) = (Path::new(to), to.ends_with('/'));
    let destination = Destination { path, is_directory, owner: Some(me), mode: &|mode, _| mode };
    let mut writer = Writer::new(onto, former);
    writer.write(context, trees, &destination)?;
    writer.finish()
}

impl Scene {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        for directory in ["context/src/sub", "root/app/sub", "root/usr/lib"] {
            fs::create_dir_all(home.path().join(directory)).expect("made");
        }
        for file in ["context/src/a", "context/src/sub/b", "context/c", "root/app/old", "root/app/a"] {
            fs::write(home.path().join(file), file).expect("written");
        }
        fs::symlink("usr/lib", home.path().join("root/lib")).expect("linked");
        fs::symlink("/outside", home.path().join("root/away")).expect("linked");
        fs::symlink("a", home.path().join("context/src/link")).expect("linked");
        Self { home }
    }

    fn copy(&self, sources: &[&str], to: &str) -> Result<Copied, String> {
        let open = |name: &str| fs::open_directory(self.home.path().join(name)).expect("opens");
        let (context, root) = (open("context"), open("root"));
        let sources: Vec<Vec<u8>> = sources.iter().map(|source| source.as_bytes().to_vec()).collect();
        let trees = listing::find(context.as_fd(), &sources, None, None).map_err(|error| error.to_string())?;
        copy(&trees, context.as_fd(), root.as_fd(), to).map_err(|error| error.to_string())
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.home.path().join("root").join(path)).expect("reads")
    }
}

#[test]
fn files_go_where_buildkit_puts_them() {
    let scene = Scene::new();
    scene.copy(&["src"], "/app").expect("copied");
    assert_eq!(scene.read("app/a"), "context/src/a", "replaced");
    assert_eq!(scene.read("app/sub/b"), "context/src/sub/b");
    assert_eq!(scene.read("app/old"), "root/app/old", "what is not copied stays");
    let link = fs::read_link(scene.home.path().join("root/app/link")).expect("a link");
    assert_eq!(link, Path::new("a"));
    scene.copy(&["c"], "/app").expect("copied");
    assert_eq!(scene.read("app/c"), "context/c", "into a directory that exists");
    scene.copy(&["c"], "/new/dir/").expect("copied");
    assert_eq!(scene.read("new/dir/c"), "context/c");
    scene.copy(&["c"], "/new/file").expect("copied");
    assert_eq!(scene.read("new/file"), "context/c");
    scene.copy(&["c", "src/a"], "/two/").expect("copied");
    assert_eq!((scene.read("two/c"), scene.read("two/a")), ("context/c".to_owned(), "context/src/a".to_owned()));
    scene.copy(&["c"], "/lib/").expect("through the image's link");
    assert_eq!(scene.read("usr/lib/c"), "context/c");
}

#[test]
fn what_cannot_be_replaced_is_named() {
    let scene = Scene::new();
    fs::create_dir_all(scene.home.path().join("root/app/link")).expect("made");
    assert_eq!(
        scene.copy(&["src"], "/app").expect_err("refused"),
        "cannot copy a file to `/app/link`, which is a directory"
    );
    fs::create_dir_all(scene.home.path().join("context/over/lib")).expect("made");
    assert_eq!(
        scene.copy(&["over"], "/").expect_err("refused"),
        "cannot copy a directory to `/lib`, which is not a directory"
    );
    assert!(scene.copy(&["src"], "/app/old").is_err());
}

#[test]
fn no_link_of_the_image_leads_out_of_its_root() {
    let scene = Scene::new();
    scene.copy(&["c"], "/away/").expect("beneath the root");
    assert_eq!(scene.read("outside/c"), "context/c");
    assert!(!Path::new("/outside").exists());
}

#[test]
fn times_are_kept_and_a_file_that_changes_meanwhile_is_named() {
    let scene = Scene::new();
    let from = scene.home.path().join("context/c");
    let time = Timespec { tv_sec: 1000, tv_nsec: 7 };
    let set = |time| {
        let times = Timestamps { last_access: time, last_modification: time };
        futimens(fs::open(&from).expect("opens"), &times).expect("set");
    };
    set(time);
    scene.copy(&["c"], "/c").expect("copied");
    assert_eq!(fs::metadata(scene.home.path().join("root/c")).expect("there").mtime(), 1000);
    let open = |name: &str| fs::open_directory(scene.home.path().join(name)).expect("opens");
    let (context, root) = (open("context"), open("root"));
    let trees = listing::find(context.as_fd(), &[b"c".to_vec()], None, None).expect("found");
    set(Timespec { tv_sec: 2000, tv_nsec: 0 });
    let refused = copy(&trees, context.as_fd(), root.as_fd(), "/c").map(drop).expect_err("refused");
    assert_eq!(refused.to_string(), "`c` was changed while it was copied");
}

/// A copy of `src` into a new layer on the root, as a layer of the store.
fn layer(scene: &Scene, name: &str, former: Option<&Former>) -> PathBuf {
    let layer = scene.home.path().join(name);
    fs::create_dir_all(layer.join("fs")).expect("made");
    let open = |path: &Path| fs::open_directory(path).expect("opens");
    let (context, below) = (open(&scene.home.path().join("context")), open(&scene.home.path().join("root")));
    let files = open(&layer.join("fs"));
    let trees = listing::find(context.as_fd(), &[b"src".to_vec()], None, None).expect("found");
    let onto = Onto { layer: files.as_fd(), below: Some(below.as_fd()) };
    let copied = write_onto(&trees, context.as_fd(), onto, former, "/app").expect("copied");
    copied.write(&layer.join("copied")).expect("written");
    layer
}

#[test]
fn a_layer_has_what_is_new_and_what_leads_to_it() {
    let scene = Scene::new();
    let layer = layer(&scene, "layer", None).join("fs");
    let mut listed: Vec<_> =
        fs::read_dir(layer.join("app")).expect("lists").flatten().map(|one| one.file_name()).collect();
    listed.sort();
    assert_eq!(listed, ["a", "link", "sub"], "what is below stays below");
    assert_eq!(scene.read("app/a"), "root/app/a", "nobody writes there");
    // A directory below is in the way of a file.
    fs::create_dir(scene.home.path().join("root/app/link")).expect("made");
    let open = |name: &str| fs::open_directory(scene.home.path().join(name)).expect("opens");
    fs::create_dir(scene.home.path().join("other")).expect("made");
    let (context, below, other) = (open("context"), open("root"), open("other"));
    let trees = listing::find(context.as_fd(), &[b"src".to_vec()], None, None).expect("found");
    let onto = Onto { layer: other.as_fd(), below: Some(below.as_fd()) };
    let refused = write_onto(&trees, context.as_fd(), onto, None, "/app").map(drop).expect_err("refused");
    assert_eq!(refused.to_string(), "cannot copy a file to `/app/link`, which is a directory");
}

#[test]
fn what_has_not_changed_is_linked_and_nothing_else() {
    let scene = Scene::new();
    let path = |name: &str| scene.home.path().join(name);
    let first = layer(&scene, "first", None);
    let inode = |layer: &Path, name: &str| fs::metadata(layer.join("fs/app").join(name)).expect("there").ino();
    let former = Former::open(&first).expect("a table");
    let second = layer(&scene, "second", Some(&former));
    for name in ["a", "sub/b"] {
        assert_eq!(inode(&first, name), inode(&second, name), "{name}");
    }
    // Another content, another time, other permissions.
    let time = fs::metadata(path("context/src/a")).expect("there");
    let stamp = Timespec { tv_sec: time.mtime(), tv_nsec: time.mtime_nsec() };
    fs::write(path("context/src/a"), "context/src/A").expect("written");
    let stamps = Timestamps { last_access: stamp, last_modification: stamp };
    futimens(fs::open(path("context/src/a")).expect("opens"), &stamps).expect("set");
    rustix::fs::chmod(path("context/src/sub/b"), Mode::from_raw_mode(0o640)).expect("a mode");
    let third = layer(&scene, "third", Some(&former));
    assert_ne!(inode(&first, "a"), inode(&third, "a"));
    assert_ne!(inode(&first, "sub/b"), inode(&third, "sub/b"));
    assert_eq!(fs::read_to_string(third.join("fs/app/a")).expect("reads"), "context/src/A");
    assert_eq!(fs::read_to_string(first.join("fs/app/a")).expect("reads"), "context/src/a", "as it was");
    for damaged in [&b"short"[..], &[0; 34], &[0xff; 34]] {
        fs::write(first.join("copied"), damaged).expect("written");
        drop(Former::open(&first).map(|former| layer(&scene, &format!("last-{}", damaged.len()), Some(&former))));
    }
}

#[test]
fn many_files_are_written_by_several_threads_and_the_last_of_one_name_stays() {
    let scene = Scene::new();
    let path = |name: String| scene.home.path().join(name);
    for directory in 0..4 {
        fs::create_dir_all(path(format!("context/many/{directory}"))).expect("made");
        fs::create_dir_all(path(format!("context/more/{directory}"))).expect("made");
        for number in 0..100 {
            fs::write(path(format!("context/many/{directory}/{number}")), format!("{number}")).expect("written");
        }
        fs::write(path(format!("context/more/{directory}/7")), "last").expect("written");
    }
    let large = vec![7; 3 * (64 << 10)];
    fs::write(path("context/many/large".to_owned()), &large).expect("written");
    scene.copy(&["many", "more"], "/d/").expect("copied");
    assert_eq!(fs::read(path("root/d/large".to_owned())).expect("reads"), large);
    for directory in 0..4 {
        for number in 0..100 {
            let expected = if number == 7 { "last".to_owned() } else { number.to_string() };
            assert_eq!(scene.read(&format!("d/{directory}/{number}")), expected);
        }
    }
    scene.copy(&["more/0/7", "many/0/7"], "/").expect("copied");
    assert_eq!(scene.read("7"), "7");
}
