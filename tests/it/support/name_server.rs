//! A small name server for tests: it answers as the test says, by UDP and TCP, and remembers what it was asked.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::net::{Shutdown, shutdown};

/// How a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Udp,
    Tcp,
}

type Asked = Arc<Mutex<Vec<(By, SocketAddr, Vec<u8>)>>>;

/// A running server. It ends when it is dropped.
pub(crate) struct NameServer {
    address: SocketAddr,
    asked: Asked,
    ends: Arc<AtomicBool>,
    sockets: (UdpSocket, TcpListener),
    threads: Vec<JoinHandle<()>>,
}

impl NameServer {
    /// Serves at `ip`; port 0 chooses one. `answer` gets each query, and returns the messages to send.
    pub(crate) fn start(
        ip: IpAddr,
        port: u16,
        answer: impl Fn(By, &[u8]) -> Vec<Vec<u8>> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (datagrams, listener) = bind(ip, port)?;
        let address = datagrams.local_addr()?;
        let sockets = (datagrams.try_clone()?, listener.try_clone()?);
        let (asked, ends) = (Asked::default(), Arc::new(AtomicBool::new(false)));
        let answer = Arc::new(answer);
        let by_udp = {
            let (asked, ends, answer) = (Arc::clone(&asked), Arc::clone(&ends), Arc::clone(&answer));
            std::thread::spawn(move || {
                let mut space = vec![0; 1 << 16];
                while let Ok((length, peer)) = datagrams.recv_from(&mut space) {
                    if ends.load(Ordering::SeqCst) {
                        return;
                    }
                    let query = space[..length].to_vec();
                    asked.lock().expect("no panic").push((By::Udp, peer, query.clone()));
                    for message in answer(By::Udp, &query) {
                        datagrams.send_to(&message, peer).ok();
                    }
                }
            })
        };
        let by_tcp = {
            let (asked, ends) = (Arc::clone(&asked), Arc::clone(&ends));
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    if ends.load(Ordering::SeqCst) {
                        return;
                    }
                    // An asker that goes away ends its own connection only.
                    stream.and_then(|stream| serve(stream, &asked, &*answer)).ok();
                }
            })
        };
        Ok(Self { address, asked, ends, sockets, threads: vec![by_udp, by_tcp] })
    }

    /// Where it serves.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was asked until now: how, from where, and the bytes.
    pub(crate) fn asked(&self) -> Vec<(By, SocketAddr, Vec<u8>)> {
        self.asked.lock().expect("no panic").clone()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // These wake the threads, also if the sockets are in another network namespace. A socket without a peer says
        // that it has none, and wakes who waits for it all the same (inet_shutdown in the kernel's net/ipv4/af_inet.c).
        shutdown(&self.sockets.0, Shutdown::Both).ok();
        shutdown(&self.sockets.1, Shutdown::Both).ok();
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

/// Both sockets at one port.
fn bind(ip: IpAddr, port: u16) -> io::Result<(UdpSocket, TcpListener)> {
    let mut tries = 0;
    loop {
        let datagrams = UdpSocket::bind((ip, port))?;
        match TcpListener::bind(datagrams.local_addr()?) {
            Ok(listener) => return Ok((datagrams, listener)),
            Err(error) if port != 0 || tries == 20 => return Err(error),
            Err(_) => tries += 1,
        }
    }
}

fn serve(mut stream: TcpStream, asked: &Asked, answer: &impl Fn(By, &[u8]) -> Vec<Vec<u8>>) -> io::Result<()> {
    let peer = stream.peer_addr()?;
    loop {
        let query = receive(&mut stream)?;
        asked.lock().expect("no panic").push((By::Tcp, peer, query.clone()));
        for message in answer(By::Tcp, &query) {
            send(&mut stream, &message)?;
        }
    }
}

/// Sends a message by TCP.
pub(crate) fn send(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).expect("at most 65535 bytes");
    stream.write_all(&[&length.to_be_bytes(), message].concat())
}

/// Receives a message by TCP.
pub(crate) fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message)?;
    Ok(message)
}

/// The answer to `query` with its question, this code, and records of addresses for its name.
pub(crate) fn answer(query: &[u8], code: u8, addresses: &[[u8; 4]]) -> Vec<u8> {
    let name = query[12..].iter().position(|byte| *byte == 0).expect("the end of a name");
    let question = &query[12..12 + name + 5];
    let count = u8::try_from(addresses.len()).expect("few");
    let header = [query[0], query[1], 0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0];
    let mut message = [header.as_slice(), question].concat();
    for address in addresses {
        message.extend_from_slice(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04");
        message.extend_from_slice(address);
    }
    message
}
