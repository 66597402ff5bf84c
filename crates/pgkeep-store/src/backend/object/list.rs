//! Listing a bucket.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::ObjectMeta;
use std::sync::Arc;

use super::store::{Remote, info};
use crate::error::Result;
use crate::runtime::run;
use crate::types::ObjectInfo;

type Stream = BoxStream<'static, object_store::Result<ObjectMeta>>;

/// A listing, fetched as it is read.
pub(crate) struct Pages {
    remote: Arc<Remote>,
    prefix: String,
    stream: Option<Stream>,
    /// What has come, the next last.
    ready: Vec<object_store::Result<ObjectMeta>>,
}

/// How many objects are taken from the runtime's threads at once; a page of S3 has 1,000.
const AT_ONCE: usize = 1000;

impl Pages {
    /// The objects of `stream` whose keys begin with `prefix`.
    pub(crate) fn new(remote: Arc<Remote>, prefix: &str, stream: Stream) -> Pages {
        // Fused, since it is taken apart into chunks and may be asked again after its end.
        let stream = Some(stream.fuse().boxed());
        Pages { remote, prefix: prefix.to_owned(), stream, ready: Vec::new() }
    }
}

impl Iterator for Pages {
    type Item = Result<ObjectInfo>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.ready.pop() {
                Some(Ok(meta)) => {
                    let key = self.remote.key(meta.location.as_ref());
                    if let Some(key) = key.filter(|key| key.starts_with(&self.prefix)) {
                        return Some(Ok(info(key, &meta)));
                    }
                }
                Some(Err(e)) => {
                    self.stream = None;
                    self.ready.clear();
                    return Some(Err(self.remote.fail("", &e)));
                }
                None => {
                    let stream = self.stream.take()?;
                    let fetch = async move {
                        let mut chunks = stream.ready_chunks(AT_ONCE);
                        let ready = chunks.next().await;
                        Ok((ready, chunks.into_inner()))
                    };
                    match run(fetch) {
                        Ok((ready, stream)) => {
                            self.ready = ready?;
                            self.ready.reverse();
                            self.stream = Some(stream);
                        }
                        Err(e) => return Some(Err(e)),
                    }
                }
            }
        }
    }
}
