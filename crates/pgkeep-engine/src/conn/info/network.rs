//! Times: how long to wait for a server, and when a silent one counts as dead.

use std::time::Duration;

use super::bad;
use crate::error::Result;

/// How a dead peer is noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keepalive {
    /// Whether the kernel asks a silent peer for a sign of life.
    pub on: bool,
    /// Silence before it does.
    pub idle: Duration,
    /// Time between two questions.
    pub interval: Duration,
    /// Questions without an answer before the connection is given up.
    pub count: u32,
    /// Longest time that sent bytes may stay without an acknowledgement; `None` leaves it to the kernel.
    pub user_timeout: Option<Duration>,
}

/// A coordinator is silent while its workers read for hours, and NAT gateways forget silent connections (Amazon's after
/// 350 s: "NAT gateway timeouts" of its guide); a dead peer is noticed within two minutes.
impl Default for Keepalive {
    fn default() -> Self {
        Keepalive {
            on: true,
            idle: Duration::from_secs(60),
            interval: Duration::from_secs(15),
            count: 4,
            user_timeout: None,
        }
    }
}

impl Keepalive {
    /// 0 leaves each to its default, as with libpq.
    pub(super) fn parse(take: &mut dyn FnMut(&str) -> Option<String>) -> Result<Keepalive> {
        let default = Keepalive::default();
        let mut number = |key: &str| match take(key) {
            None => Ok(None),
            Some(text) => {
                text.parse::<u32>().map(Some).map_err(|_| bad(format!("{key} \"{text}\" is not a number")))
            }
        };
        let on = number("keepalives")?.is_none_or(|n| n != 0);
        let idle = number("keepalives_idle")?.filter(|n| *n > 0);
        let interval = number("keepalives_interval")?.filter(|n| *n > 0);
        let count = number("keepalives_count")?.filter(|n| *n > 0);
        let user = number("tcp_user_timeout")?.filter(|n| *n > 0);
        let seconds = |n: u32| Duration::from_secs(n.into());
        Ok(Keepalive {
            on,
            idle: idle.map_or(default.idle, seconds),
            interval: interval.map_or(default.interval, seconds),
            count: count.unwrap_or(default.count),
            user_timeout: user.map(|ms| Duration::from_millis(ms.into())),
        })
    }
}

/// Seconds; 0 and below wait for ever.
pub(super) fn connect_timeout(text: Option<&str>) -> Result<Duration> {
    match text.map(|t| (t, t.trim().parse::<i64>())) {
        None => Ok(Duration::from_secs(15)),
        Some((_, Ok(n))) if n <= 0 => Ok(Duration::from_secs(24 * 3600)),
        Some((_, Ok(n))) => Ok(Duration::from_secs(n.unsigned_abs())),
        Some((t, Err(_))) => Err(bad(format!("connect_timeout \"{t}\" is not a number of seconds"))),
    }
}
