use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use clap::ArgMatches;

use crate::error::Error;
use crate::plan::DescriptorRequest;
use crate::sys::fs;
use crate::sys::inherited::{self, Inherited};
use crate::types::{Report, ReportKind};

/// The descriptors of the caller that the program gets.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct PreserveArgs {
    /// Pass the file descriptors with these numbers into the container
    #[arg(long, value_name = "FD[,FD...]", value_delimiter = ',', value_parser = clap::value_parser!(i32).range(3..))]
    preserve_fd: Vec<i32>,
    /// Pass N additional file descriptors into the container, from number 3 on
    #[arg(long, value_name = "N", conflicts_with = "preserve_fd", value_parser = clap::value_parser!(u16))]
    preserve_fds: Option<u16>,
}

impl PreserveArgs {
    /// The descriptors that the program gets, by the caller's numbers.
    pub(super) fn into_requests(self) -> Vec<DescriptorRequest> {
        let from_three = 3..3 + i32::from(self.preserve_fds.unwrap_or_default());
        let numbers: BTreeSet<i32> = self.preserve_fd.into_iter().chain(from_three).collect();
        numbers.into_iter().map(|number| DescriptorRequest { number, from: None }).collect()
    }
}

/// The descriptors of the caller that stay open.
#[derive(Debug, Default)]
pub(crate) struct OpenDescriptors {
    /// Those for the program.
    pub(crate) for_program: Vec<Inherited>,
    /// Those that paths in the command line name, for this command alone.
    pub(crate) own: Vec<Inherited>,
}

/// Closes the descriptors that the caller left open, except those that an option passes on, those that a path in a
/// `typed` word names (`/dev/fd/N`), and the first `listening` from 3 on, which a service manager passed. Fails if one
/// that is to be passed on is not open.
pub(crate) fn keep_descriptors(
    typed: &[String],
    matches: &ArgMatches,
    listening: usize,
) -> Result<OpenDescriptors, Error> {
    let from_three = |count: usize| 3..3 + i32::try_from(count).unwrap_or(i32::MAX - 3);
    let mut wanted = BTreeSet::new();
    // Most commands do not have these options.
    if let Ok(Some(numbers)) = matches.try_get_many::<i32>("preserve_fd") {
        wanted.extend(numbers);
    }
    if let Ok(count) = matches.try_get_one::<u16>("preserve_fds") {
        wanted.extend(from_three(usize::from(count.copied().unwrap_or_default())));
    }
    // The last one tells whether the number can be true: a variable that says two thousand million costs nothing.
    let last = i32::try_from(listening).unwrap_or(i32::MAX).saturating_add(2);
    if listening > 0 && !inherited::is_open(last) {
        return Err(unavailable(last).with_hint("LISTEN_FDS promises it: unset that for another command").into());
    }
    wanted.extend(from_three(listening));
    let named = typed.iter().flat_map(|word| inherited::named_in(word));
    let kept = keep(&wanted.iter().copied().chain(named).collect())?;
    let (for_program, own): (Vec<_>, Vec<_>) = kept.into_iter().partition(|kept| wanted.contains(&kept.number));
    match wanted.iter().find(|number| for_program.iter().all(|kept| kept.number != **number)) {
        Some(number) => Err(unavailable(*number).into()),
        None => Ok(OpenDescriptors { for_program, own }),
    }
}

/// Closes the descriptors that the caller left open, except the requested ones and `channel`. Returns the requested
/// ones, with the numbers that the program sees, and the channel if it is open.
pub(crate) fn keep_requested(
    asked: &[DescriptorRequest],
    channel: i32,
) -> Result<(Vec<Inherited>, Option<OwnedFd>), Report> {
    let numbers: BTreeSet<i32> = asked.iter().map(|one| one.number).collect();
    if numbers.len() < asked.len() || numbers.iter().any(|number| *number < 3) {
        let message = "the numbers of the program's further descriptors must be above 2, and different";
        return Err(Report::new(ReportKind::Invalid, message));
    }
    let from = |one: &DescriptorRequest| one.from.unwrap_or(one.number);
    if let Some(standard) = asked.iter().map(from).find(|number| *number < 3) {
        let message = format!("the program already has file descriptor {standard}");
        return Err(Report::new(ReportKind::Invalid, message));
    }
    let mut kept = keep(&asked.iter().map(from).chain([channel]).collect())?;
    let channel = kept.iter().position(|kept| kept.number == channel).map(|at| kept.swap_remove(at).fd);
    // Nobody else has it yet.
    let channel = channel.and_then(Arc::into_inner);
    let copy = |one: &DescriptorRequest| {
        let source = kept.iter().find(|kept| kept.number == from(one)).ok_or_else(|| unavailable(from(one)))?;
        let fd = source.fd.try_clone();
        let failed = |error| {
            Report::new(ReportKind::of_step(&error), format!("cannot copy a descriptor: {}", fs::plain(&error)))
        };
        Ok(Inherited { number: one.number, fd: fd.map_err(failed)?.into() })
    };
    let copies = asked.iter().map(copy).collect::<Result<Vec<_>, Report>>()?;
    Ok((copies, channel))
}

fn keep(wanted: &BTreeSet<i32>) -> Result<Vec<Inherited>, Report> {
    let wanted: Vec<i32> = wanted.iter().copied().collect();
    inherited::keep_only(&wanted).map_err(|error| {
        Report::new(ReportKind::of_step(&error), format!("cannot close descriptors: {}", fs::plain(&error)))
    })
}

fn unavailable(number: i32) -> Report {
    Report::new(ReportKind::Invalid, format!("file descriptor {number} is not available"))
        .with_hint("the process that starts rc must open it")
}
