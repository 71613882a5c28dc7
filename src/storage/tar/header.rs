/// Size of a header in bytes; data is padded to a multiple of it.
pub(super) const BLOCK: u64 = 512;

/// The type of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file.
    File,
    /// Another name of an earlier entry.
    HardLink,
    /// A symbolic link.
    Symlink,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
}

impl Kind {
    /// The meaning of a type flag; a v7 file with a name that ends in `/` is a directory.
    pub(super) fn from_flag(flag: u8, path: &[u8]) -> Option<Self> {
        Some(match flag {
            0 if path.ends_with(b"/") => Self::Directory,
            // `7` is a contiguous file, which no system stores differently; `S` is GNU's sparse file.
            0 | b'0' | b'7' | b'S' => Self::File,
            b'1' => Self::HardLink,
            b'2' => Self::Symlink,
            b'3' => Self::CharDevice,
            b'4' => Self::BlockDevice,
            b'5' => Self::Directory,
            b'6' => Self::Fifo,
            _ => return None,
        })
    }
}

/// One header block. Source: POSIX pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
#[derive(Clone)]
pub(super) struct Header([u8; 512]);

#[derive(PartialEq, Eq)]
enum Format {
    V7,
    Ustar,
    Star,
    Gnu,
}

impl Header {
    /// Parses a block as a header if its checksum is right (over unsigned or, as in old tars, signed bytes).
    pub(super) fn parse(block: [u8; 512]) -> Result<Self, &'static str> {
        let (mut unsigned, mut signed) = (0_i64, 0_i64);
        for (position, byte) in block.iter().enumerate() {
            let byte = if (148..156).contains(&position) { b' ' } else { *byte };
            unsigned += i64::from(byte);
            signed += i64::from(i8::from_ne_bytes([byte]));
        }
        let stated = octal(&block[148..156]).map_err(|_| "not a tar header: its checksum is not a number")?;
        if stated != unsigned && stated != signed {
            return Err("not a tar header: wrong checksum");
        }
        Ok(Self(block))
    }

    pub(super) fn kind(&self) -> u8 {
        self.0[156]
    }

    pub(super) fn path(&self) -> Vec<u8> {
        let name = text(&self.0[..100]);
        let prefix = match self.format() {
            Format::Ustar => text(&self.0[345..500]),
            Format::Star => text(&self.0[345..476]),
            Format::V7 | Format::Gnu => b"",
        };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    pub(super) fn link(&self) -> Vec<u8> {
        text(&self.0[157..257]).to_vec()
    }

    pub(super) fn mode(&self) -> Result<u32, &'static str> {
        // Other bits are the file's type; the type flag is more reliable.
        u32::try_from(number(&self.0[100..108])? & 0o7777).map_err(|_| "a mode is not a number")
    }

    pub(super) fn uid(&self) -> Result<i64, &'static str> {
        number(&self.0[108..116])
    }

    pub(super) fn gid(&self) -> Result<i64, &'static str> {
        number(&self.0[116..124])
    }

    pub(super) fn size(&self) -> Result<i64, &'static str> {
        number(&self.0[124..136])
    }

    pub(super) fn mtime(&self) -> Result<i64, &'static str> {
        number(&self.0[136..148])
    }

    pub(super) fn is_old_sparse(&self) -> bool {
        self.kind() == b'S'
    }

    /// The four pieces of an old GNU sparse header, whether more blocks of them follow, and the file's size.
    pub(super) fn old_sparse(&self) -> Result<(&[u8], bool, i64), &'static str> {
        if self.format() != Format::Gnu {
            return Err("a GNU sparse file in an archive that is not GNU's");
        }
        Ok((&self.0[386..482], self.0[482] != 0, number(&self.0[483..495])?))
    }

    fn format(&self) -> Format {
        match &self.0[257..265] {
            b"ustar\x0000" if &self.0[508..512] == b"tar\0" => Format::Star,
            b"ustar  \0" => Format::Gnu,
            magic if magic.starts_with(b"ustar\0") => Format::Ustar,
            _ => Format::V7,
        }
    }
}

fn text(field: &[u8]) -> &[u8] {
    memchr::memchr(0, field).map_or(field, |end| &field[..end])
}

/// A number in octal, or in base 256 if the first bit is set (GNU, star): the second bit is the sign.
pub(super) fn number(field: &[u8]) -> Result<i64, &'static str> {
    let Some((first, rest)) = field.split_first() else { return Ok(0) };
    if first & 0x80 == 0 {
        return octal(field);
    }
    let is_negative = first & 0x40 != 0;
    let mut value = i128::from(first & 0x3f) - if is_negative { 0x40 } else { 0 };
    for byte in rest {
        value = value.checked_mul(256).ok_or("a number is too large")? + i128::from(*byte);
    }
    i64::try_from(value).map_err(|_| "a number is too large")
}

fn octal(field: &[u8]) -> Result<i64, &'static str> {
    let digits = text(field).trim_ascii();
    if digits.is_empty() {
        return Ok(0);
    }
    digits.iter().try_fold(0_i64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8).map(|v| v + i64::from(digit - b'0')).ok_or("a number is too large"),
        _ => Err("a number is not octal"),
    })
}
