//! What to do if the source of a bind mount does not exist.

use std::path::{Component, Path};

use crate::types::shell;

/// Sockets of daemons that rc does not have.
const DAEMONS: [&str; 3] = ["docker.sock", "podman.sock", "containerd.sock"];

/// The hint for a source that does not exist; `link` is what it leads to, if it is a symbolic link. `None` where only
/// the kernel creates files.
pub(super) fn hint(source: &Path, destination: &Path, link: Option<&Path>) -> Option<String> {
    let name = source.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let shown = source.display();
    if let Some(rest) = after_tilde(source) {
        return Some(format!("the shell did not expand `~`: write `\"$HOME\"{rest}`"));
    }
    if DAEMONS.contains(&name) {
        return Some(format!("no daemon listens at `{shown}`: rc has none, and serves no API"));
    }
    if let Some(target) = link {
        return Some(format!("it is a symbolic link to `{}`, which does not exist", target.display()));
    }
    if ["/proc", "/sys", "/dev"].iter().any(|root| source.starts_with(root)) {
        return None;
    }
    let quoted = shell::quoted(&shown.to_string());
    if name.ends_with(".sock") || name.ends_with(".socket") {
        return Some("a socket exists only while its server runs: start the server first".to_owned());
    }
    if source.extension().is_some() {
        return Some(format!("create it with `touch {quoted}`, or with `mkdir -p {quoted}` if it is a directory"));
    }
    let volume = format!("NAME:{}", destination.display());
    Some(format!("create it with `mkdir -p {quoted}`, or use a volume: `-v {}`", shell::quoted(&volume)))
}

/// What follows the component `~` of a path: `/x`.
fn after_tilde(path: &Path) -> Option<String> {
    let mut components = path.components();
    components.find(|component| *component == Component::Normal("~".as_ref()))?;
    let rest = components.as_path().display().to_string();
    Some(if rest.is_empty() { rest } else { shell::quoted(&format!("/{rest}")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_fits_what_is_missing() {
        for (source, expected) in [
            ("/srv/data", Some("create it with `mkdir -p /srv/data`, or use a volume: `-v NAME:/v`")),
            ("/srv/my data", Some("create it with `mkdir -p '/srv/my data'`, or use a volume: `-v NAME:/v`")),
            ("/srv/.data", Some("create it with `mkdir -p /srv/.data`, or use a volume: `-v NAME:/v`")),
            (
                "/srv/app.conf",
                Some("create it with `touch /srv/app.conf`, or with `mkdir -p /srv/app.conf` if it is a directory"),
            ),
            (
                "/var/run/docker.sock",
                Some("no daemon listens at `/var/run/docker.sock`: rc has none, and serves no API"),
            ),
            ("/run/x.sock", Some("a socket exists only while its server runs: start the server first")),
            ("/home/me/~/x", Some("the shell did not expand `~`: write `\"$HOME\"/x`")),
            ("/home/me/~/a b", Some("the shell did not expand `~`: write `\"$HOME\"'/a b'`")),
            ("/home/me/~", Some("the shell did not expand `~`: write `\"$HOME\"`")),
            ("/dev/ttyUSB0", None),
            ("/sys/fs/cgroup/x", None),
        ] {
            assert_eq!(hint(Path::new(source), Path::new("/v"), None).as_deref(), expected, "{source}");
        }
        let dangling = hint(Path::new("/srv/data"), Path::new("/v"), Some(Path::new("/mnt/x")));
        assert_eq!(dangling.as_deref(), Some("it is a symbolic link to `/mnt/x`, which does not exist"));
    }
}
