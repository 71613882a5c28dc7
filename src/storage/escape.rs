use std::fmt;

/// Shows bytes of a name that an image or a user chose: control and non-ASCII bytes escaped, so that it is one harmless
/// line.
pub(crate) struct Escaped<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Longer names are cut: an error is one line.
        const LONGEST: usize = 256;
        let cut = self.0.len() > LONGEST;
        for chunk in self.0[..self.0.len().min(LONGEST)].utf8_chunks() {
            write!(f, "{}", chunk.valid().escape_debug())?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        if cut { f.write_str("…") } else { Ok(()) }
    }
}
