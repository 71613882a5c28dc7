//! `COPY` and `ADD`.

use super::super::expand::Mode;
use super::super::heredoc::Document;
use super::super::instruction::{Copy, Instruction};
use super::super::rules::COPY_IGNORED_FILE;
use super::super::source::Problem;
use super::super::stages::Origin;
use super::super::steps::{Action, AddStep, CopyStep, Script};
use super::super::words::Word;
use super::Fold;
use crate::build::chmod::Mode as Permissions;
use crate::build::git;

impl Fold<'_> {
    /// Adds the step of a COPY or an ADD.
    pub(super) fn copy(&mut self, copy: &Copy, instruction: &Instruction, origins: &[Option<Origin>]) {
        let span = instruction.span;
        let words = |fold: &mut Self, words: &[Word]| {
            words.iter().filter_map(|word| fold.word(word, span)).collect::<Vec<String>>()
        };
        let sources = words(self, &copy.sources);
        let exclude = words(self, &copy.exclude);
        let documents: Vec<Script> =
            copy.documents.iter().filter_map(|document| self.document(document, instruction)).collect();
        let Some(destination) = self.word(&copy.destination, span) else { return };
        let directory = destination.ends_with('/') || destination.ends_with("/.") || destination == ".";
        let mut absolute = self.absolute(&destination);
        if directory && !absolute.ends_with('/') {
            absolute.push('/');
        }
        let is_several = sources.len() + documents.len() > 1;
        if is_several && !directory && destination != ".." {
            let message = format!("several sources need a directory: `{}/`", destination.escape_debug());
            self.findings.problems.push(Problem::new(copy.destination.span, message));
        }
        let chown = copy.chown.as_ref().and_then(|word| self.word(word, span)).filter(|owner| !owner.is_empty());
        let chmod = copy.chmod.as_ref().and_then(|word| self.permissions(word, instruction));
        let add = copy.add.as_ref().map(|add| AddStep {
            keep_git_dir: add.keep_git_dir,
            checksum: add.checksum.as_ref().and_then(|word| self.word(word, span)),
            unpack: add.unpack,
        });
        if copy.add.is_some() {
            self.check_repositories(copy, &sources);
        }
        if copy.from.is_none() {
            self.check_ignored(&sources, instruction, copy.add.is_some());
        }
        let created_by = created_by(copy, &sources, &documents, chown.as_deref(), &destination);
        let step = CopyStep {
            origin: origins.first().cloned().flatten(),
            sources,
            documents,
            destination: absolute,
            chown,
            chmod,
            link: copy.link,
            parents: copy.parents,
            exclude,
            add,
        };
        self.step(instruction, Action::Copy(Box::new(step)), created_by);
    }

    /// A file whose content is in the Dockerfile.
    fn document(&mut self, document: &Document, instruction: &Instruction) -> Option<Script> {
        let name = &document.name;
        if name.contains('/') || name.contains('\0') || matches!(name.as_str(), "." | "..") {
            let message = format!("here-document `{}` cannot be a file", name.escape_debug());
            self.findings.problems.push(Problem::new(instruction.name.span, message));
            return None;
        }
        let mut content = document.content();
        if document.expands {
            let word = Word { text: content, span: instruction.name.span };
            let expanded =
                self.common.expander.expand(&word.text, Mode::Document, &|name| self.state.scope.value(name));
            let wrong = |reason| Problem::new(word.span, format!("here-document `{}`: {reason}", name.escape_debug()));
            let expanded = self.findings.take(expanded.map_err(wrong))?;
            self.unset(instruction.span, &expanded);
            content = expanded.text;
        }
        Some(Script { name: name.clone(), content })
    }

    fn permissions(&mut self, word: &Word, instruction: &Instruction) -> Option<Permissions> {
        let text = self.word(word, instruction.span).filter(|text| !text.is_empty())?;
        let wrong = |error: crate::types::Invalid| Problem::new(word.span, error.to_string());
        self.findings.take(text.parse().map_err(wrong))
    }

    fn check_repositories(&mut self, copy: &Copy, sources: &[String]) {
        let span = copy.sources.first().map_or(copy.destination.span, |word| word.span);
        for source in sources.iter().filter(|source| git::is_git(source)) {
            let wrong = |error: crate::types::Invalid| Problem::new(span, error.to_string());
            self.findings.take(git::GitUrl::new(source).map_err(wrong));
        }
    }

    /// Warns of sources that the context does not have, because they are ignored. With patterns that take paths in
    /// again that cannot be said of a directory.
    fn check_ignored(&mut self, sources: &[String], instruction: &Instruction, is_add: bool) {
        let Some(ignore) = self.ignore.filter(|ignore| !ignore.has_exceptions()) else { return };
        let verb = if is_add { "Add" } else { "Copy" };
        for source in sources.iter().filter(|source| !is_add || !is_remote(source)) {
            let path = source.trim_start_matches("./").trim_matches('/');
            let is_root = matches!(path, "" | ".");
            let is_ignored = if is_root { ignore.ignores_all() } else { ignore.ignored_by(path).is_some() };
            if is_ignored {
                let shown = if is_root { "." } else { path };
                let message = format!("Attempting to {verb} file \"{shown}\" that is excluded by .dockerignore");
                self.findings.warn(COPY_IGNORED_FILE, instruction.span, message);
            }
        }
    }
}

/// Whether a source of ADD is a URL or a repository.
fn is_remote(source: &str) -> bool {
    source.starts_with("http://") || source.starts_with("https://") || git::is_git(source)
}

/// As docker writes it.
fn created_by(copy: &Copy, sources: &[String], documents: &[Script], chown: Option<&str>, destination: &str) -> String {
    let mut words = vec![if copy.add.is_some() { "ADD" } else { "COPY" }.to_owned()];
    words.extend(chown.map(|owner| format!("--chown={owner}")));
    words.extend(copy.chmod.as_ref().map(|mode| format!("--chmod={}", mode.text)));
    words.extend(copy.link.then(|| "--link".to_owned()));
    words.extend(sources.iter().cloned());
    words.extend(documents.iter().map(|document| format!("<<{}", document.name)));
    words.push(destination.to_owned());
    words.join(" ")
}
