use super::super::tests::{facts, image};
use super::shown::is_descriptor;
use super::*;

/// What becomes of a request, or the reason why nothing does.
fn completed(request: &MountRequest) -> Result<String, String> {
    let (names, images) = (["f".parse().unwrap()], BTreeMap::new());
    let mut sources = Sources { working_dir: Path::new("/srv/dir"), names: names.iter(), images: &images };
    request.resolve(&mut sources).map(|mount| show(&mount)).map_err(reason)
}

fn read(text: &str) -> Result<String, String> {
    MountRequest::from_volume(text).map_err(reason).and_then(|request| completed(&request))
}

fn reason(error: Error) -> String {
    match error {
        Error::Option { source, .. } => source.reason,
        other => other.to_string(),
    }
}

fn volumes(texts: &[&str]) -> Vec<MountRequest> {
    texts.iter().map(|text| MountRequest::from_volume(text).unwrap()).collect()
}

/// A mount as `KIND SOURCE → DESTINATION ro|rw OPTIONS`.
fn show(mount: &Mount) -> String {
    let kind = match &mount.kind {
        MountKind::Bind { source } => format!("bind {}", source.display()),
        MountKind::Volume { name, anonymous: false, .. } => format!("volume {name}"),
        MountKind::Volume { .. } => "anonymous".to_owned(),
        MountKind::Tmpfs => "tmpfs".to_owned(),
        MountKind::Ramfs => "ramfs".to_owned(),
        MountKind::Devpts => "devpts".to_owned(),
        MountKind::Image { image } => format!("image {}", image.reference),
    };
    let access = if mount.read_only { "ro" } else { "rw" };
    format!("{kind} → {} {access} {}", mount.destination, mount.options.join(",")).trim_end().to_owned()
}

fn resolve(request: &Request, image_volumes: &[&str]) -> Result<Vec<String>, String> {
    let image = ImageDefaults { volumes: image_volumes.iter().map(|&path| path.to_owned()).collect(), ..image() };
    let mut facts = facts();
    facts.found.volume_names = vec!["f".repeat(64).parse().unwrap(); count_anonymous(request, &image)];
    mounts(request, &image, &facts, false)
        .map(|mounts| mounts.iter().map(show).collect())
        .map_err(|error| error.to_string())
}

#[test]
fn volumes_of_the_command_line() {
    for (text, expected) in [
        ("/srv:/data", "bind /srv → /data rw"),
        ("/srv:/data:ro", "bind /srv → /data ro"),
        ("./a:/data", "bind /srv/dir/a → /data rw"),
        (".:/data", "bind /srv/dir → /data rw"),
        ("../a:/data", "bind /srv/dir/../a → /data rw"),
        ("a/b:/data", "bind /srv/dir/a/b → /data rw"),
        ("db:/var/lib/db", "volume db → /var/lib/db rw"),
        ("db:/data:ro,nocopy,exec", "volume db → /data ro nocopy,exec"),
        ("/data", "anonymous → /data rw"),
        ("/srv:/data//x/./y/:Z,rslave,suid", "bind /srv → /data/x/y rw rslave,suid"),
        ("/srv:/data:cached", "bind /srv → /data rw"),
        ("db:/data:delegated,consistent,ro", "volume db → /data ro"),
        ("/srv:/proc/cpuinfo", "bind /srv → /proc/cpuinfo rw"),
        ("/srv:/data:", "bind /srv → /data rw"),
        ("/srv:/data:U,subpath=/a/", "bind /srv → /data rw U,subpath=a"),
        ("/srv:/data:O,U", "bind /srv → /data rw U,O"),
        ("db:/data:ro,O,upperdir=u,workdir=/w", "volume db → /data ro O,upperdir=/srv/dir/u,workdir=/w"),
    ] {
        assert_eq!(read(text), Ok(expected.to_owned()), "{text}");
    }
}

#[test]
fn broken_volumes_are_refused() {
    for (text, reason) in [
        ("./a:b:c:d", "must be [SOURCE:]DESTINATION[:OPTIONS]"),
        ("/srv:data", "the destination must be an absolute path"),
        ("data", "the destination must be an absolute path"),
        ("", "the destination must be an absolute path"),
        (":/data", "the source is empty"),
        ("/srv:/", "nothing can be mounted over the root"),
        ("/srv:/data/..", "nothing can be mounted over the root"),
        ("/srv:/proc/sys", "nothing can be mounted over /proc"),
        ("/srv:/data:rx", "unknown option `rx`"),
        ("/srv:/data:subpath=a/../b", "`subpath` must be a path below the source, without `..`"),
        ("/srv:/data:idmap", "a mount cannot have an ID map of its own: only root may make one"),
        ("/srv:/data:upperdir=/a", "`upperdir` and `workdir` belong to an overlay: add `O`"),
        ("/srv:/data:O,workdir=/a", "`upperdir` and `workdir` are given together: two directories of one filesystem"),
        ("db:/data:O,nocopy", "`O` and `nocopy` contradict each other"),
        ("db:/data:no-dereference", "`no-dereference` is for files of the host"),
        ("/srv:/data:nocopy", "`nocopy` is for volumes"),
        ("/srv:/data:ro,rw", "`ro` and `rw` contradict each other"),
        ("/srv:/data:rslave,rshared", "`rslave` and `rshared` contradict each other"),
        (
            "-rf:/data",
            "the source is not a volume name (must match [a-zA-Z0-9][a-zA-Z0-9_.-]*); a path is written `./-rf`",
        ),
    ] {
        assert_eq!(read(text), Err(reason.to_owned()), "{text}");
    }
    assert!(read(&format!("{}:/data", "x".repeat(300))).is_err());
}

#[test]
fn what_no_grammar_can_say_is_asked_for_as_data() {
    let of = |json: serde_json::Value| completed(&serde_json::from_value(json).unwrap());
    let json = serde_json::json!({ "kind": "bind", "source": "/a:b", "destination": "/data", "options": ["ro"] });
    assert_eq!(of(json), Ok("bind /a:b → /data ro".to_owned()));
    let json = serde_json::json!({ "kind": "bind", "source": "data", "destination": "/data" });
    assert_eq!(of(json), Ok("bind /srv/dir/data → /data rw".to_owned()));
    let json = serde_json::json!({ "kind": "volume", "destination": "/x", "options": ["ro"] });
    assert_eq!(of(json), Ok("anonymous → /x ro".to_owned()));
    for (json, reason) in [
        (serde_json::json!({ "kind": "bind", "destination": "/x" }), "the source is empty"),
        (serde_json::json!({ "kind": "tmpfs", "source": "x", "destination": "/x" }), "a tmpfs cannot have a source"),
        (
            serde_json::json!({ "kind": "bind", "source": "/a\u{0}b", "destination": "/x" }),
            "the source contains a NUL byte",
        ),
    ] {
        assert_eq!(of(json), Err(reason.to_owned()));
    }
    assert!(serde_json::from_value::<MountRequest>(serde_json::json!({ "kind": "bind", "to": "/x" })).is_err());
}

#[test]
fn a_mount_is_shown_as_it_was_typed() {
    for text in ["/data", "db:/data", "/srv:/data:ro,Z"] {
        assert_eq!(MountRequest::from_volume(text).unwrap().to_string(), text);
    }
    assert_eq!(MountRequest::from_tmpfs("/t:size=1m").to_string(), "/t:size=1m");
}

#[test]
fn tmpfs_options() {
    for (text, expected) in [
        ("/tmp", Some("tmpfs → /tmp rw noexec,nosuid,nodev")),
        ("/tmp:exec,size=64m,mode=1777", Some("tmpfs → /tmp rw exec,size=67108864,mode=1777,nosuid,nodev")),
        ("/tmp:ro,size=10%", Some("tmpfs → /tmp ro size=10%,noexec,nosuid,nodev")),
        ("/tmp:size=x", None),
        ("/tmp:mode=888", None),
        ("/tmp:exec,noexec", None),
        ("/tmp:tmpcopyup", Some("tmpfs → /tmp rw tmpcopyup,noexec,nosuid,nodev")),
        ("/tmp:bogus", None),
        ("tmp", None),
        ("/", None),
    ] {
        assert_eq!(completed(&MountRequest::from_tmpfs(text)).ok().as_deref(), expected, "{text}");
    }
}

#[test]
fn all_together_parents_first_and_the_asked_ones_win() {
    let mut asked = volumes(&["db:/data/deep", "/srv:/data", "x:/tmp"]);
    asked.push(MountRequest::from_tmpfs("/cache"));
    let request = Request { mounts: asked, read_only: true, ..Request::default() };
    let expected = [
        "bind /srv → /data rw",
        "volume x → /tmp rw",
        "tmpfs → /cache rw noexec,nosuid,nodev",
        "anonymous → /x rw",
        "tmpfs → /run rw nosuid,nodev,mode=755,tmpcopyup",
        "volume db → /data/deep rw",
        "tmpfs → /var/tmp rw nosuid,nodev,mode=1777,tmpcopyup",
    ];
    assert_eq!(resolve(&request, &["/data", "/../../x"]), Ok(expected.map(str::to_owned).to_vec()));
}

#[test]
fn a_destination_is_mounted_on_once() {
    let mounts = [volumes(&["a:/x"]), vec![MountRequest::from_tmpfs("/x/")]].concat();
    let request = Request { mounts, ..Request::default() };
    assert_eq!(resolve(&request, &[]), Err("`/x` is the destination of two mounts".to_owned()));
}

#[test]
fn an_image_cannot_put_a_volume_over_the_system() {
    for path in ["/", "/proc", "/proc/x", "/sys", "/sys/fs", "/dev", "/..", "relative", ""] {
        assert!(resolve(&Request::default(), &[path]).is_err(), "{path}");
    }
}

#[test]
fn descriptors_of_the_command_are_no_sources() {
    for (source, is_refused) in [
        ("/dev/fd/63", true),
        ("/proc/self/fd/5", true),
        ("/dev/stdin", true),
        ("/dev/fd/x", false),
        ("/dev/fds/5", false),
        ("/dev/null", false),
    ] {
        assert_eq!(is_descriptor(source), is_refused, "{source}");
    }
}
