//! The content of a blob that is sent: read while it is sent, counted, and never more than its declared size.

use std::fmt;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::manifest::Descriptor;

/// The most that is read at once, in bytes.
const CHUNK: usize = 128 << 10;

type Open = dyn Fn(u64) -> io::Result<Box<dyn Read + Send>> + Send + Sync;
type Sent = dyn Fn(u64) + Send + Sync;

/// A blob to send, which can be opened again if the connection breaks; cheap to clone.
#[derive(Clone)]
pub(crate) struct Source {
    /// Its digest and size.
    pub(crate) descriptor: Descriptor,
    open: Arc<Open>,
    sent: Arc<Sent>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// How far into the blob the connection has taken bytes.
    position: AtomicU64,
    /// The furthest position so far.
    furthest: AtomicU64,
    failure: Mutex<Option<io::Error>>,
}

impl Source {
    /// A blob that `open` opens at an offset; `sent` hears of each number of bytes that are sent for the first time.
    pub(crate) fn new(
        descriptor: Descriptor,
        open: impl Fn(u64) -> io::Result<Box<dyn Read + Send>> + Send + Sync + 'static,
        sent: impl Fn(u64) + Send + Sync + 'static,
    ) -> Self {
        Self { descriptor, open: Arc::new(open), sent: Arc::new(sent), state: Arc::default() }
    }

    /// The position, for who watches the progress.
    pub(super) fn position(&self) -> u64 {
        self.state.position.load(Ordering::Relaxed)
    }

    /// Why the content could not be read, if that is why a request failed.
    pub(super) fn take_failure(&self) -> Option<io::Error> {
        self.state.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The rest of the blob from byte `offset` on, as a body.
    pub(super) fn body(&self, offset: u64) -> reqwest::Body {
        self.state.position.store(offset, Ordering::Relaxed);
        let left = self.descriptor.size.saturating_sub(offset);
        reqwest::Body::wrap(Stream { source: self.clone(), offset, left, reader: Mutex::new(None) })
    }

    fn advance(&self, count: u64) {
        let position = self.state.position.fetch_add(count, Ordering::Relaxed) + count;
        let furthest = self.state.furthest.fetch_max(position, Ordering::Relaxed);
        if position > furthest {
            (self.sent)(position - furthest);
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("descriptor", &self.descriptor).finish_non_exhaustive()
    }
}

struct Stream {
    source: Source,
    offset: u64,
    left: u64,
    /// Opened at the first read. The lock is never waited for; it makes the body `Sync`, as the client demands.
    reader: Mutex<Option<Box<dyn Read + Send>>>,
}

impl Stream {
    /// The next piece; `None` at the end. Fails if the content is shorter than declared.
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        let reader = self.reader.get_mut().unwrap_or_else(PoisonError::into_inner);
        let reader = match reader {
            Some(reader) => reader,
            None => reader.insert((self.source.open)(self.offset)?),
        };
        let want = usize::try_from(self.left).unwrap_or(CHUNK).min(CHUNK);
        let mut chunk = vec![0; want.max(1)];
        let count = loop {
            match reader.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        if (count == 0) != (self.left == 0) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its length is not as declared"));
        }
        chunk.truncate(count);
        self.left -= count as u64;
        Ok((count > 0).then(|| Bytes::from(chunk)))
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = io::Error;

    /// Reads a local file, for which waiting is short.
    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let next = self.next();
        Poll::Ready(match next {
            Ok(None) => None,
            Ok(Some(chunk)) => {
                self.source.advance(chunk.len() as u64);
                // The last read also checks the digest, before the last bytes are sent.
                if self.left == 0
                    && let Err(error) = self.next()
                {
                    return Poll::Ready(Some(Err(self.fail_with(error))));
                }
                Some(Ok(Frame::data(chunk)))
            }
            Err(error) => Some(Err(self.fail_with(error))),
        })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl Stream {
    /// Keeps the error for who sends; the HTTP stack gets one without a text.
    fn fail_with(&self, error: io::Error) -> io::Error {
        let kind = error.kind();
        *self.source.state.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        kind.into()
    }
}
