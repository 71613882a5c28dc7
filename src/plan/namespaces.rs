//! `--uts` and `--ipc`: which namespaces a container shares with the host.

use super::config::Ipc;
use super::{Error, Request};
use crate::types::Invalid;

/// Whether the container has the host's names; its own name cannot be set then.
pub(super) fn host_uts(request: &Request) -> Result<bool, Error> {
    match request.uts.as_deref() {
        None | Some("private") => Ok(false),
        Some("host") if request.hostname.is_some() => Err(Error::Exclusive { options: ["--hostname", "--uts host"] }),
        Some("host") => Ok(true),
        Some(text) => Err(Error::option("--uts")(Invalid::new("namespace", text, "must be private or host"))),
    }
}

/// What the container has of shared memory, semaphores and message queues. No other container can join its own, so
/// `shareable` is `private`.
pub(super) fn ipc(request: &Request) -> Result<Ipc, Error> {
    let refused = |text: &str, reason| Err(Error::option("--ipc")(Invalid::new("namespace", text, reason)));
    match request.ipc.as_deref() {
        None | Some("private" | "shareable") => Ok(Ipc::Private),
        Some("none") => Ok(Ipc::None),
        Some("host") => Ok(Ipc::Host),
        Some(text) if text.starts_with("container:") || text.starts_with("ns:") => {
            refused(text, "the namespace of another container cannot be joined")
        }
        Some(text) => refused(text, "must be private, shareable, none or host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_docker_and_podman() {
        let request = |uts: Option<&str>, ipc: Option<&str>, hostname: Option<&str>| Request {
            uts: uts.map(str::to_owned),
            ipc: ipc.map(str::to_owned),
            hostname: hostname.map(str::to_owned),
            ..Request::default()
        };
        for (uts, hostname, expected) in [
            (None, None, Some(false)),
            (Some("private"), Some("x"), Some(false)),
            (Some("host"), None, Some(true)),
            (Some("host"), Some("x"), None),
            (Some("container:x"), None, None),
        ] {
            assert_eq!(host_uts(&request(uts, None, hostname)).ok(), expected, "{uts:?} {hostname:?}");
        }
        for (text, expected) in [
            (None, Some(Ipc::Private)),
            (Some("private"), Some(Ipc::Private)),
            (Some("shareable"), Some(Ipc::Private)),
            (Some("none"), Some(Ipc::None)),
            (Some("host"), Some(Ipc::Host)),
            (Some("container:x"), None),
            (Some("x"), None),
        ] {
            assert_eq!(ipc(&request(None, text, None)).ok(), expected, "{text:?}");
        }
    }
}
