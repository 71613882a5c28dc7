//! What a request that says nothing about it gets from the settings.

use std::collections::BTreeSet;

use crate::plan::{MountRequest, PullPolicy, Request};
use crate::settings::{Settings, Text, Texts};
use crate::types::{Invalid, Report, capability};

/// The request with the settings below it: of a list, what the request adds comes last and therefore counts.
///
/// Fails if a setting is not in the grammar of its option.
pub(super) fn beneath(mut request: Request, settings: &Settings) -> Result<Request, Report> {
    let (container, network) = (&settings.container, &settings.network);
    for (asked, usual) in [
        (&mut request.cgroupns, &container.cgroupns),
        (&mut request.cgroups, &container.cgroups),
        (&mut request.ipc, &container.ipc),
        (&mut request.log.driver, &settings.log.driver),
        (&mut request.umask, &container.umask),
        (&mut request.uts, &container.uts),
    ] {
        let Text(usual) = &usual.value;
        if asked.is_none() && !usual.is_empty() {
            *asked = Some(usual.clone());
        }
    }
    for (asked, usual) in [
        (&mut request.annotations, &container.annotations),
        (&mut request.devices, &container.devices),
        (&mut request.sysctls, &container.sysctls),
        (&mut request.ulimits, &container.ulimits),
    ] {
        let Texts(usual) = &usual.value;
        asked.splice(0..0, usual.iter().cloned());
    }
    for (asked, usual) in
        [(&mut request.dns_search, &network.dns_searches), (&mut request.dns_options, &network.dns_options)]
    {
        let Texts(usual) = &usual.value;
        if asked.is_empty() {
            asked.clone_from(usual);
        }
    }
    request.env_host |= container.env_host.value;
    request.no_hosts |= container.no_hosts.value && request.add_hosts.is_empty() && request.hosts_file.is_none();
    request.read_only |= container.read_only.value;
    request.http_proxy = request.http_proxy.or(Some(container.http_proxy.value));
    request.init = request.init.or(Some(container.init.value));
    request.pull = match (request.pull, &container.pull.value) {
        (None, Text(word)) if !word.is_empty() => Some(policy(word)?),
        (asked, _) => asked,
    };
    mounts(&mut request, &container.volumes.value)?;
    capabilities(&mut request, &container.capabilities.value);
    Ok(request)
}

fn policy(word: &str) -> Result<PullPolicy, Invalid> {
    match word {
        "always" => Ok(PullPolicy::Always),
        "missing" => Ok(PullPolicy::Missing),
        "never" => Ok(PullPolicy::Never),
        "newer" => Ok(PullPolicy::Newer),
        _ => Err(Invalid::new("pull policy", word, "must be always, missing, never or newer")),
    }
}

/// Volumes of the settings, unless the request mounts something in their places.
fn mounts(request: &mut Request, Texts(volumes): &Texts) -> Result<(), Report> {
    let mut usual = volumes.iter().map(|text| MountRequest::from_volume(text)).collect::<Result<Vec<_>, _>>()?;
    usual.retain(|usual| request.mounts.iter().all(|asked| asked.destination != usual.destination));
    request.mounts.splice(0..0, usual);
    Ok(())
}

/// Capabilities of the settings replace rc's own; the options of the request add to them and drop from them.
fn capabilities(request: &mut Request, Texts(usual): &Texts) {
    let bare = |name: &str| name.to_ascii_uppercase().trim_start_matches("CAP_").to_owned();
    let named =
        |texts: &[String]| -> BTreeSet<String> { texts.iter().flat_map(|texts| texts.split(',')).map(bare).collect() };
    let (usual, add, drop) = (named(usual), named(&request.cap_add), named(&request.cap_drop));
    if usual.is_empty() || add.contains("ALL") || drop.contains("ALL") {
        return;
    }
    let own: BTreeSet<String> = capability::DEFAULT.iter().map(|name| bare(name)).collect();
    request.cap_add.extend(usual.difference(&own).filter(|name| !drop.contains(*name)).cloned());
    request.cap_drop.extend(own.difference(&usual).filter(|name| !add.contains(*name)).cloned());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(words: &[&str]) -> Texts {
        Texts(words.iter().map(|&word| word.to_owned()).collect())
    }

    #[test]
    fn capabilities_of_the_settings_are_the_base_of_the_options() {
        let list = |request: &Request| (request.cap_add.join(" "), request.cap_drop.len());
        let mut request = Request::default();
        capabilities(&mut request, &texts(&["CAP_CHOWN", "net_admin"]));
        assert_eq!(list(&request), ("NET_ADMIN".to_owned(), capability::DEFAULT.len() - 1));
        let [drop, add] = ["net_admin", "kill"].map(|name| vec![name.to_owned()]);
        let mut request = Request { cap_drop: drop, cap_add: add, ..Request::default() };
        capabilities(&mut request, &texts(&["CHOWN", "NET_ADMIN"]));
        assert!(!request.cap_drop.contains(&"KILL".to_owned()) && request.cap_add == ["kill"], "{request:?}");
        let mut all = Request { cap_drop: vec!["ALL".to_owned()], ..Request::default() };
        capabilities(&mut all, &texts(&["CHOWN"]));
        assert!(all.cap_add.is_empty());
    }

    #[test]
    fn a_volume_of_the_request_takes_the_place_of_a_setting_s() {
        let asked = MountRequest::from_volume("mine:/a").expect("a volume");
        let mut request = Request { mounts: vec![asked], ..Request::default() };
        mounts(&mut request, &texts(&["theirs:/a", "other:/b"])).expect("volumes");
        let sources: Vec<_> = request.mounts.iter().filter_map(|mount| mount.source.as_deref()).collect();
        assert_eq!(sources, ["other", "mine"]);
    }
}
