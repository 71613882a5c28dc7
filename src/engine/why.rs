//! Why a container has ended, or does not start.

use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};

use super::context::Context;
use super::image;
use super::select::find;
use crate::container::{self, Cause, Container, Environment, Filesystem, Manager};
use crate::monitor::{ExitRecord, HealthStatus, Status};
use crate::plan::RestartPolicy;
use crate::types::{PortMapping, Protocol, Report, Signal};

/// A container, and why it is as it is.
#[derive(Debug)]
pub(crate) struct Why {
    /// The container.
    pub(crate) container: Container,
    /// The causes, the first one first; none if nothing is wrong.
    pub(crate) causes: Vec<Cause>,
}

/// How often a restarted container must have ended to be in a loop.
const LOOP: u32 = 3;

/// Explains the state of a container from what rc knows and from its files. Executes nothing.
pub(crate) fn why(context: &Context, name: &str) -> Result<Why, Report> {
    let container = find(context, name)?;
    let mut causes = Vec::new();
    match (container.status, &container.state.exit) {
        (Status::Created, _) => not_started(context, &container, &mut causes),
        (Status::Exited | Status::Restarting, Some(exit)) => {
            causes.extend(failed_start(&container));
            ended(&container, exit, &mut causes);
            if matches!(exit.code, 126 | 127) {
                causes.extend(files(context, &container));
            }
        }
        (Status::Exited, None) => {
            causes.push(Cause::new(
                "unknown",
                "how it ended was not recorded: the host was switched off, or its disk was full",
            ));
        }
        (Status::Paused, _) => causes.push(Cause::new("paused", "it is paused").with_hint(hint("unpause", &container))),
        (Status::Orphaned, _) => {
            let cause =
                Cause::new("monitor-killed", "its monitor was killed: the program runs, but rc cannot reach it");
            causes.push(cause.with_hint(hint("stop", &container)));
        }
        _ => {}
    }
    unhealthy(&container, &mut causes);
    looping(&container, &mut causes);
    Ok(Why { container, causes })
}

/// The reason why the program of an existing container cannot be run, if its files show it.
pub(super) fn why_not_run(environment: &Environment, name: &str) -> Option<Cause> {
    let container = container::find(&environment.store, name).ok()?;
    // That a file is missing or may not be executed is what the failure says already.
    let is_news = |cause: &Cause| !matches!(cause.kind.as_str(), "missing-program" | "not-executable");
    examine(environment, &container).ok()?.into_iter().next().filter(is_news)
}

fn hint(command: &str, container: &Container) -> String {
    format!("`rc {command} {}`", container.config.name)
}

fn not_started(context: &Context, container: &Container, causes: &mut Vec<Cause>) {
    causes.extend(container.config.ports.iter().filter(|port| is_taken(port)).map(|port| {
        let message = format!("port {}/{} of the host is in use by another program", port.host_port, port.protocol);
        Cause::new("port-taken", message).with_hint("end that program (`ss -lpn`), or publish another port")
    }));
    causes.extend(files(context, container));
    // What is still wrong is known better than what was.
    if causes.is_empty() {
        let never = || Cause::new("never-started", "it was created and never started");
        causes.push(failed_start(container).unwrap_or_else(|| never().with_hint(hint("start", container))));
    }
}

/// Why its last start has failed, if it has.
fn failed_start(container: &Container) -> Option<Cause> {
    let error = Some(&container.state.start_error).filter(|error| !error.is_empty())?;
    let cause = Cause::new("start-failed", format!("its last start has failed: {error}"));
    Some(cause.with_hint(hint("start", container)))
}

fn is_taken(port: &PortMapping) -> bool {
    let address = (port.host_ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port.host_port);
    let bound = match port.protocol {
        Protocol::Tcp => TcpListener::bind(address).map(drop),
        Protocol::Udp => UdpSocket::bind(address).map(drop),
    };
    bound.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
}

/// What the files of a container show; nothing if they cannot be looked at now.
fn files(context: &Context, container: &Container) -> Vec<Cause> {
    let looked = context.environment(Manager::default()).and_then(|environment| examine(&environment, container));
    looked.unwrap_or_default()
}

fn examine(environment: &Environment, container: &Container) -> Result<Vec<Cause>, Report> {
    let layers = image::layers_of(environment, &container.config)?;
    let filesystem = Filesystem::open(environment, container, layers, false)?;
    filesystem.start("rc: why", |root| Ok(container::examine(root, &container.config)))?.finish()
}

fn ended(container: &Container, exit: &ExitRecord, causes: &mut Vec<Cause>) {
    if exit.oom_killed {
        let limit = container.config.limits.memory.map(|bytes| format!(" of {bytes} bytes")).unwrap_or_default();
        let message = format!("the kernel killed a process of it: its memory limit{limit} was reached");
        causes
            .push(Cause::new("out-of-memory", message).with_hint("give it more: `--memory`, or `rc update --memory`"));
    }
    if !exit.error.is_empty() {
        causes.push(Cause::new("error", exit.error.clone()));
    }
    if exit.stopped_by_user {
        let message = match exit.code {
            137 => format!("you have stopped it; it did not react to {} and was killed", container.config.stop_signal),
            _ => "you have stopped it".to_owned(),
        };
        causes.push(Cause::new("stopped", message));
    } else if !exit.oom_killed && exit.error.is_empty() {
        causes.push(by_code(exit.code));
    }
}

/// What an exit code means. Source: bash(1), "EXIT STATUS"; signal(7).
fn by_code(code: i32) -> Cause {
    let signal = (code - 128).to_string().parse::<Signal>().ok().filter(|_| code > 128);
    match (code, signal) {
        (0, _) => Cause::new("exited", "its program ended by itself, without an error (exit code 0)"),
        (126, _) => Cause::new("exited", "a program in it could not be executed (exit code 126)"),
        (127, _) => Cause::new("exited", "a program in it, or a library, was not found (exit code 127)"),
        (137, _) => Cause::new("signal", "SIGKILL ended it, and neither rc nor its memory limit sent that")
            .with_hint("the host may be out of memory: `journalctl -k | grep -i oom`"),
        (139, _) => Cause::new("signal", "its program crashed: SIGSEGV, an invalid access to memory"),
        (134, _) => Cause::new("signal", "its program aborted: SIGABRT, usually a failed check of its own"),
        (_, Some(signal)) => Cause::new("signal", format!("{signal} ended it, or its program exited with {code}")),
        (code, None) => Cause::new("exited", format!("its program ended by itself, with exit code {code}"))
            .with_hint("its output says more: `rc logs`"),
    }
}

fn unhealthy(container: &Container, causes: &mut Vec<Cause>) {
    let Some(health) = container.state.health.as_ref().filter(|it| it.status == HealthStatus::Unhealthy) else {
        return;
    };
    let output = health.log.last().map(|last| last.output.trim().to_owned()).filter(|text| !text.is_empty());
    let output = output.map(|text| format!(": {}", text.lines().last().unwrap_or_default())).unwrap_or_default();
    let times = match health.failing_streak {
        1 => "once".to_owned(),
        count => format!("{count} times in a row"),
    };
    let message = format!("its health check has failed {times}{output}");
    let hint = format!("`rc healthcheck run {}`; the results are in `rc inspect`", container.config.name);
    // If the check has ended it, its record says the same with fewer words.
    causes.retain(|cause| !message.starts_with(&cause.message));
    causes.push(Cause::new("unhealthy", message).with_hint(hint));
}

fn looping(container: &Container, causes: &mut Vec<Cause>) {
    let restarts = container.state.restart_count;
    if restarts >= LOOP && container.config.restart != RestartPolicy::No {
        let policy = container.config.restart.as_str();
        let message = format!("it was restarted {restarts} times (`--restart {policy}`)");
        causes.push(Cause::new("restart-loop", message).with_hint(hint("stop", container)));
    }
}
