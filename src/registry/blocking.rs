use std::io;

use tokio::runtime::{Builder, Runtime};

use super::Error;

/// Waits for the network on this thread; no other thread is started.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Error> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::Wait)?;
    Ok(runtime.block_on(future))
}

/// What moves bytes between sockets and threads of rc's own, on two threads: it needs no more.
pub(crate) fn workers() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).thread_name("rc: network").enable_all().build()
}
