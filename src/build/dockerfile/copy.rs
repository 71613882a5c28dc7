//! `COPY` and `ADD`.

use super::heredoc;
use super::instruction::{Add, Copy};
use super::read::Read;
use super::source::Problem;
use crate::build::chmod;
use crate::types::Digest;

/// Reads sources and destination, and the flags.
pub(super) fn read(read: &mut Read<'_, '_>) -> Option<Copy> {
    let mut words = match read.rest.json() {
        Some(Ok(words)) => words,
        Some(Err(())) => return read.wrong(read.rest.span(), "an array has only strings, in double quotes"),
        None => read.rest.plain_words(),
    };
    let destination = match words.pop() {
        Some(destination) if !words.is_empty() => destination,
        _ => return read.needs("a source and a destination"),
    };
    if heredoc::of_word(&destination.text).is_some() {
        return read.wrong(destination.span, "a here-document cannot be the destination");
    }
    let mut documents = std::mem::take(&mut read.documents);
    let mut contents = Vec::new();
    let mut sources = Vec::new();
    for word in words {
        let place = heredoc::of_word(&word.text).and_then(|named| documents.iter().position(|d| d.name == named.name));
        match place {
            Some(place) => contents.push(documents.remove(place)),
            None => sources.push(word),
        }
    }
    let chmod = read.flags.value("chmod");
    if let Some(mode) = chmod.as_ref().filter(|mode| !mode.text.contains('$')) {
        read.problems
            .extend(mode.text.parse::<chmod::Mode>().err().map(|error| Problem::new(mode.span, error.to_string())));
    }
    let flags = &read.flags;
    let add = (read.name == "ADD").then(|| Add {
        keep_git_dir: flags.switch("keep-git-dir"),
        checksum: flags.value("checksum"),
        unpack: flags.switch("unpack"),
    });
    if let Some(checksum) = add.as_ref().and_then(|add| add.checksum.as_ref()).filter(|sum| !sum.text.contains('$')) {
        let is_digest = checksum.text.parse::<Digest>().is_ok();
        // A git source is checked against its commit.
        let is_commit = checksum.text.len() >= 7 && checksum.text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_digest && !is_commit {
            let message = format!("checksum `{}` must be `sha256:…`, or a git commit", checksum.text.escape_debug());
            read.problems.push(Problem::new(checksum.span, message));
        }
    }
    Some(Copy {
        sources,
        documents: contents,
        destination,
        from: flags.value("from"),
        chown: flags.value("chown"),
        chmod,
        link: flags.switch("link").unwrap_or_default(),
        parents: flags.switch("parents").unwrap_or_default(),
        exclude: flags.values("exclude"),
        add,
    })
}
