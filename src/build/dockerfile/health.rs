//! `HEALTHCHECK`.

use super::instruction::Program;
use super::read::{Read, program};
use super::source::Problem;
use crate::types::image_settings::Healthcheck;

/// The shortest time that is not zero. Source: moby, `container.MinimumDuration`.
const SHORTEST: i64 = 1_000_000;

/// Reads `NONE`, or `CMD` and a program.
pub(super) fn read(read: &mut Read<'_, '_>) -> Option<Healthcheck> {
    let (kind, rest) = read.rest.split_first();
    read.rest = rest;
    match kind.text.to_ascii_uppercase().as_str() {
        "NONE" => {
            if let Some((name, span)) = read.flags.first() {
                let message = format!("HEALTHCHECK NONE has no flags, but `--{name}` is given");
                return read.wrong(span, message);
            }
            if let Some(word) = rest.whole() {
                return read.wrong(word.span, "HEALTHCHECK NONE has no arguments");
            }
            Some(Healthcheck { test: vec!["NONE".to_owned()], ..Healthcheck::default() })
        }
        "CMD" => {
            let mut test = match program(read, false)? {
                Program::Exec(words) => words,
                Program::Shell(line) => vec![line],
            };
            let is_exec = rest.json().is_some();
            test.insert(0, if is_exec { "CMD" } else { "CMD-SHELL" }.to_owned());
            Some(Healthcheck {
                test,
                interval: time(read, "interval")?,
                timeout: time(read, "timeout")?,
                start_period: time(read, "start-period")?,
                start_interval: time(read, "start-interval")?,
                retries: retries(read)?,
                ..Healthcheck::default()
            })
        }
        "" => read.needs("`CMD` and a command, or `NONE`"),
        other => {
            let message = format!("HEALTHCHECK needs `CMD` or `NONE`, not `{}`", other.escape_debug());
            read.wrong(kind.span, message)
        }
    }
}

fn time(read: &mut Read<'_, '_>, flag: &str) -> Option<i64> {
    let Some(word) = read.flags.value(flag) else { return Some(0) };
    let time = duration(&word.text).filter(|time| *time == 0 || *time >= SHORTEST);
    if time.is_none() {
        let message = format!("`--{flag}` cannot be `{}`", word.text.escape_debug());
        let hint = "it is a time of at least 1ms, such as 30s, 1m30s or 500ms";
        read.problems.push(Problem::new(word.span, message).with_hint(hint));
    }
    time
}

fn retries(read: &mut Read<'_, '_>) -> Option<i64> {
    let Some(word) = read.flags.value("retries") else { return Some(0) };
    match word.text.parse::<u16>() {
        Ok(number) => Some(number.into()),
        Err(_) => read.wrong(word.span, format!("`--retries` must be a number, not `{}`", word.text.escape_debug())),
    }
}

/// A time in nanoseconds. Source: Go, `time.ParseDuration`.
fn duration(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut total = 0_i64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let unit = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && part.is_empty() || part.contains('.') {
            return None;
        }
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        total = total.checked_add(whole.checked_mul(unit)?)?;
        let mut scale = unit;
        for digit in part.chars().filter_map(|digit| digit.to_digit(10)) {
            scale /= 10;
            total = total.checked_add(scale.checked_mul(digit.into())?)?;
        }
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_go_s() {
        for (text, expected) in [
            ("0", Some(0)),
            ("30s", Some(30_000_000_000)),
            ("1m30s", Some(90_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            (".5s", Some(500_000_000)),
            ("2.s", Some(2_000_000_000)),
            ("1ms", Some(1_000_000)),
            ("3us4ns", Some(3_004)),
            ("1.23456789123s", Some(1_234_567_891)),
            ("", None),
            ("5", None),
            ("s", None),
            (".s", None),
            ("1.2.3s", None),
            ("-1s", None),
            ("1d", None),
            ("9999999999h", None),
            ("99999999999999999999s", None),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
    }
}
