//! Patterns of file names. Source: Go's `filepath.Match`, which BuildKit uses.

/// Whether a component of a path has a character of a pattern.
pub(super) fn is_pattern(component: &[u8]) -> bool {
    component.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'))
}

/// Whether `name`, one component, matches. A pattern that is malformed matches nothing.
///
/// Takes time in proportion to the product of both lengths, whatever the pattern is.
pub(super) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut position) = (0, 0);
    // After the last `*`: where the pattern goes on, and the first place of the name that was not tried yet.
    let mut again: Option<(usize, usize)> = None;
    loop {
        if at == pattern.len() && position == name.len() {
            return true;
        }
        if pattern.get(at) == Some(&b'*') {
            again = Some((at + 1, position + 1));
            at += 1;
            continue;
        }
        if let Some(next) = one(&pattern[at..], name.get(position).copied()) {
            (at, position) = (at + next, position + 1);
            continue;
        }
        match again {
            Some((after, start)) if start <= name.len() => {
                (at, position) = (after, start);
                again = Some((after, start + 1));
            }
            _ => return false,
        }
    }
}

/// How many bytes of the pattern match this byte of the name.
fn one(pattern: &[u8], byte: Option<u8>) -> Option<usize> {
    let byte = byte?;
    match *pattern.first()? {
        b'?' => Some(1),
        b'[' => class(pattern, byte),
        b'\\' => (*pattern.get(1)? == byte).then_some(2),
        literal => (literal == byte).then_some(1),
    }
}

fn class(pattern: &[u8], byte: u8) -> Option<usize> {
    let mut at = 1;
    let is_negated = pattern.get(at) == Some(&b'^');
    at += usize::from(is_negated);
    let mut is_in = false;
    let first = at;
    while *pattern.get(at)? != b']' || at == first {
        let (low, next) = letter(pattern, at)?;
        at = next;
        let mut high = low;
        if pattern.get(at) == Some(&b'-') && pattern.get(at + 1).is_some_and(|end| *end != b']') {
            (high, at) = letter(pattern, at + 1)?;
        }
        is_in |= (low..=high).contains(&byte);
    }
    (is_in != is_negated).then_some(at + 1)
}

fn letter(pattern: &[u8], at: usize) -> Option<(u8, usize)> {
    match *pattern.get(at)? {
        b'\\' => Some((*pattern.get(at + 1)?, at + 2)),
        letter => Some((letter, at + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_go() {
        for (pattern, name, expected) in [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*", "abc", true),
            ("a*b*c*d*e*", "axbxcxdxexxx", true),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[e-g]", "abc", false),
            ("ab[^c]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("[\\]a]", "]", true),
            ("[\\-]", "-", true),
            ("[x\\-]", "z", false),
            ("*x", "xxx", true),
            ("[]a]", "a", true),
            ("[", "a", false),
            ("[^", "a", false),
            ("", "", true),
            ("", "x", false),
            ("?", "", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
        let long = "a".repeat(20_000);
        assert!(!matches(format!("{}b", "a*".repeat(50)).as_bytes(), long.as_bytes()));
    }

    #[test]
    fn only_some_characters_make_a_pattern() {
        assert!(!is_pattern(b"plain-1.2_x") && is_pattern(b"*.js") && is_pattern(b"a?") && is_pattern(b"[a]"));
    }
}
