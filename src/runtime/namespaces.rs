//! The namespaces in a runtime spec.

use nix::sched::CloneFlags;
use oci_spec::runtime::{LinuxIdMapping, LinuxNamespaceType, Spec};

use crate::types::{IdMaps, IdRange};

/// The namespaces that init is created in. Init itself unshares the cgroup namespace, after it has been put into its
/// cgroup: together with the others, the root of its cgroup namespace would be the monitor's cgroup (design.md,
/// "Limits").
pub(super) fn at_birth(spec: &Spec) -> CloneFlags {
    namespaces_of(spec).difference(CloneFlags::CLONE_NEWCGROUP)
}

/// The flag of clone(2) and setns(2) for a kind of namespace.
pub(super) fn flag(kind: LinuxNamespaceType) -> CloneFlags {
    match kind {
        LinuxNamespaceType::Mount => CloneFlags::CLONE_NEWNS,
        LinuxNamespaceType::Uts => CloneFlags::CLONE_NEWUTS,
        LinuxNamespaceType::Ipc => CloneFlags::CLONE_NEWIPC,
        LinuxNamespaceType::Pid => CloneFlags::CLONE_NEWPID,
        LinuxNamespaceType::Network => CloneFlags::CLONE_NEWNET,
        LinuxNamespaceType::User => CloneFlags::CLONE_NEWUSER,
        LinuxNamespaceType::Cgroup => CloneFlags::CLONE_NEWCGROUP,
        LinuxNamespaceType::Time => CloneFlags::empty(),
    }
}

/// The container's maps; empty if it has the IDs of the root namespace as they are.
pub(super) fn maps(spec: &Spec) -> IdMaps {
    let ranges = |mappings: &Option<Vec<LinuxIdMapping>>| {
        let range = |mapping: &LinuxIdMapping| IdRange {
            inside: mapping.container_id(),
            outside: mapping.host_id(),
            count: mapping.size(),
        };
        mappings.iter().flatten().map(range).collect()
    };
    let linux = spec.linux().as_ref();
    linux.map_or_else(IdMaps::default, |linux| IdMaps {
        uids: ranges(linux.uid_mappings()),
        gids: ranges(linux.gid_mappings()),
    })
}

/// The namespaces of the container that are not the host's.
pub(crate) fn namespaces_of(spec: &Spec) -> CloneFlags {
    let all = spec.linux().iter().flat_map(|linux| linux.namespaces().iter().flatten());
    all.fold(CloneFlags::CLONE_NEWUSER, |flags, namespace| flags | flag(namespace.typ()))
}

/// Whether the container has a namespace of this kind that is not the host's.
pub(super) fn has_namespace(spec: &Spec, kind: LinuxNamespaceType) -> bool {
    spec.linux().iter().flat_map(|l| l.namespaces().iter().flatten()).any(|namespace| namespace.typ() == kind)
}
