//! Keyrings in files and in policy.json: binary, or armored, which gpgv does not read. Source: RFC 9580, 4.2 and 6.2.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::sys::fs::{self, PathError};

/// The maximum size of a keyring, in bytes: a distribution's has a few hundred kilobytes.
const LIMIT: u64 = 8 << 20;
/// The packet that has a name of the key's owner.
const USER_ID: u8 = 13;

/// The keyring of a file, binary.
pub(super) fn read(path: &Path) -> Result<Result<Vec<u8>, String>, PathError> {
    Ok(binary(fs::read_regular(path, LIMIT)?))
}

/// The keyring in base64 of `keyData`, binary.
pub(super) fn decode(data: &str) -> Result<Vec<u8>, String> {
    let compact: String = data.split_ascii_whitespace().collect();
    binary(STANDARD.decode(compact).map_err(|_| "it is no base64".to_owned())?)
}

/// Takes the armor off, if there is any. A file may have several armored blocks, one after the other.
fn binary(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
    if bytes.first().is_some_and(|byte| byte & 0x80 != 0) {
        return Ok(bytes);
    }
    let no_key = || "it has no OpenPGP keys".to_owned();
    let text = String::from_utf8(bytes).map_err(|_| no_key())?;
    let mut keys = Vec::new();
    for block in text.split(BEGIN).skip(1) {
        // Headers, an empty line, base64, a checksum that begins with `=`.
        let mut lines = block.lines().skip(1).map(str::trim_end).skip_while(|line| !line.is_empty());
        let lines = lines.by_ref().skip(1).take_while(|line| !line.starts_with(['=', '-']));
        let key = STANDARD.decode(lines.collect::<String>()).map_err(|_| "its armor is damaged".to_owned())?;
        keys.extend(key);
    }
    if keys.is_empty() { Err(no_key()) } else { Ok(keys) }
}

/// The addresses in the names of the owners; the whole name if it has none.
pub(super) fn owners(mut keyring: &[u8]) -> Vec<String> {
    let mut owners = Vec::new();
    while let Some((tag, body, rest)) = packet(keyring) {
        if tag == USER_ID {
            let name = String::from_utf8_lossy(body);
            let address = name.split_once('<').and_then(|(_, rest)| Some(rest.split_once('>')?.0));
            owners.push(address.unwrap_or(&name).to_owned());
        }
        keyring = rest;
    }
    owners
}

/// The first packet: its tag and its body, and what is after it. `None` at the end, and for lengths that keys do not
/// have.
fn packet(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let number = |bytes: &[u8]| bytes.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    let (tag, header, length) = if first & 0x40 != 0 {
        let &second = rest.first()?;
        let (header, length) = match second {
            0..192 => (1, usize::from(second)),
            192..224 => (2, (usize::from(second) - 192) * 256 + usize::from(*rest.get(1)?) + 192),
            255 => (5, number(rest.get(1..5)?)),
            _ => return None,
        };
        (first & 0x3f, header, length)
    } else {
        let header = match first & 3 {
            3 => return None,
            kind => 1_usize << kind,
        };
        (first >> 2 & 0xf, header, number(rest.get(..header)?))
    };
    let body = rest.get(header..)?;
    Some((tag, body.get(..length)?, body.get(length..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARMORED: &str = "\n-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: x\n\nzQ1KIDxqQGsu\nbD7NAUs=\n=aaaa\n\
                           -----END PGP PUBLIC KEY BLOCK-----\n";

    #[test]
    fn armor_is_taken_off() {
        let key = b"\xcd\x0dJ <j@k.l>\xcd\x01K";
        assert_eq!(binary(key.to_vec()).as_deref(), Ok(&key[..]));
        // `zQ1KIDxqQGsubD7NAUs=` has a length of 13, but 9 bytes follow.
        let whole = STANDARD.encode(b"\xcd\x09J <j@k.l>\xcd\x01K");
        let text =
            format!("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{whole}\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n");
        let twice = format!("{text}{text}");
        assert_eq!(binary(text.into_bytes()).as_deref(), Ok(&b"\xcd\x09J <j@k.l>\xcd\x01K"[..]));
        assert_eq!(owners(&binary(twice.into_bytes()).expect("two blocks")), ["j@k.l", "K", "j@k.l", "K"]);
        assert!(binary(ARMORED.into()).is_ok());
        assert_eq!(decode(&STANDARD.encode(b"\xcd\x01K")).as_deref(), Ok(&b"\xcd\x01K"[..]));
        for (bad, reason) in [
            ("hello", "it has no OpenPGP keys"),
            ("", "it has no OpenPGP keys"),
            ("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!\n", "its armor is damaged"),
        ] {
            assert_eq!(binary(bad.into()), Err(reason.to_owned()), "{bad}");
        }
        assert_eq!(decode("!"), Err("it is no base64".to_owned()));
    }

    #[test]
    fn damaged_packets_end_the_list() {
        for (bytes, expected) in [
            (&b"\xb4\x01A"[..], &["A"][..]),
            (b"\xb5\x00\x01A\xb6\x00\x00\x00\x01B", &["A", "B"]),
            (b"\xcd\xff\x00\x00\x00\x01A", &["A"]),
            (b"\xcd\x01A\xcd\xff\xff\xff\xff\xff", &["A"]),
            (b"\xcd\x01A\xcd\xe0", &["A"]),
            (b"\xcd\x05A", &[]),
            (b"\xb7A", &[]),
            (b"", &[]),
        ] {
            assert_eq!(owners(bytes), expected, "{bytes:?}");
        }
    }
}
