//! How layers are compressed for a registry.

use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use crate::image::format::Format;
use crate::storage::{Compression, Hasher, decompress};
use crate::sys::fs;
use crate::types::{Algorithm, Digest};

/// How layers are compressed. By default layers stay as they are, and those that are not compressed get gzip, as with
/// podman.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Packing {
    /// The compression that was asked for.
    pub(crate) wanted: Option<Compression>,
    /// Its level; `None` is the usual one.
    pub(crate) level: Option<i32>,
    /// Whether layers with another compression get this one; `None`: if one was asked for.
    pub(crate) force: Option<bool>,
    /// Layers stay as they are, in any case.
    pub(crate) keep: bool,
}

impl Packing {
    /// What a layer that is compressed like `found` gets, and the level; `None` leaves it as it is.
    pub(in crate::image) fn for_layer(
        self,
        found: Compression,
        format: Option<Format>,
    ) -> Option<(Compression, Option<i32>)> {
        if self.keep {
            return None;
        }
        let wanted = self.wanted.unwrap_or(Compression::Gzip);
        let is_forced = self.force.unwrap_or(self.wanted.is_some());
        // Docker's format knows no other than gzip.
        let is_foreign = format == Some(Format::Docker) && found == Compression::Zstd;
        let changes = match found {
            found if found == wanted => false,
            Compression::None | Compression::Xz | Compression::Bzip2 => true,
            _ => is_forced || is_foreign,
        };
        changes.then_some((wanted, self.level))
    }
}

/// Compresses a layer, whatever its compression is, to a new file. Returns the digest and the size of the result, which
/// are the same for the same content.
pub(in crate::image) fn pack(
    blob: impl Read + Send,
    path: &Path,
    wanted: Compression,
    level: Option<i32>,
) -> io::Result<(Digest, u64)> {
    let mut plain = decompress(blob)?;
    let file = fs::create_new(path).map_err(|error| error.source)?;
    let mut output =
        Hashed { file: BufWriter::with_capacity(256 << 10, file), hash: Hasher::new(Algorithm::Sha256), size: 0 };
    match wanted {
        Compression::None | Compression::Xz | Compression::Bzip2 => drop(io::copy(&mut plain, &mut output)?),
        Compression::Gzip => {
            let level = level
                .and_then(|level| u32::try_from(level).ok())
                .map_or_else(flate2::Compression::default, flate2::Compression::new);
            let mut encoder = flate2::write::GzEncoder::new(&mut output, level);
            io::copy(&mut plain, &mut encoder)?;
            encoder.finish()?;
        }
        Compression::Zstd => {
            let mut encoder = zstd::stream::write::Encoder::new(&mut output, level.unwrap_or(0))?;
            io::copy(&mut plain, &mut encoder)?;
            encoder.finish()?;
        }
    }
    output.file.flush()?;
    Ok((output.hash.finish(), output.size))
}

/// A file whose content is hashed and counted.
struct Hashed<W> {
    file: W,
    hash: Hasher,
    size: u64,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Compression::{Gzip, None as Plain, Zstd};

    #[test]
    fn layers_change_only_if_they_must() {
        let packing = |wanted, force| Packing { wanted, level: None, force, keep: false };
        for (packing, format, found, expected) in [
            (packing(None, None), None, Plain, Some(Gzip)),
            (packing(None, None), None, Gzip, None),
            (packing(None, None), None, Zstd, None),
            (packing(None, None), Some(Format::Docker), Zstd, Some(Gzip)),
            (packing(None, Some(true)), None, Zstd, Some(Gzip)),
            (packing(Some(Zstd), None), None, Plain, Some(Zstd)),
            (packing(Some(Zstd), None), None, Gzip, Some(Zstd)),
            (packing(Some(Zstd), None), None, Zstd, None),
            (packing(Some(Zstd), Some(false)), None, Gzip, None),
            (packing(Some(Zstd), Some(false)), None, Plain, Some(Zstd)),
            (packing(Some(Plain), Some(false)), None, Plain, None),
            (packing(Some(Plain), Some(false)), None, Gzip, None),
            (packing(Some(Plain), Some(true)), None, Gzip, Some(Plain)),
        ] {
            let chosen = packing.for_layer(found, format).map(|(wanted, _)| wanted);
            assert_eq!(chosen, expected, "{packing:?} {format:?} {found:?}");
        }
    }

    #[test]
    fn a_layer_is_the_same_after_packing_and_is_packed_the_same_twice() {
        let directory = tempfile::tempdir().expect("a directory");
        let content = b"some content ".repeat(10_000);
        let mut digests = Vec::new();
        for (number, wanted) in [Gzip, Gzip, Zstd, Plain].into_iter().enumerate() {
            let path = directory.path().join(number.to_string());
            let (digest, size) = pack(&content[..], &path, wanted, None).expect("packed");
            let packed = fs::read(&path).expect("a file");
            assert_eq!((size, Hasher::sha256(&packed)), (packed.len() as u64, digest.clone()));
            assert_eq!(Compression::of(&packed), wanted);
            let mut plain = Vec::new();
            decompress(&packed[..]).expect("a stream").read_to_end(&mut plain).expect("reads");
            assert!(plain == content, "{wanted:?}");
            digests.push(digest);
        }
        assert_eq!(digests[0], digests[1]);
    }
}
