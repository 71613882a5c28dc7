//! How a connection or a server fares for some time: for the bench.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::names;

/// How long an answer may take before it is asked for again.
const SOON: Duration = Duration::from_millis(20);

/// Plays one of the parts.
pub(crate) fn play(words: &[&str]) -> Result<(), Box<dyn Error>> {
    let time = |ms: &str| ms.parse().map(Duration::from_millis);
    match words {
        ["drain", port] => drain(port.parse()?)?,
        ["flow", way, address, ms] => println!("{}", flow(way, address, time(ms)?)?),
        ["gap", kind, target, ms] => println!("{}", gap(kind, target, time(ms)?)?),
        _ => return Err("no such part".into()),
    }
    Ok(())
}

/// Reads from each client, one after the other, until it has said all.
fn drain(port: u16) -> std::io::Result<()> {
    let mut bytes = vec![0; 256 << 10];
    for stream in TcpListener::bind(("0.0.0.0", port))?.incoming() {
        let mut stream = stream?;
        while stream.read(&mut bytes).is_ok_and(|count| count > 0) {}
    }
    Ok(())
}

/// Reads from a server (`in`) or sends to it (`out`) for some time. Returns how much that was, in Mbit/s, and the
/// longest time in which nothing moved, in milliseconds.
fn flow(way: &str, address: &str, time: Duration) -> Result<String, Box<dyn Error>> {
    let mut stream = TcpStream::connect_timeout(&address.parse()?, Duration::from_secs(10))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    let (mut bytes, mut moved, mut stall) = (vec![b'x'; 64 << 10], 0u64, Duration::ZERO);
    let start = Instant::now();
    let mut last = start;
    while start.elapsed() < time {
        let count = match way {
            "in" => stream.read(&mut bytes)?,
            "out" => stream.write(&bytes)?,
            _ => return Err("neither in nor out".into()),
        };
        if count == 0 {
            return Err("the server has closed".into());
        }
        moved += count as u64;
        let now = Instant::now();
        stall = stall.max(now - last);
        last = now;
    }
    if way == "out" {
        // What is still on its way counts with the time that it needs.
        stream.shutdown(Shutdown::Write)?;
        while stream.read(&mut bytes)? > 0 {}
    }
    let micros = u64::try_from(start.elapsed().as_micros())?;
    Ok(format!("{} {}", moved * 8 / micros.max(1), stall.as_millis()))
}

/// Asks for some time, a thousand times a second, for a `name` of the first name server, or at a server by `udp`.
/// Returns the longest time between two answers, in tenths of a millisecond.
fn gap(kind: &str, target: &str, time: Duration) -> Result<u128, Box<dyn Error>> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(SOON))?;
    let query = match kind {
        "name" => {
            socket.connect(names::server_at(None)?)?;
            names::query(1, "a", target)?
        }
        "udp" => {
            socket.connect(target)?;
            b"?".to_vec()
        }
        _ => return Err("neither name nor udp".into()),
    };
    let is_answer = |answer: &[u8]| kind == "udp" || names::read(answer).is_ok_and(|found| found.contains('.'));
    let (start, mut gap, mut space) = (Instant::now(), Duration::ZERO, vec![0; 65536]);
    let mut last = start;
    while start.elapsed() < time {
        // The kernel refuses while there is no server: that is no answer either.
        let answered = socket.send(&query).and_then(|_| socket.recv(&mut space));
        if answered.is_ok_and(|length| is_answer(&space[..length])) {
            let now = Instant::now();
            gap = gap.max(now - last);
            last = now;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(gap.max(last.elapsed()).as_micros() / 100)
}
