use std::str::FromStr;

use super::Invalid;

/// The key sequence that leaves a container's terminal: single characters and `ctrl-X`, joined by commas; the empty text
/// turns it off. Source: docker's `--detach-keys`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachKeys(Vec<u8>);

impl DetachKeys {
    /// The bytes that a terminal sends for the sequence; empty if there is none.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for DetachKeys {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        text.split(',').map(|key| byte(key).ok_or(key)).collect::<Result<_, _>>().map(Self).map_err(|key| {
            let reason = format!(
                "`{}` is neither one character nor ctrl-a to ctrl-z, ctrl-@, [, \\, ], ^ or _",
                key.escape_debug()
            );
            Invalid::new("key sequence", text, reason)
        })
    }
}

/// The byte of one key. A control key is its letter's place in the alphabet (ascii(7)).
fn byte(key: &str) -> Option<u8> {
    match key.as_bytes() {
        [byte] if byte.is_ascii_graphic() || *byte == b' ' => Some(*byte),
        [b'c', b't', b'r', b'l', b'-', key] => match key.to_ascii_lowercase() {
            letter @ b'a'..=b'z' => Some(letter - b'a' + 1),
            b'@' => Some(0),
            sign @ b'['..=b'_' => Some(sign - b'[' + 27),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences() {
        for (text, bytes) in [
            ("ctrl-p,ctrl-q", &b"\x10\x11"[..]),
            ("", b""),
            ("q", b"q"),
            ("ctrl-@,ctrl-_,ctrl-[", b"\x00\x1f\x1b"),
            ("a,b", b"ab"),
        ] {
            assert_eq!(text.parse::<DetachKeys>().map(|keys| keys.0), Ok(bytes.to_vec()), "{text}");
        }
        for bad in ["ctrl-", "ctrl-1", "ab", "a,,b", ",", "ctrl-pp", "é", "alt-x"] {
            assert!(bad.parse::<DetachKeys>().is_err(), "{bad}");
        }
    }
}
