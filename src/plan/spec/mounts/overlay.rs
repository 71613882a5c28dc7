//! Mounts that join directories: images, and what `O` puts on top of a source.
//!
//! The options are those of overlayfs: `lowerdir` with the topmost directory first, `upperdir`, `workdir`. rc's own
//! word `scratch=DIRECTORY` stands for the last two: `upper` and `work` in a directory that each start makes anew.

use std::path::{Path, PathBuf};

use oci_spec::runtime::Mount as SpecMount;

use super::{mount, own_words, restrictions};
use crate::plan::Mount;
use crate::plan::spec::HostFacts;
use crate::types::Layers;

/// The files of an image; with a layer of the container's own if it may write to them.
pub(super) fn image(asked: &Mount, layers: &Layers, host: &HostFacts, number: usize) -> SpecMount {
    let mut lowers: Vec<&Path> = layers.lowers.iter().rev().map(PathBuf::as_path).collect();
    if lowers.len() + layers.data.len() < 2 {
        // The kernel joins no less than two.
        lowers.push(&host.empty_dir);
    }
    let mut text = lowers.into_iter().map(escaped).collect::<Vec<_>>().join(":");
    layers.data.iter().for_each(|data| text.extend(["::", &escaped(data)]));
    let own = (!asked.read_only).then(|| scratch(host, number));
    overlay(asked, &text, own.into_iter().collect())
}

/// A layer of the container's own on top of a directory of the host or of a volume.
pub(super) fn over(asked: &Mount, source: &Path, host: &HostFacts, number: usize) -> SpecMount {
    let named: Vec<String> = asked
        .options
        .iter()
        .filter(|option| option.starts_with("upperdir=") || option.starts_with("workdir="))
        .cloned()
        .collect();
    let own = if named.is_empty() { vec![scratch(host, number)] } else { named };
    overlay(asked, &escaped(source), own)
}

fn scratch(host: &HostFacts, number: usize) -> String {
    format!("scratch={}", host.container_dir.join("overlays").join(number.to_string()).display())
}

fn overlay(asked: &Mount, lowers: &str, own: Vec<String>) -> SpecMount {
    let access = if asked.read_only { "ro" } else { "rw" }.to_owned();
    let mut options = vec![access, "userxattr".to_owned(), format!("lowerdir={lowers}")];
    options.extend(own);
    options.extend(restrictions(asked));
    options.extend(own_words(asked));
    mount(&asked.destination, "overlay", PathBuf::from("overlay"), options)
}

/// A path in a list with colons. Source: kernel overlayfs.rst, "Multiple lower layers".
fn escaped(path: &Path) -> String {
    path.display().to_string().replace('\\', "\\\\").replace(':', "\\:")
}
