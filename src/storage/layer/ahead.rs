//! Decompression and hashing on a thread of their own, so that they continue while files are written.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use crate::storage::Hasher;

/// Bytes of one chunk, and the number of chunks: the memory that a layer needs.
const CHUNK: usize = 256 << 10;
const AHEAD: usize = 4;

/// Reads `source` to its end on a second thread, which also hashes, while `work` consumes what was read.
///
/// Returns the result of `work`, and the hash and the number of all bytes. If `work` stops early, so does the thread.
/// Must not be called in a process that will still fork.
pub(super) fn read_ahead<R, T, E>(
    source: R,
    hash: Hasher,
    work: impl FnOnce(Chunks) -> Result<T, E>,
) -> Result<(T, Hasher, u64), E>
where
    R: Read + Send,
    E: From<io::Error>,
{
    std::thread::scope(|scope| {
        let (full, chunks) = sync_channel(AHEAD);
        let (empty, recycled) = channel();
        let reader = std::thread::Builder::new()
            .name("rc: decompress".to_owned())
            .spawn_scoped(scope, move || read_all(source, hash, &full, &recycled))?;
        let result = work(Chunks { chunks, empty, current: Vec::new(), position: 0 });
        let Ok(read) = reader.join() else {
            return Err(io::Error::other("the thread that decompresses has panicked").into());
        };
        let (hash, bytes) = read;
        result.map(|result| (result, hash, bytes))
    })
}

fn read_all(
    mut source: impl Read,
    mut hash: Hasher,
    full: &SyncSender<io::Result<Vec<u8>>>,
    recycled: &Receiver<Vec<u8>>,
) -> (Hasher, u64) {
    let mut bytes = 0;
    loop {
        let mut chunk = recycled.try_recv().unwrap_or_default();
        chunk.resize(CHUNK, 0);
        let mut length = 0;
        let mut end = None;
        while length < CHUNK && end.is_none() {
            match source.read(&mut chunk[length..]) {
                Ok(0) => end = Some(Ok(())),
                Ok(count) => length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => end = Some(Err(error)),
            }
        }
        chunk.truncate(length);
        hash.update(&chunk);
        bytes += length as u64;
        let is_taken = length == 0 || full.send(Ok(chunk)).is_ok();
        // The worker may have stopped: then it reports an error of its own.
        match end {
            None if is_taken => {}
            Some(Err(error)) => {
                drop(full.send(Err(error)));
                return (hash, bytes);
            }
            _ => return (hash, bytes),
        }
    }
}

/// The chunks that were read ahead.
pub(super) struct Chunks {
    chunks: Receiver<io::Result<Vec<u8>>>,
    empty: Sender<Vec<u8>>,
    current: Vec<u8>,
    position: usize,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Chunks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position == self.current.len()
            && let Ok(next) = self.chunks.recv()
        {
            let used = std::mem::replace(&mut self.current, next?);
            self.position = 0;
            // The reader may have reached its end, and need no more chunks.
            drop(self.empty.send(used));
        }
        Ok(&self.current[self.position..])
    }

    fn consume(&mut self, count: usize) {
        self.position += count;
    }
}
