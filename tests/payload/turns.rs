//! Two programs, measured in turns, so that whatever else the machine does slows both.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;

/// Runs each program so often; `words` are both command lines, with `--` between them. Returns the median of the first
/// and of the second, in microseconds.
pub(crate) fn take(count: usize, words: &[&str]) -> Result<(u128, u128), Box<dyn std::error::Error>> {
    let middle = words.iter().position(|word| *word == "--").ok_or("no `--` between the programs")?;
    let programs = [&words[..middle], &words[middle + 1..]];
    let mut times = [const { Vec::<Duration>::new() }; 2];
    // What a program leaves to others, such as a monitor that cleans up, must not slow the next one.
    nix::sys::prctl::set_child_subreaper(true)?;
    for _ in 0..count {
        for (program, times) in programs.iter().zip(&mut times) {
            let [name, arguments @ ..] = program else { return Err("no program".into()) };
            let mut command = Command::new(name);
            command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
            let began = Instant::now();
            let status = command.status()?;
            times.push(began.elapsed());
            if !status.success() {
                return Err(format!("{name}: {status}").into());
            }
            while nix::sys::wait::wait() != Err(Errno::ECHILD) {}
        }
    }
    let [first, second] = times.map(|mut times| {
        times.sort_unstable();
        times.get(times.len() / 2).map_or(0, Duration::as_micros)
    });
    Ok((first, second))
}
