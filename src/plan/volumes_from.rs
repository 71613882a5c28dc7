//! `--volumes-from CONTAINER[:OPTIONS]`: the volumes and binds of other containers. Source: podman-run(1).

use super::namespaces::container;
use super::{Error, Facts, Mount, MountKind, Request};
use crate::types::Invalid;

const OPTION: &str = "--volumes-from";

fn split(text: &str) -> (&str, &str) {
    text.split_once(':').unwrap_or((text, ""))
}

/// The containers that the request names.
pub(super) fn containers(request: &Request) -> impl Iterator<Item = String> {
    request.volumes_from.iter().map(|text| split(text).0.to_owned())
}

/// The mounts of the others. Their anonymous volumes stay theirs: they do not go with this container.
pub(super) fn mounts(request: &Request, facts: &Facts) -> Result<Vec<Mount>, Error> {
    let mut all: Vec<Mount> = Vec::new();
    for text in &request.volumes_from {
        let (name, options) = split(text);
        let other = container(facts, OPTION, name)?;
        let mut read_only = None;
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option {
                "ro" => read_only = Some(true),
                "rw" => read_only = Some(false),
                // No effect, as with `--volume`.
                "z" | "Z" => {}
                _ => {
                    let reason = format!("has an unknown option `{}`: there are ro, rw and z", option.escape_debug());
                    return Err(Error::option(OPTION)(Invalid::new("volumes", text, reason)));
                }
            }
        }
        for mount in &other.mounts {
            let kind = match &mount.kind {
                MountKind::Volume { name, settings, .. } => {
                    MountKind::Volume { name: name.clone(), anonymous: false, settings: settings.clone() }
                }
                kind @ (MountKind::Bind { .. } | MountKind::Image { .. }) => kind.clone(),
                MountKind::Tmpfs | MountKind::Ramfs | MountKind::Devpts => continue,
            };
            // Of several containers with a mount there, the last one has it.
            all.retain(|before| before.destination != mount.destination);
            all.push(Mount { kind, read_only: read_only.unwrap_or(mount.read_only), ..mount.clone() });
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::super::config::VolumeSettings;
    use super::super::tests::facts;
    use super::super::{ContainerConfig, example};
    use super::*;

    #[test]
    fn volumes_and_binds_are_taken_and_no_tmpfs() {
        let mount = |kind, destination: &str| Mount {
            kind,
            destination: destination.to_owned(),
            read_only: false,
            options: Vec::new(),
        };
        let volume = |anonymous| MountKind::Volume {
            name: "db".parse().unwrap(),
            anonymous,
            settings: VolumeSettings::default(),
        };
        let bind = MountKind::Bind { source: "/srv".into() };
        let mounts = vec![mount(volume(true), "/db"), mount(bind.clone(), "/srv"), mount(MountKind::Tmpfs, "/tmp")];
        let mut facts = facts();
        let other = ContainerConfig { mounts, ..example() };
        facts.found.containers = [("web".to_owned(), Some(Box::new(other)))].into();
        let of = |text: &str| {
            let request = Request { volumes_from: vec![text.to_owned()], ..Request::default() };
            super::mounts(&request, &facts).map_err(|error| error.to_string())
        };
        let expected = vec![mount(volume(false), "/db"), mount(bind, "/srv")];
        assert_eq!(of("web"), Ok(expected.clone()));
        let read_only = expected.into_iter().map(|mount| Mount { read_only: true, ..mount }).collect();
        assert_eq!(of("web:ro,z"), Ok(read_only));
        assert!(of("web:x").unwrap_err().contains("unknown option `x`"));
    }
}
