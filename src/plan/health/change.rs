//! `update --health-*`: what a container has instead of its health check.

use super::{Check, HealthLog, HealthRequest, Healthcheck, Startup, complete, healthcheck};
use crate::plan::{Error, ImageDefaults, Sdnotify};
use crate::types::Invalid;
use crate::types::image_settings::Healthcheck as ImageHealthcheck;

/// The check with what was asked for; the rest stays as it is `now`. `None` if the container is not checked any more.
///
/// Fails if there is no check to change, and no command for a new one.
pub(in crate::plan) fn changed(now: Option<&Healthcheck>, asked: &HealthRequest) -> Result<Option<Healthcheck>, Error> {
    if asked.disabled {
        return healthcheck(asked, &ImageDefaults::none(), Sdnotify::default());
    }
    let Some(now) = now else {
        let made = complete(asked, &ImageDefaults::none())?;
        if made.is_none() && asked.cmd.is_none() {
            let reason = "the container has no health check: give its command";
            return Err(Error::option("--health-cmd")(Invalid::new("command", "", reason)));
        }
        return Ok(made);
    };
    let as_of_image = ImageHealthcheck { test: now.check.test.clone(), ..ImageHealthcheck::default() };
    let image = ImageDefaults { healthcheck: Some(as_of_image), ..ImageDefaults::none() };
    let startup = now.startup.as_ref().filter(|_| asked.startup_cmd.is_none());
    // The command's words are taken as they are: there is one, so that the other options are read.
    let with_startup = HealthRequest {
        startup_cmd: asked.startup_cmd.clone().or_else(|| startup.map(|_| "CMD true".to_owned())),
        ..asked.clone()
    };
    let made = complete(&with_startup, &image)?;
    Ok(made.map(|made| Healthcheck {
        check: kept(made.check, &now.check, &[&asked.interval, &asked.timeout], asked.retries),
        start_period: if asked.start_period.is_some() { made.start_period } else { now.start_period },
        start_interval: if asked.start_interval.is_some() { made.start_interval } else { now.start_interval },
        on_failure: if asked.on_failure.is_some() { made.on_failure } else { now.on_failure },
        startup: match (made.startup, startup) {
            (Some(new), Some(now)) => Some(Startup {
                check: Check {
                    test: now.check.test.clone(),
                    ..kept(
                        new.check,
                        &now.check,
                        &[&asked.startup_interval, &asked.startup_timeout],
                        asked.startup_retries,
                    )
                },
                successes: if asked.startup_success.is_some() { new.successes } else { now.successes },
            }),
            (new, _) => new,
        },
        log: HealthLog {
            count: if asked.max_log_count.is_some() { made.log.count } else { now.log.count },
            size: if asked.max_log_size.is_some() { made.log.size } else { now.log.size },
        },
    }))
}

/// A check whose interval, timeout and retries are those of `now` if they were not asked for.
fn kept(made: Check, now: &Check, [interval, timeout]: &[&Option<String>; 2], retries: Option<u32>) -> Check {
    Check {
        interval: if interval.is_some() { made.interval } else { now.interval },
        timeout: if timeout.is_some() { made.timeout } else { now.timeout },
        retries: if retries.is_some() { made.retries } else { now.retries },
        test: made.test,
    }
}
