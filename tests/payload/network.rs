//! Echo servers and their client.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

/// The time that the client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time that a connection may take to a host that is near, if it exists.
pub(crate) const SHORT: Duration = Duration::from_secs(2);

/// Answers each connection with the data that it sent, after the address that it came from.
pub(crate) fn serve_tcp(port: u16) -> std::io::Result<()> {
    for stream in listen(port)?.incoming() {
        let mut stream = stream?;
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if stream.read_to_end(&mut bytes).is_ok() {
                drop(stream.write_all(&bytes));
            }
        });
    }
    Ok(())
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    let listener = bind(port)?;
    crate::ready()?;
    Ok(listener)
}

fn bind(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).or_else(|_| TcpListener::bind(("0.0.0.0", port)))
}

/// As whom a server that greets sees this program: its address, without the port.
pub(crate) fn greeted(address: &str) -> Result<std::net::IpAddr, Box<dyn std::error::Error>> {
    use std::io::BufRead as _;
    let mut stream = TcpStream::connect_timeout(&address.parse()?, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // pasta of 2023 delays the end of the handshake for a client that says nothing.
    stream.write_all(b"hello")?;
    let mut line = String::new();
    std::io::BufReader::new(stream).read_line(&mut line)?;
    Ok(line.trim_end().parse::<std::net::SocketAddr>()?.ip())
}

/// Speaks first by UDP, as a game server does: sends a datagram to an address, and then answers each with `hello`.
pub(crate) fn call_udp(port: u16, address: &str) -> std::io::Result<()> {
    let socket = UdpSocket::bind(("0.0.0.0", port))?;
    crate::ready()?;
    // Its way out may lose the first ones.
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let mut has_answer = false;
    loop {
        if !has_answer {
            socket.send_to(b"who is there?", address)?;
        }
        if let Ok((_, peer)) = socket.recv_from(&mut [0; 65536]) {
            has_answer = true;
            socket.send_to(b"hello", peer)?;
        }
    }
}

/// Speaks first: tells each client the address and port that it comes from, and then answers as an echo.
pub(crate) fn greet(port: u16) -> std::io::Result<()> {
    greet_at(&listen(port)?)
}

/// [`greet`] and [`greet_udp`] at the same time.
pub(crate) fn greet_both(port: u16) -> std::io::Result<()> {
    let listener = bind(port)?;
    std::thread::spawn(move || greet_at(&listener));
    greet_udp(port)
}

fn greet_at(listener: &TcpListener) -> std::io::Result<()> {
    for stream in listener.incoming() {
        let mut stream = stream?;
        let peer = stream.peer_addr()?;
        let peer = std::net::SocketAddr::new(peer.ip().to_canonical(), peer.port());
        std::thread::spawn(move || {
            if writeln!(stream, "{peer}").is_ok() {
                drop(stream.try_clone().and_then(|mut from| std::io::copy(&mut from, &mut stream)));
            }
        });
    }
    Ok(())
}

/// Answers each datagram with the address and port that it comes from.
pub(crate) fn greet_udp(port: u16) -> std::io::Result<()> {
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)).or_else(|_| UdpSocket::bind(("0.0.0.0", port)))?;
    crate::ready()?;
    loop {
        let (_, peer) = socket.recv_from(&mut [0; 65536])?;
        let told = std::net::SocketAddr::new(peer.ip().to_canonical(), peer.port());
        socket.send_to(told.to_string().as_bytes(), peer)?;
    }
}

/// Prints for each connection, one after the other, how it ends: `end`, or the error.
pub(crate) fn watch(port: u16) -> std::io::Result<()> {
    for stream in listen(port)?.incoming() {
        let said = match stream?.read_to_end(&mut Vec::new()) {
            Ok(_) => "end".to_owned(),
            Err(error) => format!("{:?}", error.kind()),
        };
        println!("{said}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// Resets each connection after its first byte.
pub(crate) fn abort(port: u16) -> std::io::Result<()> {
    for stream in listen(port)?.incoming() {
        let mut stream = stream?;
        stream.read_exact(&mut [0])?;
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
    }
    Ok(())
}

/// Sends its first client that many bytes, and ends.
pub(crate) fn last_words(port: u16, bytes: usize) -> std::io::Result<()> {
    let (mut stream, _) = listen(port)?.accept()?;
    stream.write_all(&vec![b'x'; bytes])
}

/// Sends to each client until it closes.
pub(crate) fn source(port: u16) -> std::io::Result<()> {
    let bytes = vec![b'x'; 256 << 10];
    for stream in listen(port)?.incoming() {
        let mut stream = stream?;
        while stream.write_all(&bytes).is_ok() {}
    }
    Ok(())
}

/// Sends `text` to a local socket, and returns the answer.
pub(crate) fn tell(socket: &str, text: &str) -> std::io::Result<String> {
    let mut stream = std::os::unix::net::UnixStream::connect(socket)?;
    stream.write_all(text.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Reads that many bytes from a server, and returns how long it took, in milliseconds.
pub(crate) fn sink(address: &str, bytes: u64) -> Result<u128, Box<dyn std::error::Error>> {
    let mut stream = TcpStream::connect_timeout(&address.parse()?, PATIENCE)?;
    let (mut left, mut buffer) = (bytes, vec![0; 256 << 10]);
    stream.read_exact(&mut [0])?;
    let start = std::time::Instant::now();
    while left > 0 {
        match stream.read(&mut buffer)? {
            0 => return Err("the server has closed".into()),
            count => left = left.saturating_sub(count as u64),
        }
    }
    Ok(start.elapsed().as_millis())
}

/// Answers each datagram with itself.
pub(crate) fn serve_udp(port: u16) -> std::io::Result<()> {
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)).or_else(|_| UdpSocket::bind(("0.0.0.0", port)))?;
    crate::ready()?;
    let mut bytes = [0; 65536];
    loop {
        let (length, sender) = socket.recv_from(&mut bytes)?;
        socket.send_to(&bytes[..length], sender)?;
    }
}

/// Sends `text` to `address` (`127.0.0.1:80`) and returns the answer.
pub(crate) fn ask(protocol: &str, address: &str, text: &str) -> Result<String, Box<dyn std::error::Error>> {
    let mut answer = Vec::new();
    match protocol {
        "tcp" => {
            let mut stream = TcpStream::connect_timeout(&address.parse()?, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(text.as_bytes())?;
            stream.shutdown(Shutdown::Write)?;
            stream.read_to_end(&mut answer)?;
        }
        "udp" => {
            let address: std::net::SocketAddr = address.parse()?;
            let socket = UdpSocket::bind(if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.send_to(text.as_bytes(), address)?;
            answer.resize(65536, 0);
            let (length, _) = socket.recv_from(&mut answer)?;
            answer.truncate(length);
        }
        _ => return Err("neither tcp nor udp".into()),
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Sends what comes from standard input by one TCP connection, and prints what comes back, until that ends.
pub(crate) fn converse(address: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut stream = TcpStream::connect_timeout(&address.parse()?, PATIENCE)?;
    let mut back = stream.try_clone()?;
    std::thread::spawn(move || {
        let sent = std::io::copy(&mut std::io::stdin(), &mut stream);
        drop(sent.and_then(|_| stream.shutdown(Shutdown::Write)));
    });
    std::io::copy(&mut back, &mut std::io::stdout())?;
    Ok(())
}

/// Connects a socket, which this program has as a standard descriptor, to another address: the connection leaves from
/// the network that the socket was created in, whatever network this program is in. Source: connect(2), `AF_UNSPEC`.
pub(crate) fn redial(end: &str, address: std::net::SocketAddr) -> std::io::Result<()> {
    let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
    let socket: BorrowedFd<'_> = if end == "in" { stdin.as_fd() } else { stdout.as_fd() };
    rustix::net::connect_unspec(socket)?;
    rustix::net::connect(socket, &address)?;
    rustix::net::send(socket, b"redialled", rustix::net::SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Asks a host for an echo (ICMP), by a socket that needs no capability, and waits for it. The kernel fills in the
/// identifier and the checksum.
pub(crate) fn ping(address: std::net::Ipv4Addr) -> std::io::Result<()> {
    use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, ipproto, recv, sendto, socket};
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, Some(ipproto::ICMP))?;
    rustix::net::sockopt::set_socket_timeout(&socket, rustix::net::sockopt::Timeout::Recv, Some(PATIENCE))?;
    let echo_request = [8, 0, 0, 0, 0, 0, 0, 1, b'h', b'i'];
    sendto(&socket, &echo_request, SendFlags::empty(), &std::net::SocketAddrV4::new(address, 0))?;
    let mut answer = [0; 64];
    let (count, _) = recv(&socket, &mut answer, RecvFlags::empty())?;
    let is_reply = answer[0] == 0 && answer[8..count].ends_with(b"hi");
    is_reply.then_some(()).ok_or_else(|| std::io::Error::other("another answer"))
}

/// Sends messages to a socket of this host, one after the other, and prints what is answered to each, or nothing.
pub(crate) fn dial(path: &str, messages: &[&str]) -> std::io::Result<()> {
    let mut stream = std::os::unix::net::UnixStream::connect(path)?;
    for message in messages {
        let digits = message.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).into_owned());
        let bytes = digits.map(|pair| u8::from_str_radix(&pair, 16).map_err(std::io::Error::other));
        stream.write_all(&bytes.collect::<std::io::Result<Vec<u8>>>()?)?;
        let mut answer = [0; 4096];
        let count = stream.read(&mut answer)?;
        println!("{}", answer[..count].iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    }
    Ok(())
}
