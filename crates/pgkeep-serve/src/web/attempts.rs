//! A limit on failed sign-ins, by address and by user.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Failures are counted for so long.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// So many of one user.
const OF_USER: u32 = 10;
/// So many from one address: several people may share one.
const FROM_ADDRESS: u32 = 30;
/// No more addresses and users are kept; the oldest goes.
const MOST: usize = 4_000;

/// Failed sign-ins.
#[derive(Default)]
pub(super) struct Attempts(Mutex<HashMap<Key, (Timestamp, u32)>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    User(String),
    Address(IpAddr),
}

impl Attempts {
    /// Counts one try, before its password is looked at, so that many at once count as well.
    ///
    /// # Errors
    /// When the next one may be made, where there were too many.
    pub(super) fn count(&self, user: &str, address: IpAddr, now: Timestamp) -> Result<(), Timestamp> {
        self.count_all(
            &[(Key::User(name(user)), OF_USER), (Key::Address(network(address)), FROM_ADDRESS)],
            now,
        )
    }

    /// Counts one try of somebody who has not said who they are.
    ///
    /// # Errors
    /// As [`count`](Self::count).
    pub(super) fn count_address(&self, address: IpAddr, now: Timestamp) -> Result<(), Timestamp> {
        self.count_all(&[(Key::Address(network(address)), FROM_ADDRESS)], now)
    }

    fn count_all(&self, keys: &[(Key, u32)], now: Timestamp) -> Result<(), Timestamp> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, most) in keys {
            if let Some((since, n)) = all.get(key)
                && *since + WINDOW > now
                && n >= most
            {
                return Err(*since + WINDOW);
            }
        }
        if all.len() + keys.len() > MOST {
            all.retain(|_, (since, _)| *since + WINDOW > now);
            while all.len() + keys.len() > MOST {
                let oldest = all.iter().min_by_key(|(_, (since, _))| *since).map(|(key, _)| key.clone());
                let Some(oldest) = oldest else { break };
                all.remove(&oldest);
            }
        }
        for (key, _) in keys {
            let entry = all.entry(key.clone()).or_insert((now, 0));
            *entry = if entry.0 + WINDOW > now { (entry.0, entry.1 + 1) } else { (now, 1) };
        }
        Ok(())
    }

    /// Forgets a user's failures after a success. Those of the address stay: an attacker may have one account.
    pub(super) fn succeeded(&self, user: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&Key::User(name(user)));
    }
}

/// What is kept of a name that somebody typed: no name is longer, and memory is bounded.
fn name(user: &str) -> String {
    user.chars().take(100).collect()
}

/// An IPv6 host has a whole /64 to choose from.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn a_user_s_tries_are_counted_from_anywhere_and_forgotten_in_time() {
        let attempts = Attempts::default();
        for i in 0..10 {
            attempts.count("ann", IpAddr::from([10, 0, 0, i]), at(0)).unwrap();
        }
        assert_eq!(attempts.count("ann", IpAddr::from([10, 0, 0, 99]), at(5)), Err(at(600)));
        attempts.count("bob", IpAddr::from([10, 0, 0, 99]), at(5)).unwrap();
        attempts.count("ann", IpAddr::from([10, 0, 0, 99]), at(600)).unwrap();
    }

    #[test]
    fn an_address_s_tries_are_counted_whatever_names_it_has() {
        let attempts = Attempts::default();
        let host = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        for i in 0..30 {
            attempts.count(&format!("u{i}"), host(i), at(0)).unwrap();
        }
        assert!(attempts.count("other", host(99), at(1)).is_err());
        attempts.succeeded("u1");
        assert!(attempts.count("u1", host(99), at(1)).is_err());
        attempts.count("u1", IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1]), at(1)).unwrap();
    }

    #[test]
    fn memory_is_bounded() {
        let attempts = Attempts::default();
        for i in 0..MOST as u32 {
            attempts.count(&format!("u{i}"), IpAddr::from(i.to_be_bytes()), at(i64::from(i) / 100)).unwrap();
        }
        assert!(attempts.0.lock().unwrap().len() <= MOST);
    }
}
