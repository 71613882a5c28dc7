//! The bytes of an archive: ustar, with PAX records for what it has no room for. Source: POSIX pax, "ustar Interchange
//! Format" and "pax Extended Header".

use std::io::{self, Write};

use tar::EntryType;

use crate::storage::tar::Kind;

/// Size of a block in bytes.
const BLOCK: usize = 512;

/// An entry without its data.
pub(super) struct Header<'a> {
    pub(super) kind: Kind,
    pub(super) path: &'a [u8],
    pub(super) link: &'a [u8],
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// When it was modified, in seconds since 1970.
    pub(super) seconds: i64,
    pub(super) size: u64,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The largest number of seven octal digits, and of eleven.
const SEVEN: u64 = 0o7_777_777;
const ELEVEN: u64 = 0o77_777_777_777;

/// Writes the header of an entry; its data follow.
pub(super) fn write_entry(out: &mut impl Write, entry: &Header<'_>) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    let mut records = Vec::new();
    let field = |name: &str, value: &[u8], room: &mut [u8], records: &mut Vec<u8>| {
        let count = value.len().min(room.len());
        room[..count].copy_from_slice(&value[..count]);
        if value.len() > room.len() {
            record(records, name.as_bytes(), value);
        }
    };
    let old = header.as_old_mut();
    field("path", entry.path, &mut old.name, &mut records);
    field("linkpath", entry.link, &mut old.linkname, &mut records);
    let mut number = |name: &str, value: u64, most: u64| {
        if value > most {
            record(&mut records, name.as_bytes(), value.to_string().as_bytes());
        }
        if value > most { 0 } else { value }
    };
    header.set_uid(number("uid", entry.uid.into(), SEVEN));
    header.set_gid(number("gid", entry.gid.into(), SEVEN));
    header.set_size(number("size", entry.size, ELEVEN));
    match u64::try_from(entry.seconds) {
        Ok(seconds) => header.set_mtime(number("mtime", seconds, ELEVEN)),
        Err(_) => {
            record(&mut records, b"mtime", entry.seconds.to_string().as_bytes());
            header.set_mtime(0);
        }
    }
    for (name, value) in &entry.xattrs {
        record(&mut records, &[b"SCHILY.xattr.", &name[..]].concat(), value);
    }
    header.set_mode(entry.mode);
    header.set_entry_type(match entry.kind {
        Kind::File => EntryType::Regular,
        Kind::HardLink => EntryType::Link,
        Kind::Symlink => EntryType::Symlink,
        Kind::CharDevice => EntryType::Char,
        Kind::BlockDevice => EntryType::Block,
        Kind::Directory => EntryType::Directory,
        Kind::Fifo => EntryType::Fifo,
    });
    header.set_cksum();
    if !records.is_empty() {
        let mut extended = tar::Header::new_ustar();
        extended.set_path("PaxHeaders/rc")?;
        extended.set_mode(0o644);
        extended.set_uid(0);
        extended.set_gid(0);
        extended.set_mtime(0);
        extended.set_entry_type(EntryType::XHeader);
        extended.set_size(records.len() as u64);
        extended.set_cksum();
        out.write_all(extended.as_bytes())?;
        out.write_all(&records)?;
        write_padding(out, records.len() as u64)?;
    }
    out.write_all(header.as_bytes())
}

/// Fills the last block of data.
pub(super) fn write_padding(out: &mut impl Write, size: u64) -> io::Result<()> {
    let rest = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    out.write_all(&[0; BLOCK][..(BLOCK - rest) % BLOCK])
}

/// Writes the two blocks at the end of an archive.
pub(super) fn write_end(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK])
}

/// `LENGTH NAME=VALUE` and a newline; the length counts its own digits.
fn record(records: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    let rest = name.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} ").as_bytes());
    records.extend_from_slice(name);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}
