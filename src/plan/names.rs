//! What ends up in `hostname`, `hosts` and `resolv.conf`: one newline in any of them would forge a line there.

use std::net::IpAddr;

use crate::types::Invalid;

/// The longest host name that sethostname(2) takes.
const HOST_NAME_MAX: usize = 64;

/// Checks `--hostname`. As in docker and podman, the kernel's bound is the only one for its length, and a label may be
/// longer than those of DNS.
pub(super) fn check_hostname(text: &str) -> Result<(), Invalid> {
    if text.len() > HOST_NAME_MAX {
        return Err(Invalid::new("host name", text, format!("must have at most {HOST_NAME_MAX} characters")));
    }
    if text.strip_suffix('.').unwrap_or(text).split('.').all(is_label) {
        Ok(())
    } else {
        Err(Invalid::new("host name", text, LABELS))
    }
}

const LABELS: &str = "must consist of letters, digits, `-`, `_` and dots";

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Checks a host or domain name: labels of letters, digits, `-` and `_` (which real names have), joined by dots.
pub(super) fn check_domain(what: &'static str, text: &str) -> Result<(), Invalid> {
    if text.len() > 253 || text.split('.').any(|label| label.len() > 63) {
        return Err(Invalid::new(what, text, "must have at most 253 characters, and 63 between two dots"));
    }
    if text.strip_suffix('.').unwrap_or(text).split('.').all(is_label) {
        Ok(())
    } else {
        Err(Invalid::new(what, text, LABELS))
    }
}

/// Names of the host that every container with a network has in `/etc/hosts` anyway.
const HOST_NAMES: [&str; 2] = ["host.containers.internal", "host.docker.internal"];

/// `--add-host NAME[;NAME…]:ADDRESS`, one pair for each name; no address for `host-gateway`, which is known only when
/// the container starts. Names that are always there are left out: docker's users add them by this option.
pub(super) fn extra_hosts(text: &str) -> Result<Vec<(String, Option<IpAddr>)>, Invalid> {
    let invalid = |reason: &str| Invalid::new("host", text, reason);
    let (names, address) =
        text.split_once(':').or_else(|| text.split_once('=')).ok_or_else(|| invalid("must be NAME:ADDRESS"))?;
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    let address = match address {
        "host-gateway" => None,
        _ => Some(bare.parse().map_err(|_| invalid("the part after the name must be an IP address"))?),
    };
    let names = names.split(';').filter(|name| address.is_some() || !HOST_NAMES.contains(name));
    names.map(|name| check_domain("host", name).map(|()| (name.to_owned(), address))).collect()
}

/// `--dns none`: the image's own `/etc/resolv.conf` stays. Source: podman-run(1), `--dns`.
pub(super) fn is_left_to_image(servers: &[String]) -> bool {
    servers.iter().any(|server| server == "none")
}

/// All values of `--dns`: addresses, or `none` alone.
pub(super) fn name_servers(texts: &[String]) -> Result<Vec<IpAddr>, Invalid> {
    if is_left_to_image(texts) {
        let is_alone = texts.iter().all(|text| text == "none");
        return if is_alone {
            Ok(Vec::new())
        } else {
            Err(Invalid::new("name server", "none", "cannot be combined with addresses"))
        };
    }
    texts.iter().map(|text| name_server(text)).collect()
}

/// `--dns`: an address.
fn name_server(text: &str) -> Result<IpAddr, Invalid> {
    text.parse().map_err(|_| Invalid::new("name server", text, "must be an IP address, or none"))
}

/// `--dns-search`: a domain; `.` alone turns the search off.
pub(super) fn search_domain(text: &str) -> Result<String, Invalid> {
    if text != "." {
        check_domain("search domain", text)?;
    }
    Ok(text.to_owned())
}

/// `--dns-option`: an option of resolv.conf(5), such as `ndots:2`.
pub(super) fn dns_option(text: &str) -> Result<String, Invalid> {
    if !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_' | b'.'))
    {
        Ok(text.to_owned())
    } else {
        Err(Invalid::new("resolver option", text, "must be one word, such as `ndots:2`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names() {
        for good in ["a", "web-1", "db.example.org", "a_b", &"x".repeat(64)] {
            assert!(check_hostname(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a\nb", "-a", "a-", "a..b", "a\u{1b}", "é", &"x".repeat(65), &"x.".repeat(33)] {
            assert!(check_hostname(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn hosts() {
        let address = |text: &str| text.parse::<IpAddr>().ok();
        assert_eq!(extra_hosts("db:10.0.0.1"), Ok(vec![("db".to_owned(), address("10.0.0.1"))]));
        assert_eq!(extra_hosts("db:::1"), Ok(vec![("db".to_owned(), address("::1"))]));
        assert_eq!(extra_hosts("db:[fd00::1]"), Ok(vec![("db".to_owned(), address("fd00::1"))]));
        assert_eq!(extra_hosts("a;b:1.2.3.4").map(|hosts| hosts.len()), Ok(2));
        assert_eq!(extra_hosts("host.docker.internal:host-gateway"), Ok(vec![]));
        let gateway = Ok(vec![("db".to_owned(), None), ("web".to_owned(), None)]);
        assert_eq!(extra_hosts("db;host.docker.internal;web:host-gateway"), gateway);
        for bad in [
            "db",
            "db:",
            ":1.2.3.4",
            "db:name",
            "a b:1.2.3.4",
            "a\n:1.2.3.4",
            "db:1.2.3.4\nx",
            "a;:1.2.3.4",
            ":host-gateway",
            "a b:host-gateway",
        ] {
            assert!(extra_hosts(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn none_leaves_the_resolver_to_the_image() {
        let read = |texts: &[&str]| name_servers(&texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
        assert_eq!(read(&["none"]), Ok(vec![]));
        assert_eq!(read(&["none", "none"]), Ok(vec![]));
        assert_eq!(read(&["9.9.9.9"]).map(|servers| servers.len()), Ok(1));
        assert!(read(&["none", "9.9.9.9"]).is_err() && read(&["x"]).is_err());
    }

    #[test]
    fn resolver_words() {
        assert!(name_server("9.9.9.9").is_ok() && name_server("::1").is_ok());
        assert!(name_server("dns.example").is_err() && name_server("9.9.9.9\nnameserver 1.1.1.1").is_err());
        assert!(search_domain(".").is_ok() && search_domain("example.org").is_ok() && search_domain("a b").is_err());
        assert!(dns_option("ndots:2").is_ok() && dns_option("a b").is_err() && dns_option("").is_err());
    }
}
