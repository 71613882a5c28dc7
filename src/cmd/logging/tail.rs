//! `--tail`.

use crate::types::Invalid;

/// How many lines `--tail` shows; `all` and negative numbers mean all lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tail(pub(super) Option<u64>);

impl std::str::FromStr for Tail {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == "all" {
            return Ok(Self(None));
        }
        let lines: i64 =
            text.parse().map_err(|_| Invalid::new("number of lines", text, "must be a number or `all`"))?;
        Ok(Self(u64::try_from(lines).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_is_a_number_or_all() {
        for (text, lines) in [("all", None), ("-1", None), ("0", Some(0)), ("10", Some(10))] {
            assert_eq!(text.parse(), Ok(Tail(lines)), "{text}");
        }
        assert!("ten".parse::<Tail>().is_err() && "".parse::<Tail>().is_err());
    }
}
