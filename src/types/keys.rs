use std::str::FromStr;

use super::Invalid;

/// The key sequence that leaves a container's terminal: single characters and `ctrl-X`, joined by commas; the empty
/// text turns it off. Source: docker's `--detach-keys`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DetachKeys {
    text: String,
    bytes: Vec<u8>,
}

impl DetachKeys {
    /// The bytes that a terminal sends for the sequence; empty if there is none.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The sequence as typed.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

impl Default for DetachKeys {
    /// `ctrl-p,ctrl-q`, as docker and podman have it.
    fn default() -> Self {
        Self { text: "ctrl-p,ctrl-q".to_owned(), bytes: vec![0x10, 0x11] }
    }
}

impl FromStr for DetachKeys {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let keys = text.split(',').filter(|_| !text.is_empty());
        let bytes = keys.map(|key| byte(key).ok_or(key)).collect::<Result<_, _>>().map_err(|key| {
            let key = key.escape_debug();
            let reason = format!("`{key}` is neither one character nor ctrl-a to ctrl-z, ctrl-@, [, \\, ], ^ or _");
            Invalid::new("key sequence", text, reason)
        })?;
        Ok(Self { text: text.to_owned(), bytes })
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
    fn the_default_is_what_it_says() {
        assert_eq!("ctrl-p,ctrl-q".parse(), Ok(DetachKeys::default()));
    }

    #[test]
    fn sequences() {
        for (text, bytes) in [
            ("ctrl-p,ctrl-q", &b"\x10\x11"[..]),
            ("", b""),
            ("q", b"q"),
            ("ctrl-@,ctrl-_,ctrl-[", b"\x00\x1f\x1b"),
            ("a,b", b"ab"),
        ] {
            assert_eq!(text.parse::<DetachKeys>().map(|keys| keys.bytes), Ok(bytes.to_vec()), "{text}");
        }
        for bad in ["ctrl-", "ctrl-1", "ab", "a,,b", ",", "ctrl-pp", "é", "alt-x"] {
            assert!(bad.parse::<DetachKeys>().is_err(), "{bad}");
        }
    }
}
