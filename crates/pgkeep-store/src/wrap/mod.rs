//! Stores around stores: each adds one thing to whatever it is given.

#[cfg(feature = "faults")]
mod fault;
mod mirror;

#[cfg(feature = "faults")]
pub use fault::{Fault, Faults};
pub use mirror::{Lost, Mirror};
