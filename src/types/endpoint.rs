//! The grammar of a container's place in a network: `NAME:ip=…,alias=…`.

use std::fmt;
use std::net::IpAddr;

use super::{Endpoint, Invalid};

impl Endpoint {
    /// Reads the options after a network's name: `ip=10.0.0.5,alias=db,…`. Others are left to the driver. Source:
    /// podman-run(1), `--network`.
    pub(super) fn read(mut self, options: &str) -> Result<Self, Invalid> {
        for option in options.split(',').filter(|option| !option.is_empty()) {
            let invalid = |reason: &str| Invalid::new("network option", option, reason);
            let Some((key, value)) = option.split_once('=') else { return Err(invalid("it must be NAME=VALUE")) };
            let is_twice = match key {
                "mac" => self.mac.is_some(),
                "interface_name" => self.interface.is_some(),
                _ => false,
            };
            if is_twice {
                return Err(invalid(&format!("`{key}` is given twice")));
            }
            match key {
                "ip" | "ip6" => {
                    let address: IpAddr = value.parse().map_err(|_| invalid("it must be an IP address"))?;
                    if address.is_ipv6() != (key == "ip6") {
                        return Err(invalid("`ip` is for IPv4, `ip6` for IPv6"));
                    }
                    self.addresses.push(address);
                }
                "mac" => self.mac = Some(value.parse()?),
                "alias" => self.aliases.push(value.parse()?),
                "interface_name" if value == "lo" => {
                    return Err(invalid("every container has an interface of this name"));
                }
                "interface_name" if is_interface(value) => self.interface = Some(value.to_owned()),
                "interface_name" => {
                    return Err(invalid(INTERFACE_NAMES));
                }
                _ => self.options.push(option.to_owned()),
            }
        }
        Ok(self)
    }
}

/// What [`is_interface`] takes, for who asked for something else.
pub(crate) const INTERFACE_NAMES: &str = "an interface has a name of 1 to 15 letters, digits, `-`, `_` or `.`, which \
                                          does not begin with `-` and is not `all` or `default`";

/// The kernel takes more; a name like these needs no quoting anywhere, and is none of those that stand for other
/// interfaces in `/proc/sys/net`. Source: `dev_valid_name`, IFNAMSIZ, `sysctl_dev_name_is_allowed`.
pub(crate) fn is_interface(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_short = (1..16).contains(&name.len());
    is_short && name.bytes().all(is_plain) && !name.starts_with('-') && ![".", "..", "all", "default"].contains(&name)
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.addresses.iter().map(|ip| format!("{}={ip}", if ip.is_ipv4() { "ip" } else { "ip6" }));
        let options: Vec<String> = addresses
            .chain(self.mac.map(|mac| format!("mac={mac}")))
            .chain(self.aliases.iter().map(|alias| format!("alias={alias}")))
            .chain(self.interface.iter().map(|name| format!("interface_name={name}")))
            .chain(self.options.iter().cloned())
            .collect();
        let colon = if options.is_empty() { "" } else { ":" };
        write!(f, "{}{colon}{}", self.name(), options.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::INTERFACE_NAMES;
    use crate::types::Network;

    #[test]
    fn what_the_kernel_would_refuse_without_a_reason_has_one() {
        let refused = |text: &str| text.parse::<Network>().expect_err(text).to_string();
        for (options, reason) in [
            ("interface_name=lo", "every container has an interface of this name"),
            ("interface_name=all", INTERFACE_NAMES),
            ("interface_name=-x", INTERFACE_NAMES),
            ("interface_name=a,interface_name=b", "`interface_name` is given twice"),
            ("mac=02:42:00:00:00:01,mac=02:42:00:00:00:01", "`mac` is given twice"),
            ("mac=00:00:00:00:00:00", "no interface can have it"),
            ("mac=01:00:5e:00:00:01", "it is the address of a group of interfaces"),
        ] {
            let text = refused(&format!("app:{options}"));
            assert!(text.ends_with(reason), "{text}");
        }
    }
}
