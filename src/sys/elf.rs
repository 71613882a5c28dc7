//! What an ELF file needs: its machine, its loader, its libraries. Pure, and for any bytes. Source: elf(5).

use std::os::fd::AsFd;

/// What is read of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Elf {
    machine: u16,
    /// The loader; `None` for a static program.
    pub(crate) interpreter: Option<String>,
    /// The libraries by name.
    pub(crate) needed: Vec<String>,
    /// The name by which programs find it, if it is a library.
    pub(crate) soname: Option<String>,
    /// DT_RUNPATH, or DT_RPATH.
    pub(crate) search_path: String,
}

/// Machines: the number, and the name that people use.
const MACHINES: [(u16, &str); 9] = [
    (3, "i386"),
    (8, "MIPS"),
    (21, "ppc64"),
    (22, "s390x"),
    (40, "ARM (32 bits)"),
    (62, "x86-64"),
    (183, "ARM64"),
    (243, "RISC-V"),
    (258, "LoongArch"),
];

/// The most program headers, entries of the dynamic section, and bytes of a string.
const HEADERS: usize = 128;
const ENTRIES: usize = 1024;
const STRING: usize = 4096;

const LOAD: u64 = 1;
const DYNAMIC: u64 = 2;
const INTERP: u64 = 3;
const NEEDED: u64 = 1;
const STRTAB: u64 = 5;
const SONAME: u64 = 14;
const RPATH: u64 = 15;
const RUNPATH: u64 = 29;

/// The number of this host's machine.
fn host() -> u16 {
    match std::env::consts::ARCH {
        "x86_64" => 62,
        "aarch64" => 183,
        "riscv64" => 243,
        "s390x" => 22,
        "powerpc64" => 21,
        "arm" => 40,
        _ => 3,
    }
}

/// The name of this host's machine.
pub(crate) fn host_name() -> String {
    name(host())
}

fn name(machine: u16) -> String {
    let known = MACHINES.iter().find(|(number, _)| *number == machine);
    known.map_or_else(|| format!("machine {machine}"), |(_, name)| (*name).to_owned())
}

/// A segment of the file.
struct Segment {
    kind: u64,
    offset: u64,
    address: u64,
    size: u64,
}

impl Elf {
    /// Reads the file through `read`, which returns the bytes at an offset, fewer at the end. `None` if it is no ELF
    /// file, or is cut short.
    fn read(read: impl Fn(u64, usize) -> Option<Vec<u8>>) -> Option<Self> {
        let header = read(0, 64)?;
        if header.get(..4)? != b"\x7fELF" {
            return None;
        }
        let (is_64, is_little) = (*header.get(4)? == 2, *header.get(5)? == 1);
        let number = |bytes: &[u8], at: usize, length: usize| number(bytes, at, length, is_little);
        let machine = u16::try_from(number(&header, 18, 2)?).ok()?;
        let mut elf = Self { machine, ..Self::default() };
        let word = if is_64 { 8 } else { 4 };
        let (table, size, count) = if is_64 {
            (number(&header, 32, 8)?, number(&header, 54, 2)?, number(&header, 56, 2)?)
        } else {
            (number(&header, 28, 4)?, number(&header, 42, 2)?, number(&header, 44, 2)?)
        };
        let (size, count) = (usize::try_from(size).ok()?, usize::try_from(count).ok()?.min(HEADERS));
        if size < 32 {
            return (count == 0).then_some(elf);
        }
        let bytes = read(table, size.min(256) * count)?;
        let segment = |bytes: &[u8]| {
            let at = if is_64 { [8, 16, 32] } else { [4, 8, 16] };
            let [offset, address, size] = at.map(|at| number(bytes, at, word));
            Some(Segment { kind: number(bytes, 0, 4)?, offset: offset?, address: address?, size: size? })
        };
        let segments: Vec<Segment> = bytes.chunks(size.min(256)).filter_map(segment).collect();
        let find = |kind| segments.iter().find(|segment| segment.kind == kind);
        let string = |offset: u64| {
            let bytes = read(offset, STRING)?;
            let end = bytes.iter().position(|byte| *byte == 0)?;
            Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
        };
        elf.interpreter = find(INTERP).and_then(|segment| string(segment.offset)).filter(|path| !path.is_empty());
        let Some(dynamic) = find(DYNAMIC) else { return Some(elf) };
        let length = usize::try_from(dynamic.size).ok()?.min(ENTRIES * 2 * word);
        let bytes = read(dynamic.offset, length)?;
        let entry = |bytes: &[u8]| Some((number(bytes, 0, word)?, number(bytes, word, word)?));
        let entries: Vec<(u64, u64)> =
            bytes.chunks(2 * word).filter_map(entry).take_while(|(tag, _)| *tag != 0).collect();
        let table = entries.iter().find(|(tag, _)| *tag == STRTAB).map(|(_, address)| *address);
        let offset_of = |address: u64| {
            let is_within = |segment: &&Segment| {
                segment.kind == LOAD && address.checked_sub(segment.address).is_some_and(|at| at < segment.size)
            };
            segments.iter().find(is_within).and_then(|segment| segment.offset.checked_add(address - segment.address))
        };
        let Some(strings) = table.and_then(offset_of) else { return Some(elf) };
        let text = |value: &u64| strings.checked_add(*value).and_then(string);
        let all =
            |wanted: u64| entries.iter().filter(move |(tag, _)| *tag == wanted).filter_map(|(_, value)| text(value));
        elf.needed = all(NEEDED).take(256).collect();
        elf.soname = all(SONAME).next();
        elf.search_path = all(RUNPATH).chain(all(RPATH)).next().unwrap_or_default();
        Some(elf)
    }

    /// Reads what `file` has.
    pub(crate) fn of_file(file: impl AsFd) -> Option<Self> {
        Self::read(|offset, length| {
            let mut bytes = vec![0; length];
            let length = rustix::io::pread(&file, &mut bytes[..], offset).ok()?;
            bytes.truncate(length);
            Some(bytes)
        })
    }

    /// Whether this host can run it without an emulator.
    pub(crate) fn fits_host(&self) -> bool {
        self.machine == host() || (host(), self.machine) == (62, 3)
    }

    /// The name of its machine.
    pub(crate) fn machine_name(&self) -> String {
        name(self.machine)
    }
}

fn number(bytes: &[u8], at: usize, length: usize, is_little: bool) -> Option<u64> {
    let part = bytes.get(at..at.checked_add(length)?)?;
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    Some(if is_little { part.iter().rev().fold(0, add) } else { part.iter().fold(0, add) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Option<Elf> {
        Elf::read(|offset, length| {
            let from = usize::try_from(offset).ok()?.min(bytes.len());
            Some(bytes[from..from.saturating_add(length).min(bytes.len())].to_vec())
        })
    }

    /// A program for x86-64 with a loader, a library and a search path.
    fn program(machine: u16) -> Vec<u8> {
        let mut bytes = vec![0; 0x400];
        let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
        put(0, b"\x7fELF\x02\x01\x01");
        put(18, &machine.to_le_bytes());
        put(32, &64_u64.to_le_bytes());
        put(54, &56_u16.to_le_bytes());
        put(56, &3_u16.to_le_bytes());
        for (index, (kind, offset, size)) in
            [(1_u32, 0_u64, 0x400_u64), (3, 0x200, 16), (2, 0x280, 80)].iter().enumerate()
        {
            let at = 64 + index * 56;
            put(at, &kind.to_le_bytes());
            put(at + 8, &offset.to_le_bytes());
            put(at + 16, &(0x10000 + offset).to_le_bytes());
            put(at + 32, &size.to_le_bytes());
        }
        put(0x200, b"/lib/ld.so\0");
        for (index, (tag, value)) in [(1_u64, 1_u64), (5, 0x10300), (29, 8), (14, 1)].iter().enumerate() {
            put(0x280 + index * 16, &tag.to_le_bytes());
            put(0x288 + index * 16, &value.to_le_bytes());
        }
        put(0x301, b"libx.a\0/opt\0");
        bytes
    }

    #[test]
    fn a_program_names_its_loader_and_its_libraries() {
        let elf = of(&program(62)).expect("an ELF file");
        assert_eq!((elf.machine_name().as_str(), elf.interpreter.as_deref()), ("x86-64", Some("/lib/ld.so")));
        assert_eq!(elf.soname.as_deref(), Some("libx.a"));
        assert_eq!((elf.needed, elf.search_path.as_str()), (vec!["libx.a".to_owned()], "/opt"));
        assert_eq!(of(&program(183)).map(|elf| elf.machine_name()).as_deref(), Some("ARM64"));
        assert_ne!(host_name(), "machine 0");
    }

    #[test]
    fn no_bytes_make_it_fail() {
        let whole = program(62);
        for length in 0..whole.len() {
            drop(of(&whole[..length]));
        }
        for at in 0..0x120 {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                drop(of(&bytes));
            }
        }
        assert_eq!(of(b"#!/bin/sh"), None);
    }
}
