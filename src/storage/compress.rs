//! Decompression in this process: no external program ever sees a layer (CVE-2021-20291, CVE-2026-41567).

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

/// The largest zstd window that is accepted, as a power of two: 128 MiB, the limit of `zstd` itself without `--long`.
const WINDOW_LOG: u32 = 27;

const INPUT: usize = 128 << 10;

/// How a layer's blob is compressed, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Uncompressed.
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

impl Compression {
    /// Detects it from the first bytes; needs four of them, unless the blob is shorter.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame, or a skippable one before it (RFC 8878, 3.1).
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// The media type of a layer with this compression. Source: image-spec layer.md.
    pub(crate) fn layer_type(self) -> &'static str {
        match self {
            Self::None => "application/vnd.oci.image.layer.v1.tar",
            Self::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }
}

/// Reads a stream that is plain, gzip (one or more members) or zstd (one or more frames), detected from its first
/// bytes.
///
/// Fails for compressions that layers do not use (xz, bzip2). Junk after the last gzip member is an error when the
/// reader reaches it.
pub(crate) fn decompress<'a>(input: impl Read + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
    let mut input = BufReader::with_capacity(INPUT, input);
    while let Err(error) = input.fill_buf() {
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    let refused = |name| {
        let text = format!("{name} compression is not supported, only gzip and zstd are");
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    };
    match (Compression::of(input.buffer()), input.buffer()) {
        (Compression::Gzip, _) => Ok(Box::new(MultiGzDecoder::new(input))),
        (Compression::Zstd, _) => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
            decoder.window_log_max(WINDOW_LOG)?;
            Ok(Box::new(decoder))
        }
        (Compression::None, [0xfd, b'7', b'z', b'X', b'Z', 0, ..]) => refused("xz"),
        (Compression::None, [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..]) => refused("bzip2"),
        (Compression::None, _) => Ok(Box::new(input)),
    }
}
