//! The keys that detach from a container's terminal.

use crate::types::DetachKeys;

/// The sequence of keys, and how much of it the user has typed.
#[derive(Debug)]
pub(super) struct Detach {
    keys: Vec<u8>,
    typed: usize,
}

impl Detach {
    /// Finds `keys`; nothing if they are empty.
    pub(super) fn new(keys: &DetachKeys) -> Self {
        Self { keys: keys.bytes().to_vec(), typed: 0 }
    }

    /// The part of `bytes` to pass on; `None` if the sequence is complete. A beginning of the sequence is held back
    /// until it is clear whether it continues.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.keys.is_empty() {
            return Some(bytes.to_vec());
        }
        let mut passed = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            if self.keys[self.typed] == byte {
                self.typed += 1;
                if self.typed == self.keys.len() {
                    return None;
                }
                continue;
            }
            passed.extend_from_slice(&self.keys[..self.typed]);
            self.typed = 0;
            if self.keys[0] == byte {
                self.typed = 1;
            } else {
                passed.push(byte);
            }
        }
        Some(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detach_keys_are_held_back_until_they_are_complete() {
        let mut detach = Detach::new(&"ctrl-p,ctrl-q".parse().expect("keys"));
        assert_eq!(detach.scan(b"a\x10"), Some(b"a".to_vec()));
        assert_eq!(detach.scan(b"b"), Some(b"\x10b".to_vec()));
        assert_eq!(detach.scan(b"\x10\x10"), Some(b"\x10".to_vec()));
        assert_eq!(detach.scan(b"\x11c"), None);
        assert_eq!(Detach::new(&"".parse().expect("none")).scan(b"\x10\x11"), Some(b"\x10\x11".to_vec()));
    }
}
