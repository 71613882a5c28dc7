//! A server that answers as a test wants, over plain http or TLS, and records the requests.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A request as received.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The first byte of `Range: bytes=N-`.
    pub(crate) fn range(&self) -> usize {
        self.header("range").trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap_or(0)
    }
}

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Normally.
    Whole,
    /// The connection is closed after this many bytes of the body.
    Cut(usize),
    /// Nothing more is sent after this many bytes of the body.
    Stall(usize),
    /// Nothing is sent at all.
    Mute,
    /// The connection is closed instead of an answer.
    Vanish,
    /// A byte every five milliseconds, forever.
    Drip,
    /// The body is sent again and again, without a length.
    Endless,
}

#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) ending: Ending,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), ending: Ending::Whole }
    }

    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, body)
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn ending(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }
}

/// Runs until the test process ends; its threads only wait for connections.
pub(crate) struct TestServer {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    scheme: &'static str,
}

type Handler = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

impl TestServer {
    pub(crate) fn start(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(None, Arc::new(handler))
    }

    pub(crate) fn start_tls(tls: ServerConfig, handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(Some(Arc::new(tls)), Arc::new(handler))
    }

    fn listen(tls: Option<Arc<ServerConfig>>, handler: Handler) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let log = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (tls, handler, log) = (tls.clone(), Arc::clone(&handler), Arc::clone(&log));
                thread::spawn(move || match tls {
                    None => serve(stream, &handler, &log),
                    Some(tls) => match ServerConnection::new(tls) {
                        Ok(connection) => serve(StreamOwned::new(connection, stream), &handler, &log),
                        Err(_) => None,
                    },
                });
            }
        });
        Self { address, seen, scheme }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// The requests so far, without the one for `/v2/` that finds out the protocol.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("log").iter().filter(|seen| seen.target != "/v2/").cloned().collect()
    }
}

/// Any byte stream, with a time limit for reading.
trait Connection: Read + Write {
    fn socket(&self) -> &TcpStream;
}

impl Connection for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Connection for StreamOwned<ServerConnection, TcpStream> {
    fn socket(&self) -> &TcpStream {
        &self.sock
    }
}

/// Answers one connection until it ends, which is always `None`.
fn serve(stream: impl Connection, handler: &Handler, log: &Mutex<Vec<Seen>>) -> Option<()> {
    let mut stream = BufReader::with_capacity(64 << 10, stream);
    // TLS to a server without it: closes the connection, as other servers do.
    if stream.fill_buf().ok()?.first() == Some(&0x16) {
        return None;
    }
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, target) = (words.next()?, words.next()?);
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        let seen = Seen { method, target, headers, body: String::from_utf8_lossy(&body).into_owned() };
        log.lock().ok()?.push(seen.clone());
        answer(stream.get_mut(), &handler(&seen))?;
    }
}

fn answer(stream: &mut impl Connection, reply: &Reply) -> Option<()> {
    if reply.ending == Ending::Vanish {
        return None;
    }
    if reply.ending == Ending::Mute {
        return stream.read(&mut [0]).ok().filter(|count| *count > 0).map(drop);
    }
    let mut head = format!("HTTP/1.1 {} X\r\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    match reply.ending {
        Ending::Endless | Ending::Drip => head += "connection: close\r\n\r\n",
        _ => head += &format!("content-length: {}\r\n\r\n", reply.body.len()),
    }
    stream.write_all(head.as_bytes()).ok()?;
    match reply.ending {
        Ending::Whole | Ending::Mute | Ending::Vanish => stream.write_all(&reply.body).ok()?,
        Ending::Cut(count) => {
            stream.write_all(&reply.body[..count]).ok()?;
            stream.flush().ok()?;
            return None;
        }
        Ending::Stall(count) => {
            stream.write_all(&reply.body[..count]).ok()?;
            stream.flush().ok()?;
            // Until the client closes the connection.
            return stream.read(&mut [0]).ok().filter(|count| *count > 0).map(drop);
        }
        Ending::Drip => {
            stream.socket().set_read_timeout(Some(Duration::from_millis(5))).ok()?;
            loop {
                stream.write_all(b" ").ok()?;
                stream.flush().ok()?;
                if matches!(stream.read(&mut [0]), Ok(0)) {
                    return None;
                }
            }
        }
        Ending::Endless => loop {
            stream.write_all(&reply.body).ok()?;
        },
    }
    stream.flush().ok()
}
