//! A PostgreSQL server of pgkeep's own, for as long as a drill or a look at a backup takes.
//!
//! It lies in a private folder and listens on a Unix socket in there, so that only its user and root can reach it. It
//! is tuned to be lost: nothing is synchronised to disk. A run that is killed leaves it behind; the next one finds that
//! nobody holds the folder's lock, stops the server and removes the folder.

mod leftovers;
mod programs;
mod run_as;
mod server;

pub use programs::{ServerPrograms, find_server};
pub use server::{Kept, Throwaway};
