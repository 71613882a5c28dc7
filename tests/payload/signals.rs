//! The subcommands that wait for signals. They block signals and receive them one by one, which needs no handler.

use std::io::Write;

use nix::sys::signal::{SigSet, Signal, raise};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Ends at SIGTERM or SIGINT.
pub(crate) fn sleep() -> Outcome {
    let set: SigSet = [Signal::SIGTERM, Signal::SIGINT].into_iter().collect();
    set.thread_block()?;
    crate::ready()?;
    set.wait()?;
    Ok(())
}

/// Never ends, and never sees SIGTERM, which stays pending.
pub(crate) fn stubborn() -> Outcome {
    SigSet::from(Signal::SIGTERM).thread_block()?;
    crate::ready()?;
    loop {
        std::thread::park();
    }
}

/// Prints the names of the next `count` signals, one per line.
pub(crate) fn print(count: u32) -> Outcome {
    let set = SigSet::all();
    set.thread_block()?;
    crate::ready()?;
    for _ in 0..count {
        println!("{}", set.wait()?);
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// Prints the size of the terminal now and after each SIGWINCH.
pub(crate) fn sizes() -> Outcome {
    let set = SigSet::from(Signal::SIGWINCH);
    set.thread_block()?;
    loop {
        println!("{}", crate::report::terminal_size()?);
        std::io::stdout().flush()?;
        set.wait()?;
    }
}

/// Sends itself the signal `name` (`SIGTERM`) with the default action; twice, because Rust's own handler of SIGSEGV and
/// SIGBUS only restores that action.
pub(crate) fn die_of(name: &str) -> Outcome {
    let signal: Signal = name.parse()?;
    raise(signal)?;
    raise(signal)?;
    Ok(())
}
