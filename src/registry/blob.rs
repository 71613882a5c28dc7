use bytes::Bytes;
use reqwest::Response;
use reqwest::header::CONTENT_RANGE;

use super::address::authority;
use super::manifest::Descriptor;
use super::transport::Pace;
use super::{Client, Error};

/// After this many new bytes, a broken connection counts as the first one again: a large layer must arrive some day
/// even over a bad line.
const PROGRESS: u64 = 1 << 20;

/// A blob that is being received, in pieces, never more of it than its declared size. If the connection breaks, it is
/// opened again and continues where it was.
///
/// It is not hashed here: the code that writes it to the store hashes it, and gives it no name if the digest is wrong
/// (`BlobWriter`).
pub(crate) struct Blob<'c> {
    client: &'c Client,
    descriptor: Descriptor,
    response: Option<Response>,
    pace: Pace,
    /// Bytes returned so far, counted from the start of the blob.
    position: u64,
    /// Bytes that the server sends although we have them: it does not support Range.
    skip: u64,
    failures: u32,
    /// `position` at the last failure.
    failed_at: u64,
}

impl Client {
    /// Starts to receive a blob at byte `offset`.
    pub(crate) async fn blob(&self, descriptor: &Descriptor, offset: u64) -> Result<Blob<'_>, Error> {
        Blob::start(self, descriptor.clone(), offset).await
    }
}

impl<'c> Blob<'c> {
    async fn start(client: &'c Client, descriptor: Descriptor, offset: u64) -> Result<Blob<'c>, Error> {
        let mut blob = Blob {
            client,
            descriptor,
            response: None,
            pace: Pace::default(),
            position: offset,
            skip: 0,
            failures: 0,
            failed_at: offset,
        };
        if blob.position < blob.descriptor.size {
            blob.connect().await?;
        }
        Ok(blob)
    }

    /// The next piece; `None` after exactly the declared size.
    ///
    /// Fails with `Size` if the server has more or fewer bytes than declared.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let Some(response) = &mut self.response else { return Ok(None) };
            match self.client.transport().chunk(response, &mut self.pace, &self.descriptor.digest).await {
                Ok(Some(chunk)) => {
                    if let Some(chunk) = self.take(chunk)? {
                        return Ok(Some(chunk));
                    }
                }
                Ok(None) if self.position == self.descriptor.size => {
                    self.response = None;
                    return Ok(None);
                }
                Ok(None) => return Err(self.wrong_size(false)),
                Err(error) => self.recover(error).await?,
            }
        }
    }

    /// Counts a piece, without the part that we already had.
    fn take(&mut self, mut chunk: Bytes) -> Result<Option<Bytes>, Error> {
        let known = usize::try_from(self.skip).unwrap_or(usize::MAX).min(chunk.len());
        self.skip -= known as u64;
        let chunk = chunk.split_off(known);
        if chunk.is_empty() {
            return Ok(None);
        }
        if chunk.len() as u64 > self.descriptor.size - self.position {
            return Err(self.wrong_size(true));
        }
        self.position += chunk.len() as u64;
        Ok(Some(chunk))
    }

    /// Connects again after `error`, unless the error is permanent or there were too many.
    async fn recover(&mut self, error: Error) -> Result<(), Error> {
        if self.position >= self.failed_at + PROGRESS {
            self.failures = 0;
        }
        if !error.is_transient() || self.failures == self.client.transport().retries() {
            return Err(Error::Blob { digest: self.descriptor.digest.clone(), source: Box::new(error) });
        }
        self.client.transport().back_off(self.failures, &error).await;
        self.failures += 1;
        self.failed_at = self.position;
        self.response = None;
        self.connect().await
    }

    async fn connect(&mut self) -> Result<(), Error> {
        let digest = &self.descriptor.digest;
        let subject = self.client.subject(digest);
        let response = self.client.get(&format!("blobs/{digest}"), None, self.position, &subject).await?;
        self.skip = match response.status().as_u16() {
            206 if range_start(&response) == Some(self.position) => 0,
            206 => {
                let host = authority(response.url());
                return Err(Error::Broken { host, cause: "it sent another part than the one asked for".to_owned() });
            }
            _ => self.position,
        };
        self.pace = Pace::default();
        self.response = Some(response);
        Ok(())
    }

    fn wrong_size(&self, longer: bool) -> Error {
        Error::Size { digest: self.descriptor.digest.clone(), declared: self.descriptor.size, longer }
    }
}

/// The first byte of `Content-Range: bytes FIRST-LAST/LENGTH`. Source: RFC 9110, 14.4.
fn range_start(response: &Response) -> Option<u64> {
    let text = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    text.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}
