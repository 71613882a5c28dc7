//! A web server on loopback, in the test's own process: pages, redirects, and repositories by git's own protocol.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// What is at a path.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    /// The status; 0 is 200.
    pub(crate) status: u16,
    /// Further lines of the answer, each `Name: value`.
    pub(crate) headers: Vec<String>,
    /// The content.
    pub(crate) body: Vec<u8>,
    /// Nothing is answered, and the connection stays.
    pub(crate) is_mute: bool,
}

/// A request as received.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The path with its query.
    pub(crate) path: String,
    /// The lines after the first.
    pub(crate) headers: Vec<String>,
    /// The status of the answer.
    pub(crate) status: u16,
}

impl Asked {
    /// The value of a header; empty if it was not sent.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = |line: &'_ str| line.split_once(": ").is_some_and(|(other, _)| other.eq_ignore_ascii_case(name));
        self.headers.iter().find(|line| value(line)).and_then(|line| line.split_once(": ")).map_or("", |(_, v)| v)
    }
}

#[derive(Default)]
struct Site {
    pages: Mutex<BTreeMap<String, Page>>,
    /// Repositories, by the path that they begin with.
    repositories: Mutex<BTreeMap<String, PathBuf>>,
    asked: Mutex<Vec<Asked>>,
    is_over: AtomicBool,
}

/// A server, until it is dropped.
pub(crate) struct Web {
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    site: Arc<Site>,
}

impl Web {
    /// A server without a page.
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let site = Arc::new(Site::default());
        let served = Arc::clone(&site);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if served.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let site = Arc::clone(&served);
                std::thread::spawn(move || stream.ok().and_then(|stream| answer(stream, &site)));
            }
        });
        Self { address, site }
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Puts a page at a path; one that ends with `*` is that of all paths that begin so and have no other.
    pub(crate) fn page(&self, path: &str, page: Page) {
        self.site.pages.lock().expect("pages").insert(path.to_owned(), page);
    }

    /// Puts a file at a path, with a word for its content.
    pub(crate) fn file(&self, path: &str, body: impl Into<Vec<u8>>, etag: &str) {
        let headers = vec![format!("ETag: \"{etag}\""), "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT".to_owned()];
        self.page(path, Page { body: body.into(), headers, ..Page::default() });
    }

    /// Serves the repository in a directory at a path, such as `/a.git`.
    pub(crate) fn repository(&self, path: &str, directory: impl Into<PathBuf>) {
        self.site.repositories.lock().expect("repositories").insert(path.to_owned(), directory.into());
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.site.asked.lock().expect("requests").clone()
    }

    /// The paths of the requests so far, each with its status.
    pub(crate) fn log(&self) -> Vec<(String, u16)> {
        self.asked().into_iter().map(|asked| (asked.path, asked.status)).collect()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.site.is_over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(&self.address));
    }
}

fn answer(stream: TcpStream, site: &Site) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let path = line.split_whitespace().nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        match line.trim_end() {
            "" => break,
            line => headers.push(line.to_owned()),
        }
    }
    let mut asked = Asked { path: path.clone(), headers, status: 200 };
    let length = asked.header("content-length").parse().unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let page = git(site, &asked, &body).unwrap_or_else(|| {
        let pages = site.pages.lock().expect("pages");
        let begins = |(at, _): &(&String, &Page)| at.strip_suffix('*').is_some_and(|begin| path.starts_with(begin));
        let page = pages.get(&path).or_else(|| pages.iter().rev().find(begins).map(|(_, page)| page));
        let page = page.cloned().unwrap_or(Page { status: 404, ..Page::default() });
        let known = asked.header("if-none-match");
        let is_known = !known.is_empty() && page.headers.iter().any(|line| line.as_str() == format!("ETag: {known}"));
        if is_known { Page { status: 304, body: Vec::new(), ..page } } else { page }
    });
    asked.status = if page.status == 0 { 200 } else { page.status };
    let head = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", asked.status);
    site.asked.lock().expect("requests").push(asked);
    let mut stream = reader.into_inner();
    if page.is_mute {
        return stream.read(&mut [0]).ok().map(drop);
    }
    let lines: String = page.headers.iter().map(|line| format!("{line}\r\n")).collect();
    let head = format!("{head}{lines}Content-Length: {}\r\n\r\n", page.body.len());
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&page.body)).ok()
}

/// What git's own server says. Source: gitprotocol-http(5).
fn git(site: &Site, asked: &Asked, body: &[u8]) -> Option<Page> {
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let repositories = site.repositories.lock().expect("repositories").clone();
    let (inner, directory) =
        repositories.iter().find_map(|(begin, directory)| Some((path.strip_prefix(begin.as_str())?, directory)))?;
    let is_advertisement = inner == "/info/refs" && query == "service=git-upload-pack";
    if !is_advertisement && inner != "/git-upload-pack" {
        return Some(Page { status: 404, ..Page::default() });
    }
    let mut command = std::process::Command::new("git");
    command.args(["-c", "safe.directory=*", "upload-pack", "--stateless-rpc"]);
    command.args(is_advertisement.then_some("--advertise-refs")).arg(directory);
    command.env("GIT_PROTOCOL", asked.header("git-protocol")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("git is installed");
    child.stdin.take().expect("a pipe").write_all(body).ok();
    let said = child.wait_with_output().expect("git ends").stdout;
    let (kind, before): (_, &[u8]) =
        if is_advertisement { ("advertisement", b"001e# service=git-upload-pack\n0000") } else { ("result", b"") };
    let headers = vec![format!("Content-Type: application/x-git-upload-pack-{kind}")];
    Some(Page { headers, body: [before, &said].concat(), ..Page::default() })
}
