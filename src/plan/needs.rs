//! What must be looked up on the host before a request can be resolved.
//!
//! ```text
//! needs(request, image, defaults) ──▶ Needs ── the engine looks up ──▶ Found ──▶ Facts ──▶ resolve
//! ```

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{
    Defaults, FreePort, ImageDefaults, MountRequest, Request, accounts, cdi, expose, kernel, links, mounts, namespaces,
    network, ports, timezone, user_namespace, volumes_from,
};
use crate::types::Protocol;

/// What to look up on the host for a request. Most requests need nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Free host ports for container ports that are published on any port, in this order.
    pub(crate) ports: Vec<FreePort>,
    /// Host ports that the request names itself: none of them may be used for another.
    pub(crate) named_ports: BTreeSet<(Protocol, u16)>,
    /// Paths of the host's block devices.
    pub(crate) block_devices: BTreeSet<String>,
    /// The most names for anonymous volumes that may be used.
    pub(crate) volume_names: usize,
    /// Paths of the host's devices.
    pub(crate) devices: BTreeSet<String>,
    /// Whether all devices are needed that the user may open.
    pub(crate) all_devices: bool,
    /// Whether the least OOM score is needed that the user may set.
    pub(crate) oom_score_adj: bool,
    /// Whether the IDs are needed that other containers have for themselves alone.
    pub(crate) taken_ids: bool,
    /// Devices that files of vendors describe.
    pub(crate) described: BTreeSet<String>,
    /// The file of a time zone.
    pub(crate) zone: Option<PathBuf>,
    /// Other containers by name or ID.
    pub(crate) containers: BTreeSet<String>,
    /// Networks by name or ID.
    pub(crate) networks: BTreeSet<String>,
    /// Users of the host by name or number; the empty name is the user that runs rc.
    pub(crate) accounts: BTreeSet<String>,
    /// Patterns of the host's paths, as typed.
    pub(crate) globs: BTreeSet<String>,
}

/// Says what must be looked up for this request. Invalid values need nothing: `resolve` refuses them.
pub(crate) fn needs(
    request: &Request,
    image: &ImageDefaults,
    defaults: &Defaults,
    environment: &[(String, String)],
) -> Needs {
    let mode = user_namespace::mode(request, environment).ok().flatten().unwrap_or_default();
    let mut needs = Needs {
        volume_names: mounts::count_anonymous(request, image),
        block_devices: request.limits.block_devices(),
        devices: request.devices.iter().filter_map(|text| kernel::device_source(text)).map(str::to_owned).collect(),
        all_devices: request.privileged,
        oom_score_adj: request.oom_score_adj.is_some(),
        described: cdi::names(request),
        zone: request.tz.as_deref().and_then(timezone::file),
        containers: namespaces::containers(request)
            .into_iter()
            .chain(volumes_from::containers(request))
            .chain(links::containers(&request.links))
            .collect(),
        taken_ids: user_namespace::needs_free_ids(mode),
        globs: request.mounts.iter().filter_map(MountRequest::pattern).map(str::to_owned).collect(),
        accounts: accounts::needed(request, user_namespace::keeps_user(request, mode)),
        ..Needs::default()
    };
    let network = network::network(request, defaults).ok();
    needs.networks = network.as_ref().map(network::names).unwrap_or_default();
    if network.is_some_and(|network| network.forwards_ports()) {
        let published = expose::published(request, image).unwrap_or_default();
        (needs.ports, needs.named_ports) = ports::needs(&published, defaults);
    }
    needs
}

#[cfg(test)]
mod tests {
    use super::super::PortRequest;
    use super::super::tests::image;
    use super::*;
    use crate::types::Network;

    #[test]
    fn a_request_needs_what_it_does_not_name() {
        let of = |request: &Request, volumes: &[&str]| {
            let image = ImageDefaults { volumes: volumes.iter().map(|&path| path.to_owned()).collect(), ..image() };
            needs(request, &image, &Defaults::default(), &[])
        };
        assert_eq!(of(&Request::default(), &[]), Needs::default());
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let mut request = Request {
            publish: ["80", "127.0.0.1::53/udp", "8000-8001:80-81", "[::1]::80-81"]
                .map(|text| PortRequest::from_publish(text).unwrap())
                .into(),
            mounts: ["/data", "db:/db", "/srv:/srv"].map(|text| MountRequest::from_volume(text).unwrap()).into(),
            ..Request::default()
        };
        request.limits.device_read_bps = words(&["/dev/a:1mb", "a", "/dev/a:2"]);
        request.limits.blkio_weight_devices = words(&["/dev/b:10", "/etc/passwd:10"]);
        let free = |address: Option<&str>, protocol| FreePort {
            address: address.map(|a| a.parse().unwrap()),
            protocol,
            among: None,
        };
        let expected = Needs {
            ports: vec![
                free(None, Protocol::Tcp),
                free(Some("127.0.0.1"), Protocol::Udp),
                free(Some("::1"), Protocol::Tcp),
                free(Some("::1"), Protocol::Tcp),
            ],
            named_ports: [(Protocol::Tcp, 8000), (Protocol::Tcp, 8001)].into(),
            block_devices: words(&["/dev/a", "/dev/b"]).into_iter().collect(),
            volume_names: 3,
            ..Needs::default()
        };
        assert_eq!(of(&request, &["/x", "/y"]), expected);
        // Nothing is forwarded from the host's own network.
        let host = Request { network: Some(Network::Host), ..request };
        assert!(of(&host, &[]).ports.is_empty());
    }
}
