//! Connections to PostgreSQL: the frontend/backend protocol 3.0 spoken over plain blocking sockets.
//!
//! The protocol is spoken here rather than by a client library because reading a database fast is what pgkeep
//! is for: `COPY` data goes from the socket's buffer to the compressor with one copy and no allocation a row.
//! Authentication comes from `postgres-protocol`, TLS from `rustls`.

mod auth;
mod client;
mod client_cert;
mod end_point;
mod hosts;
mod info;
mod password;
mod patience;
mod quote;
mod resolve;
mod scram;
mod server_error;
mod stream;
mod tls;
mod wire;

pub(crate) use client::major_of;
pub use client::{Canceller, Client, CopyIn, Row};
pub use info::{
    ChannelBinding, ClientEnv, ConnInfo, Keepalive, LoadBalance, Place, RequireAuth, RootCert, SslCertMode,
    SslMode, SslNegotiation, TargetSession, TlsOptions, TlsVersion,
};
pub use password::{Ask, Password};
pub(crate) use quote::oid_array;
pub use quote::{quote_ident, quote_literal};
pub(crate) use server_error::STANDBY;
pub use server_error::ServerError;
