//! The spec of a container for another OCI runtime (`--explain=spec`): what rc keeps beside the spec is in it, as far
//! as a spec can say it.
//!
//! What is left to the user of the spec: a root filesystem at `rootfs`, a network, `/etc/hosts` and
//! `/etc/resolv.conf`, the secrets, overlays that begin empty at each start, and rc's own init (`--init`).

mod filter;

use std::path::PathBuf;

use oci_spec::runtime::{Capabilities, LinuxIdMapping, LinuxIdMappingBuilder, Mount, Root, Spec};

use super::spec::spec;
use super::{ContainerConfig, Error, HostFacts, Seccomp};

/// What a spec for another runtime has to say about IDs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Owners {
    /// Extents of user IDs: the first one in the container, the first one on the host, how many.
    pub(crate) uids: Vec<[u32; 3]>,
    /// The same of group IDs.
    pub(crate) gids: Vec<[u32; 3]>,
    /// The program's user.
    pub(crate) uid: u32,
    /// Its group.
    pub(crate) gid: u32,
    /// Its other groups.
    pub(crate) groups: Vec<u32>,
    /// Its home directory.
    pub(crate) home: String,
}

/// The version of the runtime spec that every runtime knows; nothing newer is used.
const OCI_VERSION: &str = "1.0.2";

/// The spec for another runtime.
pub(crate) fn portable(config: &ContainerConfig, host: &HostFacts, owners: &Owners) -> Result<Spec, Error> {
    let mut spec = spec(config, host)?;
    let mut root = Root::default();
    root.set_path(PathBuf::from("rootfs")).set_readonly(Some(config.read_only));
    spec.set_root(Some(root)).set_version(OCI_VERSION.to_owned());
    if let Some(mounts) = spec.mounts_mut() {
        // rc writes these files at a start.
        mounts.retain(|mount| !mount.source().as_ref().is_some_and(|source| source.starts_with(&host.container_dir)));
        // And these directories.
        let has_scratch = |mount: &Mount| mount.options().iter().flatten().any(|word| word.starts_with("scratch="));
        mounts.retain(|mount| !has_scratch(mount));
    }
    if let Some(process) = spec.process_mut() {
        let mut user = process.user().clone();
        user.set_username(None).set_uid(owners.uid).set_gid(owners.gid);
        user.set_additional_gids(Some(owners.groups.clone()).filter(|groups| !groups.is_empty()));
        process.set_user(user);
        let mut env = process.env().clone().unwrap_or_default();
        if !env.iter().any(|line| line.starts_with("HOME=")) {
            env.push(format!("HOME={}", owners.home));
        }
        process.set_env(Some(env));
        if owners.uid != 0
            && let Some(mut sets) = process.capabilities().clone()
        {
            // As with rc, they end with the change of the user.
            sets.set_effective(Some(Capabilities::new())).set_permitted(Some(Capabilities::new()));
            process.set_capabilities(Some(sets));
        }
    }
    if let Some(linux) = spec.linux_mut() {
        // The usual ones; an unprivileged runtime cannot make nodes.
        linux.set_devices(None);
        linux.set_uid_mappings(Some(mappings(&owners.uids))).set_gid_mappings(Some(mappings(&owners.gids)));
        if config.seccomp == Seccomp::Default {
            linux.set_seccomp(filter::filter(&config.capabilities));
        }
    }
    Ok(spec)
}

fn mappings(extents: &[[u32; 3]]) -> Vec<LinuxIdMapping> {
    let mapping = |[inside, outside, count]: &[u32; 3]| {
        LinuxIdMappingBuilder::default().container_id(*inside).host_id(*outside).size(*count).build().ok()
    };
    extents.iter().filter_map(mapping).collect()
}
