//! ADD of what is fetched: files by URL, and repositories.

use crate::build::{build, lab, play, write};
use crate::support::image::{digest, gzip};
use crate::support::{Lab, Layer, Page, Repository, Web};

/// A loopback server is allowed, since this test is that host.
const ALLOW: [&str; 2] = ["--allow", "network.host"];

#[track_caller]
fn built(lab: &Lab, words: &[&str]) {
    hits(lab, words);
}

/// Builds, and says how many steps were in the cache.
#[track_caller]
fn hits(lab: &Lab, words: &[&str]) -> usize {
    let words = [&ALLOW[..], &["--progress", "plain"], words].concat();
    build(lab, &words).exits(0).stderr().matches(" CACHED").count()
}

fn refused(lab: &Lab, dockerfile: &str, words: &[&str]) -> String {
    write(lab, "Dockerfile", dockerfile);
    build(lab, words).exits(125).stderr()
}

#[test]
fn a_file_by_url_is_private_and_has_the_time_of_its_server() {
    let web = Web::new();
    web.file("/a/file.txt?query=../x", "content", "1");
    web.page("/untimed", Page { body: b"x".to_vec(), ..Page::default() });
    let url = web.url("/a/file.txt?query=../x#part");
    let untimed = web.url("/untimed");
    let dockerfile = format!(
        "FROM localhost/base\nADD {url} /one/\nADD {url} {untimed} /two/\nADD --chmod=0644 --chown=web {url} /three\n\
        ADD local {url} /four/\n"
    );
    let lab = lab(&[("Dockerfile", &dockerfile.replace("--chown=web ", "")), ("local", "of the context")]);
    built(&lab, &[]);
    play(&lab, &["stat", "-c", "%n %a %u %g %s %Y", "/one/file.txt", "/two/file.txt", "/two/untimed", "/three"])
        .prints(
            "/one/file.txt 600 0 0 7 1704067200\n/two/file.txt 600 0 0 7 1704067200\n/two/untimed 600 0 0 1 0\n\
        /three 644 0 0 7 1704067200\n",
        );
    play(&lab, &["cat", "/four/local", "/four/file.txt"]).prints("of the contextcontent");
    // Nothing has changed, says the server.
    assert_eq!(hits(&lab, &[]), 4);
    let before = web.log().len();
    assert_eq!(hits(&lab, &[]), 4);
    let asked = web.log()[before..].to_vec();
    assert_eq!(asked.iter().filter(|(path, _)| path == "/a/file.txt?query=../x").count(), 4);
    assert!(asked.iter().all(|(path, status)| (path == "/untimed") != (*status == 304)), "{asked:?}");
    // It has changed.
    web.file("/a/file.txt?query=../x", "other", "2");
    assert_eq!(hits(&lab, &[]), 0);
    play(&lab, &["cat", "/three"]).prints("other");
    // The content counts, not what the server says of it.
    web.file("/a/file.txt?query=../x", "other", "3");
    assert_eq!(hits(&lab, &[]), 4);
}

#[test]
fn a_checksum_decides_and_an_archive_stays_one_unless_it_is_to_be_unpacked() {
    let web = Web::new();
    let archive = gzip(&Layer::new().file("inner", 0o644, b"of the archive").bytes());
    let sum = digest(&archive);
    web.file("/a.tgz", archive.clone(), "1");
    let url = web.url("/a.tgz");
    let add = |flags: &str| format!("FROM localhost/base\nADD {flags} {url} /d/\n");
    let lab = lab(&[("Dockerfile", &add(&format!("--checksum={sum}"))), ("local.tgz", "")]);
    std::fs::write(lab.work("context/local.tgz"), &archive).expect("written");
    built(&lab, &[]);
    play(&lab, &["sh", "-c", "echo /d/*"]).prints("/d/a.tgz\n");
    // What has the digest is not asked for again.
    let asked = web.log().len();
    built(&lab, &["--no-cache"]);
    assert_eq!(web.log().len(), asked);
    write(&lab, "Dockerfile", &add("--unpack"));
    built(&lab, &[]);
    play(&lab, &["cat", "/d/inner"]).prints("of the archive");
    write(&lab, "Dockerfile", "FROM localhost/base\nADD local.tgz /u/\nADD --unpack=false local.tgz /p/\n");
    built(&lab, &[]);
    play(&lab, &["sh", "-c", "echo /u/* /p/*"]).prints("/u/inner /p/local.tgz\n");
    let wrong = format!("sha256:{}", "0".repeat(64));
    let said = refused(&lab, &add(&format!("--checksum={wrong}")), &ALLOW);
    assert!(said.contains(&format!("has the digest `{sum}`, not `{wrong}`")), "{said}");
    assert!(said.contains("Dockerfile:2"), "{said}");
    let other = web.url("/none.tgz");
    let said = refused(&lab, &format!("FROM localhost/base\nADD {other} /\n"), &ALLOW);
    assert!(said.contains("answered 404 for `http://"), "{said}");
    for (dockerfile, message) in [
        (format!("FROM localhost/base\nADD {}/ /d/\n", web.url("/x")), "does not say what the file is called"),
        (format!("FROM localhost/base\nADD {} /d/\n", web.url("/x/..")), "does not say what the file is called"),
        (add("--keep-git-dir"), "is no repository"),
        (format!("FROM localhost/base\nCOPY {url} /d/\n"), "is not there"),
    ] {
        let said = refused(&lab, &dockerfile, &ALLOW);
        assert!(said.contains(message), "{dockerfile}: {said}");
    }
}

#[test]
fn r1_a_secret_goes_to_its_server_and_no_other() {
    let (web, other) = (Web::new(), Web::new());
    let away = |to: String| Page { status: 302, headers: vec![format!("Location: {to}")], ..Page::default() };
    web.page("/moved", away(other.url("/file")));
    web.page("/near", away("/file".to_owned()));
    web.page("/odd", away("ftp://127.0.0.1/file".to_owned()));
    other.file("/file", "x", "1");
    web.file("/file", "y", "1");
    let add = |path: &str| format!("FROM localhost/base\nADD {} /f\n", web.url(path));
    let lab = lab(&[("Dockerfile", &add("/moved"))]);
    write(&lab, "../token", "k7Xq9w\n");
    let token = format!("id=HTTP_AUTH_TOKEN_{},src=token", web.address);
    let words = ["--secret", &token];
    built(&lab, &words);
    write(&lab, "Dockerfile", &add("/near"));
    built(&lab, &words);
    play(&lab, &["cat", "/f"]).prints("y");
    assert!(web.asked().iter().all(|asked| asked.header("authorization") == "Bearer k7Xq9w"));
    assert!(other.asked().iter().all(|asked| asked.header("authorization").is_empty()));
    assert_eq!((web.asked().len(), other.asked().len()), (3, 1));
    web.file("/other", "z", "1");
    write(&lab, "Dockerfile", &add("/other"));
    built(&lab, &["--secret", "id=HTTP_AUTH_HEADER_127.0.0.1,src=token"]);
    assert_eq!(web.asked().last().expect("asked").header("authorization"), "k7Xq9w");
    let said = refused(&lab, &add("/odd"), &ALLOW);
    assert!(said.contains("it leads to another protocol"), "{said}");
    let open = "FROM localhost/base\nADD http://h.example/f /f\n";
    let said = refused(&lab, open, &["--secret", "id=HTTP_AUTH_TOKEN_h.example,src=token"]);
    assert!(said.contains("cannot be sent in the open"), "{said}");
    // Two hosts in one URL: the server that is asked is not the one whose secret this is.
    let two = format!("FROM localhost/base\nADD http://{}\\\\@{}/file /f\n", other.address, web.address);
    refused(&lab, &two, &[&ALLOW[..], &words].concat());
    let asked = other.asked().pop().expect("asked");
    let path = format!("/@{}/file", web.address);
    assert_eq!((asked.path.as_str(), asked.header("authorization")), (path.as_str(), ""));
    let found = lab.program("grep", ["-rl", "k7Xq9w"]).arg(lab.store()).run();
    assert_eq!(found.stdout(), "");
}

#[test]
fn a_dockerfile_does_not_reach_the_host_of_the_build() {
    let web = Web::new();
    web.file("/file", "x", "1");
    let repository = "/a.git/info/refs?service=git-upload-pack";
    web.file(repository, "x", "1");
    let port = web.address.split(':').nth(1).expect("a port").to_owned();
    let lab = lab(&[("Dockerfile", "FROM scratch\n")]);
    for host in ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "a.localhost", "169.254.169.254"] {
        for path in ["file", "a.git"] {
            let said = refused(&lab, &format!("FROM localhost/base\nADD http://{host}:{port}/{path} /f\n"), &[]);
            assert!(said.contains("a Dockerfile cannot fetch from"), "{host} {path}: {said}");
            assert!(said.contains("--allow network.host"), "{said}");
        }
    }
    let said = refused(&lab, "FROM localhost/base\nADD git@127.0.0.1:a/b /f\n", &[]);
    assert!(said.contains("a Dockerfile cannot fetch from"), "{said}");
    let said = refused(&lab, &format!("FROM localhost/base\nADD http:///127.0.0.1:{port}/a.git /f\n"), &[]);
    assert!(said.contains("does not say clearly which host it is on"), "{said}");
    let said = refused(&lab, "FROM localhost/base\nADD https://192.0.2.1/a.git?submodules=true /f\n", &[]);
    assert!(said.contains("submodules may be anywhere"), "{said}");
    assert_eq!(web.asked().len(), 0);
}

#[test]
fn a_repository_is_added_by_its_commit() {
    let web = Web::new();
    let lab = lab(&[("Dockerfile", "FROM scratch\n")]);
    let repository = Repository::new(&lab, "repository");
    let first = repository.write("f", "first").write("sub/g", "of sub").commit();
    web.repository("/a.git", &repository.directory);
    let url = web.url("/a.git");
    let dockerfile = format!(
        "FROM localhost/base\nADD {url} /all/\nADD --chmod=0600 {url}#main:sub /sub\n\
        ADD --keep-git-dir {url}#main /kept/\n"
    );
    write(&lab, "Dockerfile", &dockerfile);
    built(&lab, &[]);
    play(&lab, &["ls", "/all/.git"]).fails(1, "ls: /all/.git: No such file or directory\n");
    let seen = play(&lab, &["sh", "-c", "cd / && echo all/* sub/*; cat kept/.git/HEAD; stat -c %a-%u all/f sub/g"]);
    seen.prints("all/f all/sub sub/g\nref: refs/heads/main\n644-0\n600-0\n");
    // The same commit again: the server is asked for its name alone.
    let before = web.asked().len();
    assert_eq!(hits(&lab, &[]), 3);
    let fetched = web.asked()[before..].iter().filter(|asked| asked.path.ends_with("/git-upload-pack")).count();
    // Each of the three says what its branch is; protocol 2 asks for that by one request.
    assert_eq!(fetched, 3);
    repository.write("f", "second").commit();
    assert_eq!(hits(&lab, &[]), 0);
    play(&lab, &["cat", "/all/f"]).prints("second");
    // A commit is what it is, whatever its branch is by now.
    let fixed = |checksum: &str| format!("FROM localhost/base\nADD --checksum={checksum} {url}#{first} /all/\n");
    write(&lab, "Dockerfile", &fixed(&first));
    built(&lab, &[]);
    play(&lab, &["cat", "/all/f"]).prints("first");
    let asked = web.asked().len();
    built(&lab, &["--no-cache"]);
    assert_eq!(web.asked().len(), asked, "a commit that is here is not asked for");
    let said = refused(&lab, &fixed(&"0".repeat(40)), &ALLOW);
    assert!(said.contains("is at the commit"), "{said}");
    let said = refused(&lab, &format!("FROM localhost/base\nADD --unpack {url} /all/\n"), &ALLOW);
    assert!(said.contains("no archive to unpack"), "{said}");
    let said = refused(&lab, &format!("FROM localhost/base\nADD {url}#main:../x /all/\n"), &ALLOW);
    assert!(said.contains("must be in the repository"), "{said}");
}

#[test]
fn a_token_for_a_repository_is_in_no_argument_and_no_layer() {
    let web = Web::new();
    let lab = lab(&[("Dockerfile", "FROM scratch\n")]);
    let repository = Repository::new(&lab, "repository");
    repository.write("f", "x").commit();
    web.repository("/a.git", &repository.directory);
    let url = web.url("/a.git").replace("http://", "http://user:pw5Zk3@");
    write(&lab, "Dockerfile", &format!("FROM localhost/base\nADD --keep-git-dir {} /kept/\n", web.url("/a.git")));
    write(&lab, "../token", "k7Xq9w\n");
    // Without a host it is for what the user names.
    built(&lab, &["--secret", "id=GIT_AUTH_TOKEN,src=token"]);
    assert!(web.asked().iter().all(|asked| asked.header("authorization").is_empty()));
    let before = web.asked().len();
    built(&lab, &["--no-cache", "--secret", "id=GIT_AUTH_TOKEN.127.0.0.1,src=token"]);
    let asked = web.asked()[before..].to_vec();
    assert!(!asked.is_empty() && asked.iter().all(|asked| asked.header("authorization").starts_with("basic eC1")));
    write(&lab, "Dockerfile", &format!("FROM localhost/base\nADD --keep-git-dir {url} /kept/\n"));
    built(&lab, &[]);
    assert!(play(&lab, &["cat", "/kept/.git/config"]).exits(0).stdout().contains(&web.url("/a.git")));
    let layers = lab.program("grep", ["-rlE", "k7Xq9w|pw5Zk3"]).arg(lab.store().join("layers")).run();
    assert_eq!(layers.stdout(), "");
}
