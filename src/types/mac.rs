use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use super::{Invalid, serde_as_string};

/// A MAC address of an interface, written `02:42:ac:11:00:02`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MacAddress([u8; 6]);

impl MacAddress {
    /// The address of an interface with this IPv4 address: `02:42`, then its four bytes. If the IPv4 address is given
    /// out again, its neighbours need not learn another one.
    pub(crate) fn of_ipv4(address: Ipv4Addr) -> Self {
        let [a, b, c, d] = address.octets();
        Self([0x02, 0x42, a, b, c, d])
    }

    /// The six bytes.
    pub(crate) fn bytes(self) -> [u8; 6] {
        self.0
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for MacAddress {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = |reason: &str| Invalid::new("MAC address", text, reason);
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()));
            let value = part.and_then(|part| u8::from_str_radix(part, 16).ok());
            *byte = value.ok_or_else(|| invalid("it has six pairs of hex digits, with colons between them"))?;
        }
        match parts.next() {
            Some(_) => Err(invalid("it has six pairs of hex digits, with colons between them")),
            // Source: IEEE 802, "group address bit".
            None if bytes[0] & 1 == 1 => Err(invalid("it is the address of a group of interfaces")),
            // The kernel refuses it as well, and says "cannot assign requested address" only.
            None if bytes == [0; 6] => Err(invalid("no interface can have it")),
            None => Ok(Self(bytes)),
        }
    }
}

serde_as_string!(MacAddress);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_pairs_of_hex_digits() {
        let parsed = |text: &str| text.parse::<MacAddress>().map(|mac| mac.to_string()).ok();
        assert_eq!(parsed("02:42:AC:11:00:02").as_deref(), Some("02:42:ac:11:00:02"));
        for text in
            ["", "02:42:ac:11:00", "02:42:ac:11:00:02:03", "2:42:ac:11:0:2", "02:42:ac:11:00:0g", "03:42:ac:11:00:02"]
        {
            assert_eq!(parsed(text), None, "{text}");
        }
        let of_address = MacAddress::of_ipv4(Ipv4Addr::new(10, 89, 0, 255));
        assert_eq!(of_address.to_string(), "02:42:0a:59:00:ff");
        assert_eq!(of_address.bytes(), [2, 0x42, 10, 89, 0, 255]);
    }
}
