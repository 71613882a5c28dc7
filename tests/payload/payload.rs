//! The program of every container in the tests: one static file, with one subcommand for each thing that a test needs a
//! container to do. It is also the supervisor that each command of a test runs under (`supervise`).
//!
//! ```text
//! exit N                 ends with N                        raise SIGNAL        dies of it (default action restored)
//! echo WORD…             prints the words, one line         complain WORD…      the same, on standard error
//! cat                    standard input to standard output  spin BYTES [LINE]   that many bytes, a newline each LINE
//! report                 JSON: args, env, ids, caps, fds, cwd, limits, tty, mounts, namespaces
//! sleep                  until SIGTERM or SIGINT, then 0    hang                for ever, default signal actions
//! stubborn               for ever, deaf to SIGTERM          signals [N]         prints the name of each that comes
//! orphans N              leaves N children to process 1     eat BYTES           touches them, then sleeps
//! leave PART WORD…       starts that part, and ends before it does
//! busy                   works for ever                     bomb                starts processes until it cannot
//! tcp PORT, udp PORT     echo servers on every address      ask tcp|udp ADDRESS TEXT  sends, prints the answer
//! ping ADDRESS           asks for an echo as ping(8) does without CAP_NET_RAW, and waits for it
//! look-up udp|tcp TYPE NAME [SERVER]  what a name server answers
//! name-server ADDRESS    answers every name with 192.0.2.1
//! drain PORT             reads all from each client
//! flow in|out ADDRESS MS reads or sends for that long; prints Mbit/s, and the longest pause in ms
//! gap name|udp TARGET MS asks for that long; prints the longest time without an answer, in 0.1 ms
//! look-ups COUNT NAME EXPECTED [SERVER]  asks so often; prints how many answers were lost and wrong, and the times
//! size                   rows and columns of the terminal   sizes               the same, again at each SIGWINCH
//! processes              a line each: number, name, state (as in proc(5))
//! tree PATH [LEFT-OUT…]  every file below: type, mode, owner, size, time, links, content, attributes
//! peak PROGRAM WORD…     runs it; the greatest resident memory of it and its descendants, in MiB, is the last line
//! faults PROGRAM WORD…   runs it; how many page faults it and its descendants had, without reads of the disk
//! turns N PROGRAM WORD… -- PROGRAM WORD…  runs each so often, in turns; the median of each in microseconds
//! read PATH              the file's bytes                   write PATH TEXT     the text and a newline
//! remove PATH            removes the file                   unlock PATH         makes the mount there writable
//! dial PATH HEX…         connects to a socket, sends each, and prints the answer to it, in hexadecimal digits
//! peek PATH              the bytes that can be read there without waiting, on standard error
//! redial in|out ADDRESS  connects a standard descriptor, a socket, anew, and sends what it is
//! plant fifo|link PATH [TARGET]  puts it there, in the place of what was there
//! list PATH              the names in a directory, sorted
//! spy STOP               what it sees of other processes, until STOP exists
//! grab STOP              takes descriptors of others until STOP exists, keeps them, and says which it got
//! trace                  looks into a child as a debugger does
//! notify MESSAGE…        each to NOTIFY_SOCKET, `|` for a new line; then as sleep
//! deep PATH N            makes N directories, each in the one before, prints the depth; depth PATH counts them
//! swap A B              the two paths change places, for ever        session            its session's number
//! keyring [PROGRAM …]    the number of the session keyring; with a program, that of a new one, then executes it
//! keys PROGRAM …         takes all keys that the user may have, runs the program, gives the keys back
//! filtered ERRNO PROGRAM …  becomes the program, under a filter by which keyctl fails so
//! call [KIND:]NAME,ARG…  system calls, `ok` or errno each; KIND is i386, i386-socket or x32
//! ```
//! A subcommand that waits prints `ready` first, so that a test can wait for the line instead of for a time.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is this program's work")]
#![expect(clippy::exit, reason = "its exit code is what the tests look at")]
#![expect(clippy::disallowed_methods, reason = "it must not lean on the code under test")]

mod call;
mod flow;
mod names;
mod network;
mod report;
mod signals;
mod spy;
mod supervise;
mod tree;
mod turns;

use std::io::{Read, Write};
use std::process::exit;

type Outcome = Result<i32, Box<dyn std::error::Error>>;

fn main() {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match play(&words) {
        Ok(code) => exit(code),
        Err(error) => {
            eprintln!("payload: {}: {error}", words.join(" "));
            exit(99)
        }
    }
}

fn play(words: &[&str]) -> Outcome {
    match words {
        ["exit", code] => return Ok(code.parse()?),
        ["raise", name] => signals::die_of(name)?,
        ["echo", words @ ..] => println!("{}", words.join(" ")),
        ["complain", words @ ..] => eprintln!("{}", words.join(" ")),
        ["cat"] => drop(std::io::copy(&mut std::io::stdin(), &mut std::io::stdout())?),
        ["spin", bytes] => spin(bytes.parse()?, 0)?,
        ["spin", bytes, line] => spin(bytes.parse()?, line.parse()?)?,
        ["report"] => println!("{}", report::everything()?),
        ["sleep"] => signals::sleep()?,
        ["hang"] => hang()?,
        ["stubborn"] => signals::stubborn()?,
        ["signals"] => signals::print(u32::MAX)?,
        ["signals", count] => signals::print(count.parse()?)?,
        ["orphans", count] => orphans(count.parse()?)?,
        ["middle"] => drop(again(&["exit", "0"])?),
        ["leave", words @ ..] => drop(again(words)?),
        ["outlive", port] => {
            // The end of the container's monitor does not end this program.
            rustix::process::set_parent_process_death_signal(None)?;
            network::serve_tcp(port.parse()?)?;
        }
        ["greeted", address] => println!("{}", network::greeted(address)?),
        ["knock", address] => drop(std::net::TcpStream::connect_timeout(&address.parse()?, network::SHORT)?),
        ["without-netfilter", program, arguments @ ..] => {
            call::deny_netfilter()?;
            return Err(
                std::os::unix::process::CommandExt::exec(std::process::Command::new(program).args(arguments)).into()
            );
        }
        ["needs-interface", name] => needs_interface(name)?,
        ["busy"] => busy()?,
        ["bomb"] => bomb()?,
        ["eat", bytes] => eat(bytes.parse()?)?,
        ["tcp", port] => network::serve_tcp(port.parse()?)?,
        ["udp", port] => network::serve_udp(port.parse()?)?,
        ["greet", port] => network::greet(port.parse()?)?,
        ["greet-both", port] => network::greet_both(port.parse()?)?,
        ["call-udp", port, address] => network::call_udp(port.parse()?, address)?,
        ["greet-udp", port] => network::greet_udp(port.parse()?)?,
        ["watch", port] => network::watch(port.parse()?)?,
        ["abort", port] => network::abort(port.parse()?)?,
        ["last-words", port, bytes] => network::last_words(port.parse()?, bytes.parse()?)?,
        ["source", port] => network::source(port.parse()?)?,
        ["tell", socket, text] => println!("{}", network::tell(socket, text)?),
        ["sink", address, bytes] => println!("{}", network::sink(address, bytes.parse()?)?),
        ["ping", address] => network::ping(address.parse()?)?,
        ["converse", address] => network::converse(address)?,
        ["ask", protocol, address, text] => println!("{}", network::ask(protocol, address, text)?),
        ["look-up", by, kind, name] => println!("{}", names::look_up(by, kind, name, None)?),
        ["look-up", by, kind, name, server] => println!("{}", names::look_up(by, kind, name, Some(server))?),
        ["drain" | "flow" | "gap", ..] => flow::play(words)?,
        ["name-server", address] => names::serve(address)?,
        ["look-ups", count, name, expected, server] => {
            println!("{}", names::measure(count.parse()?, name, expected, Some(server))?);
        }
        ["look-ups", count, name, expected] => println!("{}", names::measure(count.parse()?, name, expected, None)?),
        ["processes"] => print!("{}", report::processes()?),
        ["size"] => println!("{}", report::terminal_size()?),
        ["sizes"] => signals::sizes()?,
        ["peak", program, arguments @ ..] => return peak(program, arguments),
        ["faults", program, arguments @ ..] => return faults(program, arguments),
        ["turns", count, words @ ..] => {
            let (first, second) = turns::take(count.parse()?, words)?;
            println!("{first} {second}");
        }
        ["tree", path, left_out @ ..] => tree::print(path, left_out)?,
        ["read", path] => std::io::stdout().write_all(&std::fs::read(path)?)?,
        ["write", path, text] => std::fs::write(path, format!("{text}\n"))?,
        ["dial", path, messages @ ..] => network::dial(path, messages)?,
        ["remove", path] => std::fs::remove_file(path)?,
        ["unlock", path] => rustix::mount::mount_remount(*path, rustix::mount::MountFlags::BIND, c"")?,
        ["peek", path] => peek(path)?,
        ["redial", end, address] => network::redial(end, address.parse()?)?,
        ["plant", "fifo", path] => plant(path, |path| {
            rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::from_raw_mode(0o666)).map_err(Into::into)
        })?,
        ["plant", "link", path, target] => plant(path, |path| std::os::unix::fs::symlink(target, path))?,
        ["list", path] => list(path)?,
        ["notify", messages @ ..] => notify(messages)?,
        ["call", calls @ ..] => call::each(calls)?,
        ["swap", one, other] => swap(one, other)?,
        ["deep", path, depth] => println!("{}", tree::make_deep(path, depth.parse()?)?),
        ["depth", path] => println!("{}", tree::depth(path)?),
        ["session"] => println!("{}", rustix::process::getsid(None)?.as_raw_nonzero()),
        ["keyring"] => println!("{}", call::session_keyring()?),
        ["keyring", program, arguments @ ..] => keyring(program, arguments)?,
        ["filtered", errno, program, arguments @ ..] => {
            use std::os::unix::process::CommandExt as _;
            call::refuse_keyctl(errno.parse()?)?;
            return Err(std::process::Command::new(program).args(arguments).exec().into());
        }
        ["keys", program, arguments @ ..] => return keys(program, arguments),
        ["spy", stop] => spy::watch(stop)?,
        ["grab", stop] => spy::grab(stop)?,
        ["trace"] => println!("{}", call::trace()?),
        ["supervise", socket, program, arguments @ ..] => supervise::run(socket, program, arguments)?,
        _ => return Err("no such part".into()),
    }
    std::io::stdout().flush()?;
    Ok(0)
}

/// Notifies the service manager, then waits for the end.
fn notify(messages: &[&str]) -> Result<(), Box<dyn std::error::Error>> {
    let socket = std::os::unix::net::UnixDatagram::unbound()?;
    for message in messages {
        socket.send_to(message.replace('|', "\n").as_bytes(), std::env::var("NOTIFY_SOCKET")?)?;
    }
    signals::sleep()
}

/// Prints the data that is in a pipe now.
fn peek(path: &str) -> std::io::Result<()> {
    use rustix::fs::{Mode, OFlags};
    let pipe = rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
    let mut bytes = vec![0; 1 << 16];
    let length = rustix::io::read(&pipe, &mut bytes)?;
    std::io::stderr().write_all(&bytes[..length])
}

/// Creates a FIFO or a link at `path`, in place of any file.
fn plant(path: &str, make: impl FnOnce(&str) -> std::io::Result<()>) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => make(path),
    }
}

/// Prints the names in a directory, sorted.
fn list(path: &str) -> std::io::Result<()> {
    let mut names = std::fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>, _>>()?;
    names.sort_unstable();
    names.iter().for_each(|name| println!("{name}"));
    Ok(())
}

/// Exchanges two paths until it is killed. Source: renameat2(2), RENAME_EXCHANGE.
fn swap(one: &str, other: &str) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    ready()?;
    loop {
        renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?;
    }
}

/// Executes `program` in a new session keyring, whose number it prints.
fn keyring(program: &str, arguments: &[&str]) -> std::io::Result<()> {
    use std::os::unix::process::CommandExt as _;
    println!("{}", call::new_session_keyring()?);
    std::io::stdout().flush()?;
    Err(std::process::Command::new(program).args(arguments).exec())
}

/// Runs `program` while the user has no key left to make; prints the number of this process' own session keyring
/// before.
fn keys(program: &str, arguments: &[&str]) -> Outcome {
    println!("{}", call::new_session_keyring()?);
    std::io::stdout().flush()?;
    call::fill_session_keyring()?;
    let status = std::process::Command::new(program).args(arguments).status()?;
    call::clear_session_keyring()?;
    Ok(status.code().unwrap_or(99))
}

/// Tells the reader of standard output that this program now waits.
fn ready() -> std::io::Result<()> {
    println!("ready");
    std::io::stdout().flush()
}

/// Prints `bytes` bytes of a repeating pattern, every `line`th of them a newline (none when 0).
fn spin(mut bytes: u64, line: usize) -> std::io::Result<()> {
    let pattern = b"0123456789abcdefghijklmnopqrstuvwxyz".iter().copied().cycle();
    let mut block: Vec<u8> = pattern.take(if line == 0 { 1 << 16 } else { line * (1 + (1 << 16) / line) }).collect();
    if line != 0 {
        block.iter_mut().skip(line - 1).step_by(line).for_each(|byte| *byte = b'\n');
    }
    let mut out = std::fs::File::from(rustix::io::dup(std::io::stdout())?);
    while bytes > 0 {
        let part = block.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
        out.write_all(&block[..part])?;
        bytes -= part as u64;
    }
    Ok(())
}

/// Starts this program again with another subcommand; nobody waits for it.
fn again(words: &[&str]) -> std::io::Result<std::process::Child> {
    std::process::Command::new("/proc/self/exe").args(words).spawn()
}

/// Leaves `count` grandchildren that exit without a parent, so that process 1 must reap them.
fn orphans(count: u32) -> std::io::Result<()> {
    for _ in 0..count {
        again(&["middle"])?.wait()?;
    }
    ready()?;
    hang()
}

/// Waits forever without a handler: as process 1 of a PID namespace it ignores every signal except SIGKILL.
fn hang() -> std::io::Result<()> {
    ready()?;
    loop {
        std::thread::park();
    }
}

/// Runs as long as it is let, if this network namespace has an interface of that name.
fn needs_interface(name: &str) -> Result<(), Box<dyn std::error::Error>> {
    let devices = std::fs::read_to_string("/proc/net/dev")?;
    if !devices.lines().any(|line| line.trim_start().starts_with(&format!("{name}:"))) {
        return Err(format!("there is no {name}").into());
    }
    signals::sleep()
}

/// Uses a CPU forever.
fn busy() -> std::io::Result<()> {
    ready()?;
    loop {
        std::hint::spin_loop();
    }
}

/// Starts processes until it cannot.
fn bomb() -> std::io::Result<()> {
    let mut children = Vec::new();
    while let Ok(child) = again(&["hang"]) {
        children.push(child);
    }
    hang()
}

/// Touches `bytes` bytes of memory, page by page, and keeps them.
fn eat(bytes: usize) -> Result<(), Box<dyn std::error::Error>> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(bytes)?;
    memory.resize(bytes, 1_u8);
    std::hint::black_box(&memory);
    signals::sleep()
}

/// Runs `program`, then prints the peak of resident memory among it and those of its descendants that were waited for.
fn peak(program: &str, arguments: &[&str]) -> Outcome {
    let status = std::process::Command::new(program).args(arguments).status()?;
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN)?;
    // The kernel counts it in KiB.
    println!("{}", usage.max_rss() / 1024);
    Ok(status.code().unwrap_or(99))
}

/// Runs `program`, waits for it and for all processes that it leaves, and prints how many page faults they had.
fn faults(program: &str, arguments: &[&str]) -> Outcome {
    nix::sys::prctl::set_child_subreaper(true)?;
    let status = std::process::Command::new(program).args(arguments).status()?;
    while nix::sys::wait::wait() != Err(nix::errno::Errno::ECHILD) {}
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN)?;
    println!("{}", usage.minor_page_faults());
    Ok(status.code().unwrap_or(99))
}

/// A small file of the kernel, without bytes that are not text.
fn text(path: &str) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
