//! What the tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(dead_code, unreachable_pub, reason = "each test file uses some of it")]

pub mod conformance;
pub mod proxy;
pub mod s3;

use pgkeep_store::Store;
use std::sync::atomic::{AtomicU64, Ordering};

/// A store of a test's own, and what must live as long as it does.
pub struct Bed {
    pub store: Store,
    /// The smallest part size the store takes, so that tests with many parts stay small.
    pub part: u64,
    pub keep: Option<tempfile::TempDir>,
}

/// A name no other test has, in this process or another.
pub fn unique(what: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{what}-{}-{}-{}", now.as_nanos(), std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Bytes that differ from place to place.
pub fn bytes(len: u64, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(len as usize + 8);
    while (bytes.len() as u64) < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len as usize);
    bytes
}
