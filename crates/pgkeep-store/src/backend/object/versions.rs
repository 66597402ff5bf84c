//! Listing the versions of a bucket's objects.

use std::collections::VecDeque;
use std::sync::Arc;

use super::beyond::{Beyond, Next};
use super::store::Remote;
use crate::error::Result;
use crate::runtime::run;
use crate::types::Version;

/// The versions of all objects whose keys begin alike, a page at a time.
pub(crate) struct Versions {
    remote: Arc<Remote>,
    beyond: Arc<dyn Beyond>,
    prefix: String,
    next: Option<Next>,
    ready: VecDeque<Version>,
}

impl Versions {
    /// Begins with the first page; `prefix` is one of keys below the store's own.
    pub(crate) fn new(remote: Arc<Remote>, beyond: Arc<dyn Beyond>, prefix: &str) -> Versions {
        let prefix = remote.full_prefix(prefix);
        Versions { remote, beyond, prefix, next: Some(Next::default()), ready: VecDeque::new() }
    }
}

impl Iterator for Versions {
    type Item = Result<Version>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(version) = self.ready.pop_front() {
                match self.remote.key(&version.key) {
                    Some(key) => return Some(Ok(Version { key, ..version })),
                    None => continue,
                }
            }
            let from = self.next.take()?;
            let (remote, beyond, prefix) = (self.remote.clone(), self.beyond.clone(), self.prefix.clone());
            let page = async move { beyond.versions(&prefix, &from).await.map_err(|e| remote.fail("", &e)) };
            match run(page) {
                Ok(page) => {
                    self.ready = page.versions.into();
                    self.next = page.next;
                }
                Err(e) => return Some(Err(e)),
            }
        }
    }
}
