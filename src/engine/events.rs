//! Events: those that have happened, and those to come.

use std::ops::ControlFlow;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::context::Context;
use crate::storage::events::{Event, EventReader};
use crate::types::{Report, go_duration};
use crate::view::filter::EventFilter;
use crate::view::when;

/// Which events.
#[derive(Debug, Default)]
pub(crate) struct EventRequest {
    /// `KEY=VALUE`.
    pub(crate) filters: Vec<String>,
    /// The earliest.
    pub(crate) since: Option<String>,
    /// The last.
    pub(crate) until: Option<String>,
    /// Wait for events to come.
    pub(crate) follow: bool,
    /// A duration in `until` is in the future: then there is something to wait for.
    pub(crate) is_ahead: bool,
}

/// Passes events to `show`, in batches, oldest first. With `follow` it waits for more, until `until` or a break;
/// without `since` and `until` it begins with those to come.
pub(crate) fn events<B>(
    context: &Context,
    request: &EventRequest,
    mut show: impl FnMut(&[Event]) -> ControlFlow<B>,
) -> Result<Option<B>, Report> {
    let clock = context.clock();
    let filter = EventFilter::parse(&request.filters)?;
    let since = request.since.as_deref().map(|text| when::parse(text, clock)).transpose()?;
    let ahead = |text: &str| go_duration(text.trim()).filter(|_| request.is_ahead).map(SignedDuration::abs);
    let until = |text: &str| match ahead(text).and_then(|length| clock.now.checked_add(length).ok()) {
        Some(time) => Ok(time),
        None => when::parse(text, clock),
    };
    let until = request.until.as_deref().map(until).transpose()?;
    let has_past = since.is_some() || until.is_some() || !request.follow;
    let store = if request.follow { context.store()?.clone() } else { context.store_to_read()? };
    let mut reader = EventReader::new(&store, has_past)?;
    let is_wanted = |event: &Event| {
        let time = event.time.parse::<Timestamp>().ok();
        filter.matches(event)
            && since.is_none_or(|since| time.is_some_and(|time| time >= since))
            && until.is_none_or(|until| time.is_some_and(|time| time <= until))
    };
    loop {
        let mut found = reader.read();
        found.retain(is_wanted);
        if !found.is_empty()
            && let ControlFlow::Break(broken) = show(&found)
        {
            return Ok(Some(broken));
        }
        let left = until.map(|until| Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default());
        if !request.follow || left.is_some_and(|left| left.is_zero()) {
            return Ok(None);
        }
        reader.wait(left)?;
    }
}
