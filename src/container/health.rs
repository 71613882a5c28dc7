//! Runs a health check now.

use super::client::{answer, ask, connect};
use super::{Container, Error};
use crate::monitor::protocol::{Ask, Event};
use crate::monitor::{HealthStatus, Status};

/// Runs the container's health check, and returns whether it has passed, and what the results amount to now.
///
/// Fails if the container has no check, or does not run.
pub(crate) fn check(container: &Container) -> Result<(bool, HealthStatus), Error> {
    if container.config.healthcheck.is_none() {
        return Err(Error::NotChecked(container.config.name.to_string()));
    }
    const ACTION: &str = "check";
    if container.status != Status::Running {
        return Err(container.cannot(ACTION));
    }
    ask_for_check(container).map_err(|error| container.explain(ACTION, error))
}

fn ask_for_check(container: &Container) -> Result<(bool, HealthStatus), Error> {
    let socket = connect(container)?;
    ask(&socket, &Ask::Check, &[])?;
    loop {
        if let (Event::Checked { passed, status }, _) = answer(&socket)? {
            return Ok((passed, status));
        }
    }
}
