//! Mounts of all files of the host that a pattern matches. Source: podman-run(1), `--mount`, `type=glob`.

use std::collections::BTreeMap;

use crate::plan::request::MountRequestKind;
use crate::plan::{Error, MountRequest};

impl MountRequest {
    /// The pattern, if this mount has one.
    pub(in crate::plan) fn pattern(&self) -> Option<&str> {
        self.source.as_deref().filter(|_| self.kind == MountRequestKind::Glob)
    }

    /// The mount of one file that was found: below the destination, or where the host has it.
    pub(in crate::plan) fn of_match(&self, path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or_default();
        let destination = match self.destination.trim_end_matches('/') {
            "" if self.destination.is_empty() => path.to_owned(),
            directory => format!("{directory}/{name}"),
        };
        Self { kind: MountRequestKind::Bind, source: Some(path.to_owned()), destination, options: self.options.clone() }
    }
}

/// The mounts, with one for each file that a pattern matches. Fails if there is none.
pub(super) fn expanded(
    asked: &[MountRequest],
    found: &BTreeMap<String, Result<Vec<String>, String>>,
) -> Result<Vec<MountRequest>, Error> {
    let mut all = Vec::new();
    for mount in asked {
        let Some(pattern) = mount.pattern() else {
            all.push(mount.clone());
            continue;
        };
        match found.get(pattern).ok_or(Error::NotLookedUp("a pattern"))? {
            Err(reason) => return Err(mount.invalid(reason)),
            Ok(paths) if paths.is_empty() => return Err(mount.invalid("no file of the host matches it")),
            Ok(paths) => all.extend(paths.iter().map(|path| mount.of_match(path))),
        }
    }
    Ok(all)
}
