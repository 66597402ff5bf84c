//! Whether a server honours `If-None-Match: *`, and a token that tells our own write from another's.
//!
//! AWS does (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>); Garage 2
//! ignores the header and overwrites. There is no way to ask, so the first conditional put of a process
//! is done twice: a server that accepts the second one ignores the header. That does no harm, since
//! both carry the same bytes.

use object_store::{Attribute, Attributes};
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Mutex, MutexGuard, OnceLock};

/// What is known of the servers used by this process: endpoint and bucket to answer.
static HONOURED: OnceLock<Mutex<HashMap<String, bool>>> = OnceLock::new();

fn known() -> MutexGuard<'static, HashMap<String, bool>> {
    HONOURED.get_or_init(Mutex::default).lock().unwrap_or_else(|e| e.into_inner())
}

/// Whether `server` honours the condition, if that is known.
pub(crate) fn honoured(server: &str) -> Option<bool> {
    known().get(server).copied()
}

/// Remembers it.
pub(crate) fn remember(server: &str, honours: bool) {
    known().insert(server.to_owned(), honours);
}

/// The metadata under which the token of a write is stored. Azure takes only names that C# would
/// (<https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata>).
const TOKEN: Attribute = Attribute::Metadata(Cow::Borrowed("pgkeepwrite"));

/// A token for one write. If an answer gets lost and the request is sent again, the server says that
/// the object exists, or the upload does not, and only the token tells that this was our own doing.
pub(crate) fn token() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

/// The attributes of a write with this token.
pub(crate) fn with_token(attributes: &Attributes, token: &str) -> Attributes {
    let mut attributes = attributes.clone();
    attributes.insert(TOKEN, token.to_owned().into());
    attributes
}

/// Whether an object with these attributes is the one written with this token.
pub(crate) fn is_ours(attributes: &Attributes, token: &str) -> bool {
    attributes.get(&TOKEN).is_some_and(|t| t.as_ref() == token)
}
