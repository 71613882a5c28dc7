//! Echo servers and their client.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

/// The time that the client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers each connection with the data that it sent, after the address that it came from.
pub(crate) fn serve_tcp(port: u16) -> std::io::Result<()> {
    let listener =
        TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).or_else(|_| TcpListener::bind(("0.0.0.0", port)))?;
    crate::ready()?;
    for stream in listener.incoming() {
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
            let socket = UdpSocket::bind("0.0.0.0:0")?;
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
