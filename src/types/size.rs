use super::Invalid;

/// The units of a size, by their first letter; each is 1024 of the one before. Source: docker's go-units, `RAMInBytes`.
const UNITS: &str = "bkmgtp";

/// Reads a number of bytes with an optional unit, as `--memory`, `--shm-size` and `rc.toml` take it: `512m`, `1.5g`,
/// `.5g`, `64MiB`, `64 MiB`, `4096`. Fractions of a byte are dropped.
pub(crate) fn parse_size(text: &str) -> Result<u64, Invalid> {
    let invalid = |reason: &str| Invalid::new("size", text, reason);
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.strip_prefix(' ').filter(|unit| !unit.is_empty()).unwrap_or(unit).to_ascii_lowercase();
    let power = match unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b').filter(|rest| !rest.is_empty())) {
        Some(rest) if rest.len() == 1 => UNITS[1..].find(rest).map(|place| place + 1),
        None if unit.is_empty() => Some(0),
        None if unit.len() == 1 => UNITS.find(unit.as_str()),
        _ => None,
    };
    let power = power.ok_or_else(|| invalid("the unit must be one of b, k, m, g, t, p"))?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let decimal = |digits: &str| digits.parse::<u128>().ok().filter(|_| digits.len() <= 20);
    let whole = if whole.is_empty() && number.len() > 1 { "0" } else { whole };
    let (Some(whole), Some(tenths)) = (decimal(whole), decimal(part)) else {
        return Err(invalid("must be a number with an optional unit: 512m, 1.5g"));
    };
    let scale = 1_u128 << (10 * power);
    let places = u32::try_from(part.len()).unwrap_or(u32::MAX);
    let bytes = 10_u128
        .checked_pow(places)
        .and_then(|base| tenths.checked_mul(scale).map(|bytes| bytes / base))
        .and_then(|rest| whole.checked_mul(scale)?.checked_add(rest));
    // Cgroup files and mount options take at most 2^63 - 1.
    match bytes.and_then(|bytes| u64::try_from(bytes).ok()) {
        Some(bytes) if bytes <= i64::MAX.unsigned_abs() => Ok(bytes),
        _ => Err(invalid("the size is too large")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_with_units() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("7b", 7),
            ("64k", 65_536),
            ("512m", 536_870_912),
            ("1.5g", 1_610_612_736),
            ("64MiB", 67_108_864),
            ("2GB", 2_147_483_648),
            ("1t", 1_099_511_627_776),
            ("0.0001k", 0),
            (".5k", 512),
            ("64 MiB", 67_108_864),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for bad in [
            "",
            "m",
            "-1",
            "1x",
            "1.2.3",
            "1  m",
            "1 ",
            " 1",
            "1mm",
            "1bb",
            "8192p",
            "99999999999999999999999",
            ".",
            "1e3",
            "+1",
        ] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}
