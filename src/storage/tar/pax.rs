use std::collections::BTreeMap;

use super::Time;

/// The records of PAX headers, by key. Source: POSIX pax, "pax Extended Header".
#[derive(Debug, Clone, Default)]
pub(super) struct Pax {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Pairs of GNU.sparse.offset and GNU.sparse.numbytes, whose keys repeat (format 0.0).
    pub(super) sparse_pairs: Vec<(Vec<u8>, Vec<u8>)>,
}

const XATTR: &[u8] = b"SCHILY.xattr.";

impl Pax {
    /// The records of one header: `LENGTH KEY=VALUE`, each with a newline; the length includes itself. One with an
    /// empty value says nothing.
    pub(super) fn parse(mut data: &[u8]) -> Result<Self, &'static str> {
        let mut found = Self::default();
        while !data.is_empty() {
            let space = memchr::memchr(b' ', &data[..data.len().min(20)]).ok_or("a PAX record without length")?;
            let length = decimal(&data[..space]).and_then(|n| usize::try_from(n).ok());
            let length = length.ok_or("the length of a PAX record is not a number")?;
            if length > data.len() || length < space + 2 {
                return Err("the length of a PAX record is wrong");
            }
            let (record, rest) = data.split_at(length);
            data = rest;
            let record = record[space + 1..].strip_suffix(b"\n").ok_or("a PAX record without end of line")?;
            let equals = memchr::memchr(b'=', record).ok_or("a PAX record without `=`")?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            if key.is_empty() || key.contains(&0) {
                return Err("a PAX record with a bad key");
            }
            match key {
                b"GNU.sparse.offset" => found.sparse_pairs.push((value.to_vec(), Vec::new())),
                b"GNU.sparse.numbytes" => match found.sparse_pairs.last_mut() {
                    Some((_, count)) if count.is_empty() => *count = value.to_vec(),
                    _ => return Err("a sparse map that does not start with an offset"),
                },
                _ => {
                    found.records.insert(key.to_vec(), value.to_vec());
                }
            }
        }
        found.records.retain(|key, value| !value.is_empty() || key.starts_with(XATTR));
        Ok(found)
    }

    /// Removes and returns a record.
    pub(super) fn take(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        if self.records.is_empty() { None } else { self.records.remove(key) }
    }

    /// An integer, which may be negative.
    pub(super) fn number(&self, key: &[u8]) -> Result<Option<i64>, &'static str> {
        let Some(value) = self.records.get(key) else { return Ok(None) };
        let (digits, is_negative) = value.strip_prefix(b"-").map_or((value.as_slice(), false), |rest| (rest, true));
        let number = decimal(digits).ok_or("a number in a PAX record is invalid")?;
        Ok(Some(if is_negative { -number } else { number }))
    }

    /// A time with fractions of a second; a time outside the range of i64 becomes the nearest value.
    pub(super) fn time(&self, key: &[u8]) -> Result<Option<Time>, &'static str> {
        let Some(value) = self.records.get(key) else { return Ok(None) };
        let bad = "a time in a PAX record is invalid";
        let (digits, is_negative) = value.strip_prefix(b"-").map_or((value.as_slice(), false), |rest| (rest, true));
        let (whole, fraction) = match memchr::memchr(b'.', digits) {
            Some(dot) => (&digits[..dot], &digits[dot + 1..]),
            None => (digits, &b""[..]),
        };
        if !fraction.iter().chain(whole).all(u8::is_ascii_digit) || whole.is_empty() {
            return Err(bad);
        }
        let seconds = decimal(whole).unwrap_or(i64::MAX / 2);
        let padded = fraction.iter().chain(std::iter::repeat(&b'0')).take(9);
        let nanoseconds = padded.fold(0_u32, |value, digit| value * 10 + u32::from(digit - b'0'));
        Ok(Some(match (is_negative, nanoseconds) {
            (false, _) => Time { seconds, nanoseconds },
            (true, 0) => Time { seconds: -seconds, nanoseconds: 0 },
            (true, _) => Time { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
        }))
    }

    /// The extended attributes, as star, GNU tar, Go and docker write them.
    pub(super) fn xattrs(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let named = self.records.iter().filter_map(|(key, value)| Some((key.strip_prefix(XATTR)?, value)));
        named.map(|(name, value)| (name.to_vec(), value.clone())).collect()
    }
}

/// A number of digits only, if it fits.
pub(super) fn decimal(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i64, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| i64::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}
