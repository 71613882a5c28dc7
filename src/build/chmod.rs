//! Modes as chmod(1) takes them: `0755`, `u=rwX,go=rX`, `a+x`.

use std::str::FromStr;

use crate::types::Invalid;

/// The most clauses of a symbolic mode.
const CLAUSES: usize = 64;

/// A change of permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mode {
    /// All bits.
    Octal(u32),
    /// Clauses that change some.
    Symbolic(Vec<Clause>),
}

/// `who`, and what is done for them in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clause {
    /// The bits of those who are named: `0o4700` for the user, `0o2070` for the group, `0o1007` for others.
    who: u32,
    operator: Operator,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Add,
    Remove,
    Set,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Permission bits, for everybody; `X` among them is conditional.
    Bits { bits: u32, is_conditional: bool, is_sticky: bool, is_set_id: bool },
    /// What the user, the group or others have: a shift.
    Copy(u32),
}

impl Mode {
    /// The permissions of a file that has `mode`. `X` is given to directories and to what somebody may execute.
    pub(crate) fn apply(&self, mode: u32, is_directory: bool) -> u32 {
        let Self::Symbolic(clauses) = self else {
            let Self::Octal(bits) = self else { return mode };
            return *bits;
        };
        clauses.iter().fold(mode & 0o7777, |mode, clause| clause.apply(mode, is_directory))
    }
}

impl Clause {
    fn apply(self, mode: u32, is_directory: bool) -> u32 {
        let everybody = |bits: u32| bits << 6 | bits << 3 | bits;
        let bits = match self.what {
            What::Copy(shift) => everybody(mode >> shift & 0o7) & self.who,
            What::Bits { bits, is_conditional, is_sticky, is_set_id } => {
                let may_execute = is_conditional && (is_directory || mode & 0o111 != 0);
                let bits = everybody(bits | u32::from(may_execute)) & self.who;
                let set_id = if is_set_id { 0o6000 } else { 0 };
                let sticky = if is_sticky { 0o1000 } else { 0 };
                bits | (set_id | sticky) & self.who
            }
        };
        match self.operator {
            Operator::Add => mode | bits,
            Operator::Remove => mode & !bits,
            // A directory keeps its set-ID bits, as with chmod(1) of coreutils.
            Operator::Set => {
                let kept = if is_directory { 0o6000 } else { 0 };
                mode & !(self.who & !kept) | bits
            }
        }
    }
}

impl FromStr for Mode {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new("mode", text, "must be octal, such as 0755, or symbolic, such as u=rwX,go=rX");
        if text.starts_with(|first: char| first.is_ascii_digit()) {
            let bits = u32::from_str_radix(text, 8).ok().filter(|bits| *bits <= 0o7777);
            return bits.map(Self::Octal).ok_or_else(invalid);
        }
        let mut clauses = Vec::new();
        for part in text.split(',') {
            let operators = part.find(['+', '-', '=']).ok_or_else(invalid)?;
            let (named, mut actions) = part.split_at(operators);
            let mut who = 0;
            for letter in named.chars() {
                who |= match letter {
                    'u' => 0o4700,
                    'g' => 0o2070,
                    'o' => 0o1007,
                    'a' => 0o7777,
                    _ => return Err(invalid()),
                };
            }
            let who = if named.is_empty() { 0o7777 } else { who };
            while let Some(sign) = actions.chars().next() {
                let operator = match sign {
                    '+' => Operator::Add,
                    '-' => Operator::Remove,
                    _ => Operator::Set,
                };
                let rest = &actions[1..];
                let end = rest.find(['+', '-', '=']).unwrap_or(rest.len());
                let what = what(&rest[..end]).ok_or_else(invalid)?;
                clauses.push(Clause { who, operator, what });
                actions = &rest[end..];
            }
            if clauses.len() > CLAUSES {
                return Err(invalid());
            }
        }
        Ok(Self::Symbolic(clauses))
    }
}

fn what(letters: &str) -> Option<What> {
    match letters {
        "u" => return Some(What::Copy(6)),
        "g" => return Some(What::Copy(3)),
        "o" => return Some(What::Copy(0)),
        _ => {}
    }
    let (mut bits, mut is_conditional, mut is_sticky, mut is_set_id) = (0, false, false, false);
    for letter in letters.chars() {
        match letter {
            'r' => bits |= 0o4,
            'w' => bits |= 0o2,
            'x' => bits |= 0o1,
            'X' => is_conditional = true,
            's' => is_set_id = true,
            't' => is_sticky = true,
            _ => return None,
        }
    }
    Some(What::Bits { bits, is_conditional, is_sticky, is_set_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_do_what_chmod_does() {
        // Each as chmod(1) of coreutils did it with umask 0.
        for (mode, before, is_directory, expected) in [
            ("0755", 0o600, false, 0o755),
            ("4755", 0o600, false, 0o4755),
            ("u=rwX,go=rX", 0o600, false, 0o644),
            ("u=rwX,go=rX", 0o700, false, 0o755),
            ("u=rwX,go=rX", 0o700, true, 0o755),
            ("a+x", 0o644, false, 0o755),
            ("+x", 0o644, false, 0o755),
            ("go-rwx", 0o777, false, 0o700),
            ("g=u", 0o750, false, 0o770),
            ("o=g-w", 0o770, false, 0o775),
            ("u+s,g+s", 0o755, false, 0o6755),
            ("u=rwx", 0o4755, false, 0o755),
            ("u=rwx", 0o4755, true, 0o4755),
            ("+t", 0o755, true, 0o1755),
            ("o+t", 0o755, true, 0o1755),
            ("u+t", 0o755, true, 0o755),
            ("a=", 0o777, false, 0),
            ("=r", 0o777, false, 0o444),
            ("u+r-w+x", 0o200, false, 0o500),
            ("go+X", 0o644, false, 0o644),
        ] {
            let parsed: Mode = mode.parse().expect(mode);
            assert_eq!(parsed.apply(before, is_directory), expected, "{mode} {before:o}");
        }
    }

    #[test]
    fn other_modes_are_refused() {
        let long = "u+x,".repeat(CLAUSES) + "u+x";
        for bad in ["", "8", "07777777", "10000", "u", "u=q", "x+r", "u+r,", ",", "u=rw,g", "u=ug", "é+x", &long] {
            assert!(bad.parse::<Mode>().is_err(), "{bad}");
        }
    }
}
