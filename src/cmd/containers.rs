//! What commands on several containers have in common: which are meant, and going on after a failure.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::Ctx;
use crate::container::{self, Container, Listing};
use crate::error::{Error, Exit};
use crate::storage::Store;
use crate::sys::fs;
use crate::types::ContainerId;
use crate::ui;
use crate::view::filter::{ContainerFacts, ContainerFilter};

/// The containers that a command is about.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Selection {
    /// Apply to all containers
    #[arg(short, long)]
    pub(super) all: bool,
    /// Read the container ID from the file
    #[arg(long = "cidfile", value_name = "FILE")]
    pub(super) cidfiles: Vec<PathBuf>,
    /// Ignore missing containers
    #[arg(short, long)]
    pub(super) ignore: bool,
    /// Names, IDs or unique prefixes of IDs
    #[arg(value_name = "CONTAINER")]
    pub(super) containers: Vec<String>,
    /// `--filter` of the commands that have it: of those that are meant, or of all.
    #[arg(skip)]
    pub(super) filters: Vec<String>,
    /// `--latest` of the commands that have it.
    #[arg(skip)]
    pub(super) latest: bool,
}

impl Selection {
    /// Whether those are meant that the command is for, of many that nobody has named: the others are passed over.
    pub(super) fn is_of_many(&self) -> bool {
        self.all || !self.filters.is_empty() && self.containers.is_empty() && self.cidfiles.is_empty() && !self.latest
    }

    /// The words by which containers were named; the id of the newest with `--latest`. Fails if there are none.
    pub(super) fn named(&self, store: &Store) -> Result<Vec<String>, Error> {
        let words = self.words()?;
        if !self.latest {
            return Ok(words);
        }
        let newest = container::list(store)?.containers.into_iter().next();
        Ok(vec![newest.ok_or_else(|| Error::new("there is no container"))?.config.id.to_string()])
    }

    /// The words that were typed or stand in the files; fails if there are none, or some beside `--all`.
    fn words(&self) -> Result<Vec<String>, Error> {
        let mut words = self.containers.clone();
        for file in &self.cidfiles {
            match id_in(file) {
                Err(error) if self.ignore && error.is_not_found() => {}
                other => words.push(other?),
            }
        }
        let is_of_all = self.all || self.latest || !self.filters.is_empty();
        match (self.all || self.latest, words.is_empty()) {
            (true, false) if self.latest => Err(Error::new("containers cannot be named together with --latest")),
            (true, false) => Err(Error::new("containers cannot be named together with --all")),
            (_, true) if self.cidfiles.is_empty() && !is_of_all => Err(Error::new("no container was named")),
            _ => Ok(words),
        }
    }
}

fn id_in(file: &Path) -> Result<String, fs::PathError> {
    let bytes = fs::read_regular(file, 4096)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Does `action` to each container, prints the word by which it was named (its id with `--all`) for each that went well, and
/// goes on after those that did not: their errors are printed, and the exit code is that of the last.
pub(super) fn each(
    store: &Store,
    selection: &Selection,
    action: impl FnMut(&Container) -> Result<bool, Error>,
) -> Result<Exit, Error> {
    each_even_damaged(store, selection, action, |_, error| Err(error.into()))
}

/// As [`each`], with something to do to containers that are damaged.
pub(super) fn each_even_damaged(
    store: &Store,
    selection: &Selection,
    mut action: impl FnMut(&Container) -> Result<bool, Error>,
    mut damaged: impl FnMut(&ContainerId, container::Error) -> Result<bool, Error>,
) -> Result<Exit, Error> {
    let words = selection.words()?;
    let mut failed = None;
    let mut out = ui::out();
    let mut done = |shown: &str, result: Result<bool, Error>, failed: &mut Option<u8>| match result {
        Ok(true) => out.line(shown).and_then(|()| out.finish()).map_err(Error::from),
        Ok(false) => Ok(()),
        Err(error) => {
            if let Some(message) = &error.message {
                ui::error(message, error.hint.as_deref());
            }
            *failed = Some(error.code);
            Ok(())
        }
    };
    let listing =
        if words.is_empty() || !selection.filters.is_empty() { container::list(store)? } else { Listing::default() };
    let filter = filter(&selection.filters, &listing)?;
    let matches = |container: &Container| filter.matches(facts(container));
    if words.is_empty() {
        let limit = if selection.latest { 1 } else { usize::MAX };
        for container in listing.containers.iter().take(limit).filter(|container| matches(container)) {
            done(container.config.id.as_str(), action(container), &mut failed)?;
        }
        if selection.all {
            for (id, error) in listing.broken {
                done(id.as_str(), damaged(&id, error), &mut failed)?;
            }
        }
    }
    for word in &words {
        let result = match container::find(store, word) {
            Err(container::Error::NotFound(_)) if selection.ignore => Ok(false),
            Err(container::Error::Damaged { id, reason }) if selection.filters.is_empty() => {
                damaged(&id.clone(), container::Error::Damaged { id, reason })
            }
            Err(error) => Err(Error::from(error)),
            Ok(container) if !matches(&container) => Ok(false),
            Ok(container) => action(&container),
        };
        done(word, result, &mut failed)?;
    }
    failed.map_or(Ok(Exit::SUCCESS), |code| Err(Error::said(code)))
}

/// What filters look at.
pub(super) fn facts(container: &Container) -> ContainerFacts<'_> {
    ContainerFacts { config: &container.config, state: &container.state, status: container.status }
}

fn filter(typed: &[String], listing: &Listing) -> Result<ContainerFilter, Error> {
    Ok(ContainerFilter::parse(typed, Timestamp::now(), |wanted| {
        let found = listing.containers.iter().find(|container| {
            container.config.name.as_str() == wanted || container.config.id.as_str().starts_with(wanted)
        });
        found.and_then(|container| container.config.created.parse().ok())
    })?)
}

/// The container with this name or id.
pub(super) fn one(ctx: &Ctx, word: &str) -> Result<Container, Error> {
    Ok(container::find(&ctx.engine.store_to_read()?, word)?)
}
