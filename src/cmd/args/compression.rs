//! How layers are compressed for a registry.

use crate::error::Error;
use crate::image::push::{Compression, Packing};

/// How layers are compressed.
#[derive(Debug, clap::Args)]
pub(crate) struct CompressionArgs {
    /// Compress layers with gzip or zstd (default: as they are, gzip if they are not compressed)
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    compression_format: Option<Algorithm>,
    /// Compression level: 1 to 9 for gzip, 1 to 20 for zstd
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(i32).range(1..=20))]
    compression_level: Option<i32>,
    /// Compress layers anew that are compressed in another format (default: if a format is given)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    force_compression: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Algorithm {
    Gzip,
    Zstd,
}

impl CompressionArgs {
    /// What was asked for.
    pub(crate) fn packing(&self) -> Result<Packing, Error> {
        let wanted = self.compression_format.map(|format| match format {
            Algorithm::Gzip => Compression::Gzip,
            Algorithm::Zstd => Compression::Zstd,
        });
        if wanted != Some(Compression::Zstd) && self.compression_level.is_some_and(|level| level > 9) {
            return Err(Error::new("`--compression-level` of gzip must be between 1 and 9"));
        }
        Ok(Packing { wanted, level: self.compression_level, force: self.force_compression, keep: false })
    }
}
