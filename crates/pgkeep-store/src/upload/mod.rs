//! Writing an object whose beginning is known last.

mod handle;
pub(crate) mod hash;
pub(crate) mod plan;

pub use handle::Upload;
