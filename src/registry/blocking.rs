use super::Error;

/// Waits for the network on this thread; no other thread is started.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Wait)?;
    Ok(runtime.block_on(future))
}
