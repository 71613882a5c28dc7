//! Builds tar archives byte by byte, valid and invalid ones.

/// An archive under construction, header by header, valid or invalid.
#[derive(Default)]
pub(crate) struct Archive(pub(crate) Vec<u8>);

/// One header's fields; the checksum is computed.
#[derive(Clone)]
pub(crate) struct Item<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) link: &'a [u8],
    pub(crate) kind: u8,
    pub(crate) mode: u32,
    pub(crate) uid: i64,
    pub(crate) gid: i64,
    pub(crate) mtime: i64,
    pub(crate) size: Option<i64>,
    pub(crate) data: &'a [u8],
}

impl Default for Item<'_> {
    fn default() -> Self {
        Self { path: b"", link: b"", kind: b'0', mode: 0o644, uid: 0, gid: 0, mtime: 1_000_000, size: None, data: b"" }
    }
}

pub(crate) fn put(field: &mut [u8], value: i64) {
    let digits = field.len() - 1;
    if value >= 0 && value < 1_i64 << (digits * 3).min(62) {
        field[..digits].copy_from_slice(format!("{value:0digits$o}").as_bytes());
    } else {
        let bytes = value.to_be_bytes();
        let fill = if value < 0 { 0xff } else { 0 };
        let start = field.len().saturating_sub(8);
        field.fill(fill);
        let length = field.len() - start;
        field[start..].copy_from_slice(&bytes[8 - length..]);
        field[0] |= 0x80;
    }
}

impl Archive {
    pub(crate) fn header(&mut self, item: &Item<'_>) -> &mut Self {
        let mut block = [0_u8; 512];
        block[..item.path.len()].copy_from_slice(item.path);
        put(&mut block[100..108], item.mode.into());
        put(&mut block[108..116], item.uid);
        put(&mut block[116..124], item.gid);
        put(&mut block[124..136], item.size.unwrap_or_else(|| i64::try_from(item.data.len()).expect("small")));
        put(&mut block[136..148], item.mtime);
        block[156] = item.kind;
        block[157..157 + item.link.len()].copy_from_slice(item.link);
        block[257..265].copy_from_slice(if item.kind == b'S' { b"ustar  \0" } else { b"ustar\x0000" });
        self.block(block)
    }

    /// A header as given, with a correct checksum.
    pub(crate) fn block(&mut self, mut block: [u8; 512]) -> &mut Self {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        self.0.extend_from_slice(&block);
        self
    }

    pub(crate) fn add(&mut self, item: &Item<'_>) -> &mut Self {
        self.header(item).data(item.data)
    }

    pub(crate) fn data(&mut self, data: &[u8]) -> &mut Self {
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn file(&mut self, path: &str, data: &[u8]) -> &mut Self {
        self.add(&Item { path: path.as_bytes(), data, ..Item::default() })
    }

    pub(crate) fn directory(&mut self, path: &str) -> &mut Self {
        self.add(&Item { path: path.as_bytes(), kind: b'5', mode: 0o755, ..Item::default() })
    }

    pub(crate) fn symlink(&mut self, path: &str, target: &str) -> &mut Self {
        self.add(&Item { path: path.as_bytes(), link: target.as_bytes(), kind: b'2', mode: 0o777, ..Item::default() })
    }

    pub(crate) fn hard_link(&mut self, path: &str, target: &str) -> &mut Self {
        self.add(&Item { path: path.as_bytes(), link: target.as_bytes(), kind: b'1', ..Item::default() })
    }

    pub(crate) fn pax(&mut self, records: &[(&[u8], &[u8])]) -> &mut Self {
        let mut data = Vec::new();
        for (key, value) in records {
            let rest = 1 + key.len() + 1 + value.len() + 1;
            let mut length = rest + 1;
            while length != rest + length.to_string().len() {
                length = rest + length.to_string().len();
            }
            data.extend_from_slice(format!("{length} ").as_bytes());
            data.extend_from_slice(key);
            data.push(b'=');
            data.extend_from_slice(value);
            data.push(b'\n');
        }
        self.add(&Item { path: b"pax", kind: b'x', data: &data, ..Item::default() })
    }

    pub(crate) fn end(&self) -> Vec<u8> {
        [self.0.as_slice(), &[0; 1024]].concat()
    }
}
