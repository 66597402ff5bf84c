//! Shared by the failure tests: running the program, watching it, and looking for what it may have left.
//!
//! Each test program uses a part of this, hence `dead_code`.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod archive;
pub mod data;
pub mod key;
pub mod place;
pub mod program;

use std::time::{Duration, Instant};

/// Waits until something holds; panics with `what` after half a minute.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "half a minute passed without this: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A port of this machine on which nobody listens.
pub fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A small generator of numbers, so that "at random" is the same in every run (SplitMix64).
pub struct Random(pub u64);

impl Random {
    /// The next number, from 0 to `below` - 1.
    pub fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}
