//! Decompression in this process: no external program ever sees a layer (CVE-2021-20291, CVE-2026-41567).

use std::io::{self, BufRead, BufReader, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;

/// The largest zstd window that is accepted, as a power of two: 128 MiB, the limit of `zstd` itself without `--long`.
const WINDOW_LOG: u32 = 27;

/// The most memory that a stream of xz may ask for, in KiB: a dictionary of 128 MiB, twice that of `xz -9`, and what
/// its decoder needs beside it. (bzip2 needs less than 4 MiB in any case.)
const XZ_MEMORY: u32 = (128 << 10) + (1 << 10);

const INPUT: usize = 128 << 10;

/// So many bytes show how a blob is compressed.
pub(crate) const HEAD: usize = 6;

/// How a layer's blob is compressed, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Uncompressed.
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
    /// xz, which layers of docker's archives may have.
    Xz,
    /// bzip2, likewise.
    Bzip2,
}

impl Compression {
    /// Detects it from the first bytes; needs [`HEAD`] of them, unless the blob is shorter.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame, or a skippable one before it (RFC 8878, 3.1).
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            // Blocks begin with the digits of pi; an empty stream, with those of its square root.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, ..] => {
                Self::Bzip2
            }
            _ => Self::None,
        }
    }

    /// The media type of a layer with this compression. Source: image-spec layer.md.
    ///
    /// There is none for xz and bzip2, so such a layer is called plain, which is what every tool finds out of its
    /// content; `push` compresses it anew.
    pub(crate) fn layer_type(self) -> &'static str {
        match self {
            Self::None | Self::Xz | Self::Bzip2 => "application/vnd.oci.image.layer.v1.tar",
            Self::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }

    /// Whether layers of images are compressed like this.
    pub(crate) fn is_for_layers(self) -> bool {
        !matches!(self, Self::Xz | Self::Bzip2)
    }
}

/// Reads a stream that is plain, gzip (one or more members), zstd (one or more frames), xz or bzip2 (one or more
/// streams), detected from its first bytes.
///
/// Junk after the last member or stream is an error when the reader reaches it. So is a stream of zstd or xz that needs
/// more than 128 MiB.
pub(crate) fn decompress<'a>(input: impl Read + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
    let mut input = BufReader::with_capacity(INPUT, input);
    while let Err(error) = input.fill_buf() {
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    match Compression::of(input.buffer()) {
        Compression::Gzip => Ok(Box::new(MultiGzDecoder::new(input))),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
            decoder.window_log_max(WINDOW_LOG)?;
            Ok(Box::new(decoder))
        }
        Compression::Xz => Ok(Box::new(XzReader::new_mem_limit(input, true, XZ_MEMORY))),
        Compression::Bzip2 => Ok(Box::new(MultiBzDecoder::new(input))),
        Compression::None => Ok(Box::new(input)),
    }
}
