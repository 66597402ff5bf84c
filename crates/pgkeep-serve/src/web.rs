//! The dashboard: pages, signing in, health, metrics.
//!
//! - [`server`](self::server): listens, ends gracefully; `connections`: TLS and limits; `router` says what is where.
//! - `guard` stands before every page: whose request it is, whether it comes from our own pages, what it may do.
//! - `site` is what all of it shares; `users`, `sessions`, `attempts` are about signing in, `oidc` about signing in elsewhere.
//! - `pages` renders HTML from [`Health`](crate::Health) and [`History`](crate::History); `metrics` renders text for
//!   Prometheus from the same.
//!
//! Pages are made on the server and work without scripts; the one script there is keeps what runs up to date.

mod api;
mod attempts;
mod connections;
mod guard;
mod headers;
mod metrics;
mod oidc;
mod options;
mod orders;
mod pages;
mod probes;
mod router;
mod server;
mod sessions;
mod sign_in;
mod site;
mod tls;
mod users;
mod watched;

pub use connections::ConnectionLimits;
pub use oidc::OidcOptions;
pub use options::WebOptions;
pub use server::Web;
pub use users::{Role, hash_user};
