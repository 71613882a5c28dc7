//! What process 1 of a container is: `--init`, `--init-path`, `--systemd`; and its kernel's face, `--personality`.

use std::path::{Path, PathBuf};

use super::{Error, Mount, MountKind, Personality, Request};
use crate::types::{ContainerId, Invalid};

/// Where a program of `--init-path` is in the container: on rc's own filesystem, so that the image's is not changed.
pub(super) const INIT_PLACE: &str = "/dev/init";

/// Programs that are systemd, or stand for it. Source: podman-run(1), `--systemd`.
const SYSTEMD: [&str; 3] = ["/sbin/init", "/usr/sbin/init", "/usr/local/sbin/init"];

/// The filesystems that systemd wants to be empty at its start. Source: podman-run(1), `--systemd`.
const OF_SYSTEMD: [&str; 4] = ["/run", "/run/lock", "/tmp", "/var/log/journal"];

/// The personality that was asked for.
pub(super) fn personality(request: &Request) -> Result<Option<Personality>, Error> {
    match request.personality.as_deref() {
        None => Ok(None),
        Some(text) if text.eq_ignore_ascii_case("linux") => Ok(Some(Personality::Linux)),
        Some(text) if text.eq_ignore_ascii_case("linux32") => Ok(Some(Personality::Linux32)),
        Some(text) => {
            Err(Error::option("--personality")(Invalid::new("personality", text, "must be LINUX or LINUX32")))
        }
    }
}

/// The program of the host that is process 1, if it is not rc's own init; absolute.
pub(super) fn init_path(request: &Request, working_dir: &Path) -> Result<Option<PathBuf>, Error> {
    let Some(path) = &request.init_path else { return Ok(None) };
    if request.init != Some(true) {
        let reason = "needs `--init`: it names the program for it";
        return Err(Error::option("--init-path")(Invalid::new("path", path.display().to_string(), reason)));
    }
    Ok(Some(working_dir.join(path)))
}

/// Whether the program is systemd, for which the container is prepared.
pub(super) fn is_systemd(request: &Request, argv: &[String]) -> Result<bool, Error> {
    let program = argv.first().map_or("", String::as_str);
    match request.systemd.as_deref() {
        None | Some("true") => Ok(SYSTEMD.contains(&program) || program.rsplit('/').next() == Some("systemd")),
        Some("always") => Ok(true),
        Some("false") => Ok(false),
        Some(text) => Err(Error::option("--systemd")(Invalid::new("mode", text, "must be true, false or always"))),
    }
}

/// What systemd takes for the ID of its machine. Source: systemd, "The Container Interface".
pub(super) fn variable_for_systemd(is_systemd: bool, id: &ContainerId) -> Option<String> {
    is_systemd.then(|| format!("container_uuid={}", id.as_str().get(..32).unwrap_or_default()))
}

/// The mounts of a container for systemd, except where others are.
pub(super) fn mounts_for_systemd(others: &[Mount]) -> Vec<Mount> {
    let is_free = |place: &&str| others.iter().all(|mount| mount.destination != *place);
    let tmpfs = |place: &str| {
        let mode = if place == "/tmp" { "mode=1777" } else { "mode=755" };
        let options = ["nosuid", "nodev", mode, "tmpcopyup"].map(str::to_owned).to_vec();
        Mount { kind: MountKind::Tmpfs, destination: place.to_owned(), read_only: false, options }
    };
    OF_SYSTEMD.into_iter().filter(is_free).map(tmpfs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_is_known_by_its_program() {
        let of = |mode: Option<&str>, program: &str| {
            let request = Request { systemd: mode.map(str::to_owned), ..Request::default() };
            is_systemd(&request, &[program.to_owned()]).ok()
        };
        for program in ["/sbin/init", "/usr/sbin/init", "/lib/systemd/systemd", "systemd"] {
            assert_eq!((of(None, program), of(Some("false"), program)), (Some(true), Some(false)), "{program}");
        }
        for program in ["/init", "init", "/sbin/init.sh", "systemd-nspawn"] {
            assert_eq!((of(None, program), of(Some("always"), program)), (Some(false), Some(true)), "{program}");
        }
        assert_eq!(of(Some("maybe"), "sh"), None);
    }

    #[test]
    fn a_program_for_init_needs_init() {
        let of = |init| {
            let request = Request { init, init_path: Some("bin/tini".into()), ..Request::default() };
            init_path(&request, Path::new("/srv")).ok().flatten()
        };
        assert_eq!((of(Some(true)), of(None)), (Some("/srv/bin/tini".into()), None));
    }

    #[test]
    fn personalities_are_two() {
        let of = |text: &str| {
            personality(&Request { personality: Some(text.to_owned()), ..Request::default() }).ok().flatten()
        };
        assert_eq!(
            (of("LINUX32"), of("linux"), of("BSD")),
            (Some(Personality::Linux32), Some(Personality::Linux), None)
        );
    }
}
