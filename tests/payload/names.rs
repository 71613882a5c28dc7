//! A client of name servers: the first one in `/etc/resolv.conf`, or the one that is named.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// The time that the client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// The time after which it asks again, as the C library does.
const AGAIN: Duration = Duration::from_secs(5);

type Error = Box<dyn std::error::Error>;

/// Asks `by` UDP or TCP for records of a type, and returns the addresses or names in the order in which they came, the
/// words for none of them, or those for an error.
pub(crate) fn look_up(by: &str, kind: &str, name: &str, server: Option<&str>) -> Result<String, Error> {
    let server = server_at(server)?;
    let query = query(1, kind, name)?;
    let answer = match by {
        "udp" => {
            let socket = UdpSocket::bind(if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
            socket.set_read_timeout(Some(AGAIN))?;
            socket.connect(server)?;
            let mut space = vec![0; 65536];
            let start = Instant::now();
            loop {
                socket.send(&query)?;
                match socket.recv(&mut space) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock && start.elapsed() < PATIENCE => {}
                    length => break space.truncate(length?),
                }
            }
            space
        }
        "tcp" => {
            let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(&[&u16::try_from(query.len())?.to_be_bytes(), query.as_slice()].concat())?;
            let mut length = [0; 2];
            stream.read_exact(&mut length)?;
            let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut answer)?;
            answer
        }
        _ => return Err("neither udp nor tcp".into()),
    };
    if answer.get(..2) != query.get(..2) {
        return Err("the answer to another query".into());
    }
    read(&answer)
}

/// Asks `count` times by UDP for an address, one query after the other; what is not `expected` is wrong. Returns how
/// many answers were lost and wrong, and the median and the 99th percentile of the times in microseconds.
pub(crate) fn measure(count: u32, name: &str, expected: &str, server: Option<&str>) -> Result<String, Error> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    socket.connect(server_at(server)?)?;
    let (mut lost, mut wrong, mut times) = (0, 0, Vec::new());
    let mut space = vec![0; 65536];
    for number in 0..count {
        let id = u16::try_from(number % 65536)?;
        let query = query(id, "a", name)?;
        let start = Instant::now();
        socket.send(&query)?;
        let answer = loop {
            match socket.recv(&mut space) {
                // The late answer to a query that counts as lost.
                Ok(length) if space.get(..2) != Some(&id.to_be_bytes()) && length > 1 => {}
                Ok(length) => break Some(read(&space[..length])?),
                Err(_) => break None,
            }
        };
        times.push(start.elapsed());
        match answer {
            None => lost += 1,
            Some(answer) if answer != expected => wrong += 1,
            Some(_) => {}
        }
    }
    times.sort();
    let at = |part: usize| times.get(times.len() * part / 100).map_or(0, Duration::as_micros);
    Ok(format!("lost {lost} wrong {wrong} median {} p99 {}", at(50), at(99)))
}

/// Answers every query by UDP with one address.
pub(crate) fn serve(address: &str) -> Result<(), Error> {
    let socket = UdpSocket::bind(address)?;
    crate::ready()?;
    let mut space = [0; 512];
    loop {
        let (length, asker) = socket.recv_from(&mut space)?;
        if length < 12 {
            continue;
        }
        let mut answer = space[..length].to_vec();
        answer[2..4].copy_from_slice(b"\x81\x80");
        answer[7] = 1;
        answer.extend_from_slice(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01");
        socket.send_to(&answer, asker)?;
    }
}

/// The name server that is named, or else the first one of `/etc/resolv.conf`.
pub(crate) fn server_at(named: Option<&str>) -> Result<SocketAddr, Error> {
    if let Some(named) = named {
        return Ok(named.parse()?);
    }
    let text = std::fs::read_to_string("/etc/resolv.conf")?;
    let first = text.lines().find_map(|line| line.strip_prefix("nameserver ")).ok_or("no name server")?;
    Ok(SocketAddr::new(first.trim().parse::<IpAddr>()?, 53))
}

/// A query with this ID for records of a type.
pub(crate) fn query(id: u16, kind: &str, name: &str) -> Result<Vec<u8>, Error> {
    let kind: u16 = match kind {
        "a" => 1,
        "ptr" => 12,
        "aaaa" => 28,
        "any" => 255,
        _ => kind.parse()?,
    };
    let mut bytes = [&id.to_be_bytes(), b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00".as_slice()].concat();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len())?);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(b"\x00\x01");
    Ok(bytes)
}

/// The addresses or names of an answer, or the words for an error.
pub(crate) fn read(answer: &[u8]) -> Result<String, Error> {
    let short = "a short answer";
    let count = usize::from(*answer.get(7).ok_or(short)?);
    match answer[3] & 0x0f {
        0 => {}
        2 => return Ok("SERVFAIL".to_owned()),
        3 => return Ok("NXDOMAIN".to_owned()),
        code => return Ok(format!("code {code}")),
    }
    let mut at = 12;
    while *answer.get(at).ok_or(short)? != 0 {
        at += usize::from(answer[at]) + 1;
    }
    at += 5;
    let mut found = Vec::new();
    for _ in 0..count {
        // A pointer to the question, type, class, TTL, length.
        let kind = answer.get(at + 3).ok_or(short)?;
        let length = usize::from(*answer.get(at + 11).ok_or(short)?);
        let data = answer.get(at + 12..at + 12 + length).ok_or(short)?;
        at += 12 + length;
        found.push(match kind {
            1 => IpAddr::from(<[u8; 4]>::try_from(data)?).to_string(),
            28 => IpAddr::from(<[u8; 16]>::try_from(data)?).to_string(),
            _ => labels(data),
        });
    }
    Ok(if found.is_empty() { "empty".to_owned() } else { found.join(" ") })
}

/// A name that is written out.
fn labels(mut data: &[u8]) -> String {
    let mut name = String::new();
    while let [length @ 1..=63, rest @ ..] = data {
        let Some((label, rest)) = rest.split_at_checked(usize::from(*length)) else { break };
        name.push_str(&String::from_utf8_lossy(label));
        name.push('.');
        data = rest;
    }
    name
}
