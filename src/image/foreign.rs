//! What a file is that is not the archive that rc was given it for.

use std::io::{Cursor, Read};

use super::Error;
use crate::storage::{Compression, tar};

/// So many bytes show what a file is: a block of a tar archive.
const HEAD: u64 = 512;

/// What an archive is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// It has images; it is not compressed any more.
    Images,
    /// It has the files of an image and may be compressed, or empty: `import /dev/null` makes an image without files.
    Files,
}

/// Checks that a stream begins as a tar archive does, and returns all of it.
pub(super) fn expect_archive<R: Read>(mut input: R, purpose: Use) -> Result<impl Read + use<R>, Error> {
    let mut head = Vec::new();
    input.by_ref().take(HEAD).read_to_end(&mut head).map_err(|source| Error::Read { source })?;
    let is_layer = || head.is_empty() || Compression::of(&head) != Compression::None;
    let passes = tar::is_archive(&head) || (purpose == Use::Files && is_layer());
    match foreign(&head).filter(|_| !passes) {
        Some(what) => Err(Error::NotArchive { what }),
        None => Ok(Read::chain(Cursor::new(head), input)),
    }
}

/// What begins like this; `None` if it is unknown.
fn foreign(head: &[u8]) -> Option<&'static str> {
    let starts = [
        (&b"\x7fELF"[..], "a program (ELF)"),
        (b"PK\x03\x04", "a zip archive"),
        (b"7z\xbc\xaf", "a 7-Zip archive"),
        (b"!<arch>\n", "an ar archive, as Debian's packages are"),
        (b"\xed\xab\xee\xdb", "an RPM package"),
        (b"hsqs", "a squashfs file system"),
        (b"QFI\xfb", "a disk image (qcow2)"),
        (b"%PDF", "a PDF document"),
    ];
    if head.is_empty() {
        return Some("an empty file");
    }
    if let Some((_, what)) = starts.iter().find(|(start, _)| head.starts_with(start)) {
        return Some(what);
    }
    let is_text = !head.iter().any(|byte| *byte < b' ' && !b"\t\r\n\x0c\x1b".contains(byte));
    // The cut may be in the middle of a character.
    let is_utf8 = std::str::from_utf8(head).map_or_else(|error| error.error_len().is_none(), |_| true);
    match head.trim_ascii_start().first() {
        _ if !(is_text && is_utf8) => None,
        Some(b'{' | b'[') => Some("a JSON document"),
        Some(b'<') => Some("an HTML or XML document"),
        _ => Some("a text file"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_an_archive_is_named() {
        for (head, expected) in [
            (&b""[..], "not an archive: an empty file"),
            (b"hello\n", "not an archive: a text file"),
            (b"#!/bin/sh\n", "not an archive: a text file"),
            (b" {\"a\": 1}", "not an archive: a JSON document"),
            (b"<html>", "not an archive: an HTML or XML document"),
            (b"PK\x03\x04\x14\0", "not an archive: a zip archive"),
            (b"\x7fELF\x02\x01", "not an archive: a program (ELF)"),
            ("\u{e4}".repeat(300).as_bytes(), "not an archive: a text file"),
        ] {
            let error = expect_archive(head, Use::Images).map(drop).expect_err("refused").to_string();
            assert_eq!(error, expected, "{head:?}");
        }
        // The reader of the archive says what is wrong with these.
        for passed in [&b""[..], b"\0\0\0\0", b"\x01\x02\x03", b"\x1f\x8b\x08\0"] {
            let mut all = Vec::new();
            expect_archive(passed, Use::Files).expect("passes").read_to_end(&mut all).expect("reads");
            assert_eq!(all, passed);
        }
    }
}
