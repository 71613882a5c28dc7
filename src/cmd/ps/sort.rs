use std::cmp::Ordering;

use crate::view::filter::ContainerFacts as Facts;

/// The keys of `--sort`. Source: podman-ps(1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SortKey {
    /// The command line.
    Command,
    /// When it was created, oldest first.
    #[default]
    Created,
    /// The ID.
    Id,
    /// The image's name.
    Image,
    /// The name.
    Names,
    /// How long ago it was created, youngest first.
    Runningfor,
    /// Bytes with its image, smallest first; `ps` sorts by it when it knows it.
    Size,
    /// The status word.
    Status,
}

/// The order of two containers.
pub(super) fn compare(key: SortKey, a: &Facts<'_>, b: &Facts<'_>) -> Ordering {
    // RFC 3339 in UTC sorts as text, and the ID breaks ties, so that two listings never differ in order.
    let age = || (&a.config.created, &a.config.id).cmp(&(&b.config.created, &b.config.id));
    match key {
        SortKey::Created | SortKey::Size => age(),
        SortKey::Runningfor => age().reverse(),
        SortKey::Command => a.config.argv.cmp(&b.config.argv),
        SortKey::Id => a.config.id.cmp(&b.config.id),
        SortKey::Image => a.config.image.reference.cmp(&b.config.image.reference),
        SortKey::Names => a.config.name.cmp(&b.config.name),
        SortKey::Status => a.status.as_str().cmp(b.status.as_str()),
    }
}
