//! Resource limits, by the names of the runtime spec (`RLIMIT_NOFILE`).

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Sets soft and hard limit of this process; `u64::MAX` is as much as it may have. Fails with `EINVAL` for a name that
/// the kernel does not have. Source: setrlimit(2).
pub(crate) fn set(name: &str, soft: u64, hard: u64) -> io::Result<()> {
    let resource = resource(name).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    // Only the real root may raise a hard limit.
    let most = if hard == u64::MAX { getrlimit(resource)?.1 } else { hard };
    Ok(setrlimit(resource, soft.min(most), most)?)
}

/// Lets this process have as many descriptors as its hard limit allows.
pub(crate) fn raise_descriptors() -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

fn resource(name: &str) -> Option<Resource> {
    Some(match name {
        "RLIMIT_AS" => Resource::RLIMIT_AS,
        "RLIMIT_CORE" => Resource::RLIMIT_CORE,
        "RLIMIT_CPU" => Resource::RLIMIT_CPU,
        "RLIMIT_DATA" => Resource::RLIMIT_DATA,
        "RLIMIT_FSIZE" => Resource::RLIMIT_FSIZE,
        "RLIMIT_LOCKS" => Resource::RLIMIT_LOCKS,
        "RLIMIT_MEMLOCK" => Resource::RLIMIT_MEMLOCK,
        "RLIMIT_MSGQUEUE" => Resource::RLIMIT_MSGQUEUE,
        "RLIMIT_NICE" => Resource::RLIMIT_NICE,
        "RLIMIT_NOFILE" => Resource::RLIMIT_NOFILE,
        "RLIMIT_NPROC" => Resource::RLIMIT_NPROC,
        "RLIMIT_RSS" => Resource::RLIMIT_RSS,
        "RLIMIT_RTPRIO" => Resource::RLIMIT_RTPRIO,
        "RLIMIT_RTTIME" => Resource::RLIMIT_RTTIME,
        "RLIMIT_SIGPENDING" => Resource::RLIMIT_SIGPENDING,
        "RLIMIT_STACK" => Resource::RLIMIT_STACK,
        _ => return None,
    })
}
