//! Reads a PostgreSQL database into an archive and writes it back, in parallel, and proves the rows.

pub mod adopt;
pub mod cancel;
pub mod check;
pub mod compare;
pub mod conn;
pub mod convert;
pub mod definitions;
pub mod drill;
pub mod dump;
pub mod error;
pub mod fingerprint;
pub mod globals;
mod large_objects;
mod platform;
mod pooler;
pub mod production;
pub mod progress;
pub mod prove;
pub mod report;
pub mod restore;
mod restrict_key;
pub mod role;
mod rows;
pub mod rules;
pub mod schema_source;
pub mod select;
pub mod session;
pub mod snapshot;
pub mod throwaway;

pub use cancel::Cancel;
pub use conn::{Client, ConnInfo, Password};
pub use error::{EngineError, ErrorKind, Result};
pub use platform::Platform;
