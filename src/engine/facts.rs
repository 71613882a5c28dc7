use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use super::context::Caller;
use crate::plan::{Defaults, Facts};
use crate::settings::Settings;
use crate::sys::fs;
use crate::types::{Name, Protocol};

/// What a resolution must know of the caller, the host and the settings.
pub(super) fn facts<'a>(settings: &Settings, caller: &Caller, new_volume_name: &'a dyn Fn() -> Name) -> Facts<'a> {
    Facts {
        defaults: defaults(settings),
        environment: caller.environment.clone(),
        working_dir: caller.working_dir.clone(),
        host_name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        free_port: &free_port,
        block_device: &block_device,
        new_volume_name,
    }
}

/// What the settings say where a request does not.
fn defaults(settings: &Settings) -> Defaults {
    let (container, network) = (&settings.container, &settings.network);
    Defaults {
        network: network.driver.value.clone(),
        publish_address: Some(network.publish_address.value),
        dns: network.dns.value.clone(),
        no_new_privileges: container.no_new_privileges.value,
        pids_limit: Some(u64::from(container.pids_limit.value)).filter(|limit| *limit > 0),
        shm_size: container.shm_size.value.0,
        stop_timeout: container.stop_timeout.value,
        detach_keys: container.detach_keys.value.as_str().to_owned(),
        log_max_size: settings.log.max_size.value.0,
        log_max_files: settings.log.max_files.value.get(),
    }
}

/// A port that is free now: the kernel chooses one for a socket that is closed again. Another program may take it before
/// the container listens; the start then fails and names it.
fn free_port(address: Option<IpAddr>, protocol: Protocol) -> Option<u16> {
    let any = SocketAddr::new(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), 0);
    let bound = match protocol {
        Protocol::Tcp => TcpListener::bind(any).and_then(|socket| socket.local_addr()),
        Protocol::Udp => UdpSocket::bind(any).and_then(|socket| socket.local_addr()),
    };
    bound.ok().map(|address| address.port())
}

/// The numbers of the block device at `path`, or why it has none.
pub(crate) fn block_device(path: &str) -> Result<(u32, u32), String> {
    let file = fs::metadata(path).map_err(|error| fs::plain(&error.source))?;
    if !file.file_type().is_block_device() {
        return Err("it is no block device".to_owned());
    }
    Ok((rustix::fs::major(file.rdev()), rustix::fs::minor(file.rdev())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_without_a_file_are_the_defaults_of_a_plan() {
        let found = defaults(&Settings::default());
        let expected = Defaults { publish_address: Some(Ipv4Addr::UNSPECIFIED.into()), ..Defaults::default() };
        assert_eq!(found, expected);
        assert!(free_port(None, Protocol::Tcp).is_some_and(|port| port > 0));
    }
}
