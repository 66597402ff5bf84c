//! Real servers for tests: PostgreSQL of every supported major, an S3 server, and faults between them and us.
//!
//! `testbed/up` starts the servers and tells by environment variables where they are; `make test` does both.
//! Everything here goes through stock tools (`psql`, `pg_dump`, a few lines of Python for S3), never through
//! pgkeep's own code: what judges must not share bugs with what is judged.
//!
//! ```no_run
//! use pgkeep_testbed::{Database, Server, compare_databases};
//!
//! let server = Server::major(18);
//! let source = Database::create(&server, "source");
//! source.psql("create table t as select generate_series(1, 10) as i");
//! let target = Database::create(&server, "target");
//! // … back up the one, restore into the other …
//! compare_databases(&source, &target).expect("the restored database equals the original");
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod aws;
mod aws_fake;
mod certificates;
mod compare;
mod database;
mod lambda;
mod mail;
mod oidc;
mod own_server;
mod pgbouncer;
mod proxy;
mod receiver;
mod run;
mod s3;
mod secrets;
mod server;

pub use aws::{Aws, python};
pub use aws_fake::AwsFake;
pub use certificates::Authority;
pub use compare::compare_databases;
pub use database::Database;
pub use lambda::{Lambda, LambdaAnswer, LambdaService};
pub use mail::MailServer;
pub use oidc::IdentityProvider;
pub use own_server::{OwnServer, free_port, private_server};
pub use pgbouncer::Pgbouncer;
pub use proxy::FaultProxy;
pub use receiver::{Receiver, Reply, Request};
pub use run::with_programs;
pub use s3::{Bucket, S3};
pub use secrets::secret_in;
pub use server::Server;

/// What a test needs and the environment does not name; the message is for whoever ran `cargo test` alone.
fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: run `make test`, or `testbed/install`, `testbed/up` and `. .bed/env` first"
        )
    })
}

/// A file below `testbed/` of the checkout.
fn testbed_file(path: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testbed").join(path)
}
