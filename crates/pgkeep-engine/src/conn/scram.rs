//! SCRAM-SHA-256 and its variant that is tied to the TLS session (RFC 5802, RFC 7677).

use postgres_protocol::authentication::sasl::{
    ChannelBinding as Binding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};

use super::auth::{strange, unbound};
use super::info::{ChannelBinding, ConnInfo};
use super::stream::Stream;
use crate::error::Result;

/// A running exchange.
pub(super) struct Scram {
    pub(super) exchange: ScramSha256,
    /// Whether it proves that both ends see the same TLS session.
    pub(super) bound: bool,
}

/// Chooses among the mechanisms that the server offers.
pub(super) fn begin(stream: &Stream, info: &ConnInfo, offered: &[u8], password: &[u8]) -> Result<Scram> {
    let offers = |name: &str| offered.split(|b| *b == 0).any(|m| m == name.as_bytes());
    let end_point = match info.channel_binding {
        ChannelBinding::Disable => None,
        _ => stream.server_end_point(),
    };
    let required = info.channel_binding == ChannelBinding::Require;
    let (binding, bound) = match end_point {
        Some(hash) if offers(SCRAM_SHA_256_PLUS) => (Binding::tls_server_end_point(hash), true),
        _ if required && !stream.is_tls() => return Err(unbound(info, "there is no TLS on this connection")),
        _ if required => return Err(unbound(info, "the server does not offer SCRAM-SHA-256-PLUS")),
        // Tells the server that we could, so that nobody in between can talk both out of it.
        Some(_) => (Binding::unrequested(), false),
        None => (Binding::unsupported(), false),
    };
    if !bound && !offers(SCRAM_SHA_256) {
        return Err(strange("the server offers no SCRAM-SHA-256"));
    }
    Ok(Scram { exchange: ScramSha256::new(password, binding), bound })
}

impl Scram {
    /// The body of `SASLInitialResponse`.
    pub(super) fn first_message(&self) -> Vec<u8> {
        let name = if self.bound { SCRAM_SHA_256_PLUS } else { SCRAM_SHA_256 };
        let first = self.exchange.message();
        let mut out = Vec::from(name.as_bytes());
        out.push(0);
        out.extend_from_slice(&(first.len() as u32).to_be_bytes());
        out.extend_from_slice(first);
        out
    }
}
