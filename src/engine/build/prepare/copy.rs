//! What COPY and ADD take, and from where.

use crate::build::dockerfile::steps::CopyStep;
use crate::build::git::is_git;
use crate::build::ignore::Ignore;
use crate::engine::build::files::{Copy, Part, Side};
use crate::engine::build::make::Maker;
use crate::engine::build::remote;
use crate::registry::NamedBy;
use crate::storage::Hasher;
use crate::sys::fs;
use crate::types::{Report, ReportKind};

impl Maker<'_> {
    pub(super) fn copy(&self, step: &CopyStep) -> Result<Copy<'_>, Report> {
        let mut parts = Vec::new();
        let mut slot = None;
        let unpack = |is_usual: bool| step.add.as_ref().is_some_and(|add| add.unpack.unwrap_or(is_usual));
        for sources in step.sources.chunk_by(|one, other| !is_remote(step, one) && !is_remote(step, other)) {
            if let Some(url) = sources.first().filter(|source| is_remote(step, source)) {
                parts.push(self.remote(step, url)?);
                continue;
            }
            let side = self.side(step.origin.as_ref())?;
            let ignore = self.ignore(step.origin.as_ref());
            let memo = step.origin.is_none().then(|| self.memo()).flatten();
            slot = memo.as_ref().map(|memo| {
                let words = [sources, &[step.destination.clone(), memo.display().to_string()]].concat();
                Hasher::sha256(words.join("\0").as_bytes())
            });
            parts.push(Part {
                sources: sources.iter().map(|source| source.as_bytes().to_vec()).collect(),
                ignore: ignore.map(|ignore| ignore as _),
                memo,
                unpack: unpack(true),
                ..Part::of(side)
            });
        }
        if !step.documents.is_empty() {
            let directory = self.scene.new_directory("documents")?;
            fs::create_dir(&directory)?;
            let mut sources = Vec::new();
            for document in &step.documents {
                let path = directory.join(&document.name);
                fs::write(&path, &document.content)?;
                let mode = rustix::fs::Mode::from_raw_mode(0o644);
                fs::AtPath::at(rustix::fs::chmod(&path, mode), "set the mode of", &path)?;
                sources.push(document.name.clone().into_bytes());
            }
            parts.push(Part { sources, ..Part::of(Side::Directory(directory)) });
        }
        let exclude = Ignore::new(&step.exclude.join("\n"))
            .map_err(|wrong| Report::new(ReportKind::Invalid, format!("`--exclude`: {}", wrong.reason)))?;
        Ok(Copy {
            parts,
            exclude: (!exclude.is_empty()).then_some(exclude),
            parents: step.parents,
            destination: step.destination.clone(),
            owner: step.chown.clone(),
            mode_text: step.chmod.as_ref().map(|mode| format!("{mode:?}")).unwrap_or_default(),
            mode: step.chmod.clone(),
            slot,
        })
    }

    /// A source of ADD that is fetched: a file by URL, or a repository.
    fn remote(&self, step: &CopyStep, source: &str) -> Result<Part<'_>, Report> {
        let add = step.add.clone().unwrap_or_default();
        let fetcher = self.sources.fetcher(NamedBy::Dockerfile)?;
        if is_git(source) {
            return remote::repository(self.scene, &fetcher, &add, source);
        }
        remote::file(self.scene, &fetcher, &add, source, step.destination.ends_with('/'))
    }
}

/// Whether a source of ADD is fetched.
fn is_remote(step: &CopyStep, source: &str) -> bool {
    step.add.is_some() && remote::is_remote(source)
}
