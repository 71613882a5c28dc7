use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::CWD;

use super::*;

const PASSWD_TEXT: &str = "\
root:x:0:0:root:/root:/bin/sh
# a comment
broken
nobody:x:65534
huge:x:4294967296:0::/:
minus:x:-1:0::/:
plus:x:+7:+7::/:
none:x:4294967295:4294967295::/:
+nis::0:0:::
1000:x:0:0:a name of digits:/evil:/bin/sh
app:x:1000:1000:App:/srv/app:/bin/sh
twin:x:1000:5:the second of its id:/twin:
bare:x:7:7
homeless:x:8:8:::
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
";
const GROUP_TEXT: &str = "\
root:x:0:
1000:x:0:app
app:x:1000:
audio:x:29:pulse,app
video:x:44: app ,root
bad:x:-5:app
big:x:4294967296:app
wheel::10
users:x:100:app,app
dup:x:1000:app
";

fn ask(user: &str, groups: &[&str]) -> Result<ResolvedUser, String> {
    let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
    resolve(user, &groups, PASSWD_TEXT, GROUP_TEXT).map_err(|error| error.to_string())
}

#[test]
fn names_and_numbers() {
    type Row = (&'static str, &'static [&'static str], (u32, u32, &'static [u32], &'static str, Option<&'static str>));
    let rows: &[Row] = &[
        ("", &[], (0, 0, &[0, 44], "/root", Some("root"))),
        (":", &[], (0, 0, &[0, 44], "/root", Some("root"))),
        (":wheel", &[], (0, 10, &[10], "/root", Some("root"))),
        ("root", &[], (0, 0, &[0, 44], "/root", Some("root"))),
        ("app", &[], (1000, 1000, &[1000, 0, 29, 44, 100], "/srv/app", Some("app"))),
        // A number is that ID, even if a user of that name has ID 0.
        ("1000", &[], (1000, 1000, &[1000, 0, 29, 44, 100], "/srv/app", Some("app"))),
        // With a group: the user has no other group (CVE-2022-36109).
        ("1000:1000", &[], (1000, 1000, &[1000], "/srv/app", Some("app"))),
        ("app:audio", &[], (1000, 29, &[29], "/srv/app", Some("app"))),
        ("1000:1000", &["video", "5", "1000", "5"], (1000, 1000, &[1000, 44, 5], "/srv/app", Some("app"))),
        ("12345", &[], (12345, 0, &[0], "/", None)),
        ("12345:678", &[], (12345, 678, &[678], "/", None)),
        ("4294967294:4294967294", &[], (4_294_967_294, 4_294_967_294, &[4_294_967_294], "/", None)),
        ("bare", &[], (7, 7, &[7], "/", Some("bare"))),
        ("homeless", &[], (8, 8, &[8], "/", Some("homeless"))),
        ("www-data", &["www-data2"; 0], (33, 33, &[33], "/var/www", Some("www-data"))),
        ("twin", &[], (1000, 5, &[5], "/twin", Some("twin"))),
    ];
    for (user, groups, (uid, gid, gids, home, name)) in rows {
        let expected = ResolvedUser {
            uid: *uid,
            gid: *gid,
            additional_gids: gids.to_vec(),
            home: (*home).to_owned(),
            name: name.map(str::to_owned),
        };
        assert_eq!(ask(user, groups), Ok(expected), "{user:?} {groups:?}");
    }
}

#[test]
fn who_is_not_there_is_an_error() {
    for user in ["ghost", "broken", "nobody", "huge", "minus", "plus", "none", "+nis", "# a comment", "-1", "+5", " 0"]
    {
        let expected = format!("user `{user}` not found in the container's `/etc/passwd`");
        assert_eq!(ask(user, &[]), Err(expected));
    }
    for (user, groups, name) in [("0:ghost", &[][..], "ghost"), ("0:bad", &[], "bad"), ("0", &["wheel", "big"], "big")]
    {
        let expected = format!("group `{name}` not found in the container's `/etc/group`");
        assert_eq!(ask(user, groups), Err(expected));
    }
    for number in ["4294967295", "4294967296", "99999999999999999999"] {
        let expected = format!("invalid ID `{number}`: an ID is at most 4294967294");
        assert_eq!(ask(number, &[]), Err(expected.clone()));
        assert_eq!(ask(&format!("0:{number}"), &[]), Err(expected.clone()));
        assert_eq!(ask("0", &[number]), Err(expected));
    }
    assert_eq!(ask("\u{1b}[2J", &[]).unwrap_err(), "user `\\u{1b}[2J` not found in the container's `/etc/passwd`");
}

#[test]
fn hostile_text_is_survived() {
    let line = ":".repeat(1 << 16) + "\n" + &"a:b:0:0:c\0:/d:\n".repeat(1 << 12) + &"x".repeat(1 << 18);
    assert_eq!(resolve("5", &[], &line, &line).unwrap().uid, 5);
    assert!(resolve("a", &[], &line, &line).is_err());
}

/// A root with an `etc` directory, in which `prepare` creates passwd.
fn look(user: &str, prepare: impl FnOnce(&Path)) -> Result<ResolvedUser, String> {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    prepare(root.path());
    let directory = rustix::fs::open(root.path(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
    let began = Instant::now();
    let found = look_up(directory.as_fd(), user, &[]).map_err(|error| error.to_string());
    assert!(began.elapsed() < Duration::from_secs(20));
    found
}

#[test]
fn files_are_read_inside_the_root_only() {
    let write = |root: &Path, path: &str, text: &str| fs::write(root.join(path), text).unwrap();
    let app = |root: &Path| write(root, "etc/passwd", "app:x:5:6::/h:\n");
    assert_eq!(look("app", app).unwrap().home, "/h");
    let linked = |root: &Path| {
        write(root, "moved", "app:x:5:6::/h:\n");
        fs::symlink("/moved", root.join("etc/passwd")).unwrap();
    };
    assert_eq!(look("app", linked).unwrap().gid, 6);
    // On the host the link would lead to a file with a root; inside the root it leads to itself.
    let outside = |root: &Path| fs::symlink("../../../../etc/passwd", root.join("etc/passwd")).unwrap();
    assert!(look("root", outside).unwrap_err().starts_with("cannot read the container's `/etc/passwd`: "));
    let magic = |root: &Path| fs::symlink("/proc/self/environ", root.join("etc/passwd")).unwrap();
    assert!(look("root", magic).is_err());
    // No file.
    assert_eq!(look("root", |_| ()).unwrap_err(), "user `root` not found in the container's `/etc/passwd`");
    assert_eq!(look("", |_| ()).unwrap().home, "/");
    assert_eq!(look("", |root| write(root, "etc/passwd", "caf\u{e9}:x:0:0::/root:\n")).unwrap().home, "/root");
}

#[test]
fn what_is_no_short_regular_file_never_blocks() {
    let fifo = |root: &Path| {
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(CWD, root.join("etc/passwd"), FileType::Fifo, mode, 0).unwrap();
        rustix::fs::mknodat(CWD, root.join("etc/group"), FileType::Fifo, mode, 0).unwrap();
    };
    let irregular = "the container's `/etc/passwd` is not a regular file";
    assert_eq!(look("root", fifo).unwrap_err(), irregular);
    assert_eq!(look("0:wheel", fifo).unwrap_err(), "the container's `/etc/group` is not a regular file");
    // A number needs no file.
    assert_eq!(look("0:0", fifo).unwrap().additional_gids, [0]);
    assert_eq!(look("", fifo).unwrap().home, "/");

    let directory = |root: &Path| fs::create_dir(root.join("etc/passwd")).unwrap();
    assert_eq!(look("root", directory).unwrap_err(), irregular);
    let socket = |root: &Path| drop(std::os::unix::net::UnixListener::bind(root.join("etc/passwd")).unwrap());
    assert_eq!(look("root", socket).unwrap_err(), irregular);
    let large = |root: &Path| {
        let file = fs::create_new(root.join("etc/passwd")).unwrap();
        file.set_len(10 << 30).unwrap();
    };
    assert_eq!(look("root", large).unwrap_err(), "the container's `/etc/passwd` is larger than 1 MiB");
    assert_eq!(look("7", large).unwrap().uid, 7);
}
