use std::collections::BTreeSet;

use clap::ArgMatches;

use crate::error::Error;
use crate::sys::inherited::{self, Inherited};

/// Which of the caller's descriptors the program gets.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct PreserveArgs {
    /// Pass the file descriptors with these numbers into the container
    #[arg(long, value_name = "FD[,FD...]", value_delimiter = ',', value_parser = clap::value_parser!(i32).range(3..))]
    preserve_fd: Vec<i32>,
    /// Pass N additional file descriptors into the container, from number 3 on
    #[arg(long, value_name = "N", conflicts_with = "preserve_fd", value_parser = clap::value_parser!(u16))]
    preserve_fds: Option<u16>,
}

/// Closes what the caller left open and no option of this command asks for, nor `listening`, how many of them a service
/// manager has handed over, from 3 on; gives those that are kept. Fails if one of them is not open.
pub(crate) fn keep_descriptors(matches: &ArgMatches, listening: usize) -> Result<Vec<Inherited>, Error> {
    let from_three = |count: usize| 3..3 + i32::try_from(count).unwrap_or(i32::MAX - 3);
    let mut wanted = BTreeSet::new();
    // A command without these options has no such ids.
    if let Ok(Some(numbers)) = matches.try_get_many::<i32>("preserve_fd") {
        wanted.extend(numbers);
    }
    if let Ok(count) = matches.try_get_one::<u16>("preserve_fds") {
        wanted.extend(from_three(usize::from(count.copied().unwrap_or_default())));
    }
    wanted.extend(from_three(listening));
    let wanted: Vec<i32> = wanted.into_iter().collect();
    let kept =
        inherited::keep_only(&wanted).map_err(|error| Error::new(format!("cannot close descriptors: {error}")))?;
    match wanted.iter().find(|number| kept.iter().all(|kept| kept.number != **number)) {
        Some(number) => Err(Error::new(format!("file descriptor {number} is not available"))
            .with_hint("the process that starts rc must have the descriptors open")),
        None => Ok(kept),
    }
}
