//! Sources of ADD that are fetched: files by URL, and repositories.

use std::path::PathBuf;

use super::Scene;
use super::files::{Later, Part, Side};
use crate::build::dockerfile::steps::AddStep;
use crate::build::git::{GitUrl, is_git};
use crate::engine::fetch::Fetcher;
use crate::sys::fs;
use crate::types::{Digest, Report, ReportKind};

/// The name of a file whose URL says none; it matters only where the destination is a directory.
const NAMELESS: &str = "download";

/// Whether a source of ADD is fetched.
pub(super) fn is_remote(source: &str) -> bool {
    source.starts_with("http://") || source.starts_with("https://") || is_git(source)
}

/// A file by URL: 0600, with the time that its server says. It is not unpacked unless that is asked for.
pub(super) fn file<'a>(
    scene: &Scene<'_>,
    fetcher: &Fetcher<'_>,
    add: &AddStep,
    url: &str,
    is_into_directory: bool,
) -> Result<Part<'a>, Report> {
    let invalid = |message: String| Report::new(ReportKind::Invalid, message);
    if add.keep_git_dir == Some(true) {
        return Err(invalid(format!("`{url}` is no repository, so it has no `.git` to keep")));
    }
    let checksum = add.checksum.as_deref().map(str::parse::<Digest>).transpose()?;
    let name = match file_name(url) {
        Some(name) => name,
        None if is_into_directory => {
            let report = invalid(format!("`{url}` does not say what the file is called"));
            return Err(report.with_hint("give the destination a name"));
        }
        None => NAMELESS,
    };
    let directory = scene.new_directory("http")?;
    fs::create_dir(&directory)?;
    fetcher.download(url, checksum.as_ref(), &directory, name)?;
    let sources = vec![name.as_bytes().to_vec()];
    Ok(Part { sources, unpack: add.unpack == Some(true), ..Part::of(Side::Directory(directory)) })
}

/// The name in a URL: the last component of its path, and never more than that (safety.md, B13).
fn file_name(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let (_, path) = rest.split(['?', '#']).next()?.split_once('/')?;
    let name = path.rsplit('/').next()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+~=,@".contains(&byte);
    let is_name = !name.is_empty() && name.len() <= 255 && name.bytes().all(is_plain) && !matches!(name, "." | "..");
    is_name.then_some(name)
}

/// The files of a repository. Its commit is looked for now, and fetched when nothing in the cache is made of it.
pub(super) fn repository<'a>(
    scene: &Scene<'_>,
    fetcher: &Fetcher<'a>,
    add: &AddStep,
    source: &str,
) -> Result<Part<'a>, Report> {
    if add.unpack == Some(true) {
        return Err(Report::new(ReportKind::Invalid, format!("`{source}` is a repository, and no archive to unpack")));
    }
    let mut url = GitUrl::new(source)?;
    if let Some(checksum) = &add.checksum {
        url.checksum = Some(checksum.to_ascii_lowercase());
    }
    let keep = add.keep_git_dir.or(url.keep_git_dir).unwrap_or_default();
    let commit = fetcher.repository(&url)?.commit()?;
    let inner = url.subdir.clone().unwrap_or_default();
    let submodules = url.submodules == Some(true);
    let identity = format!("git {} {} {inner} {keep} {submodules}", url.remote, commit.id());
    let directory = scene.new_directory("git")?;
    let side = Side::Directory(if inner.is_empty() { directory.clone() } else { directory.join(inner) });
    let fetcher = fetcher.clone();
    let make = move || fetcher.repository(&url)?.check_out(&commit, keep, &directory).map(|_: PathBuf| ());
    let later = Some(Later { identity, make: Box::new(make) });
    Ok(Part { sources: vec![b".".to_vec()], later, ..Part::of(side) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b13_the_name_of_a_file_is_one_plain_component_of_its_url() {
        for (url, expected) in [
            ("https://h/a/b.tar.gz", Some("b.tar.gz")),
            ("https://h/b?x=/../c#/d", Some("b")),
            ("https://h/libstdc++-1.0~rc1.deb", Some("libstdc++-1.0~rc1.deb")),
            ("https://h/", None),
            ("https://h", None),
            ("https://h?a/b", None),
            ("https://h/a/..", None),
            ("https://h/.", None),
            ("https://h/a%2Fb", None),
            ("https://h/a\\b", None),
            ("https://h/a b", None),
        ] {
            assert_eq!(file_name(url), expected, "{url}");
        }
    }
}
