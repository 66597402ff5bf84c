//! `ALTER … OWNER TO`.

use pgkeep_archive::{Entry, format_identifier, owned_object};

use super::entry::{bytes, desc};
use super::large_objects;

/// The statement that gives the object to its owner; `None` for what has none.
pub(super) fn alter_owner(entry: &Entry) -> Option<Vec<u8>> {
    if desc(entry) == b"BLOB METADATA" {
        return large_objects::alter_owner(entry);
    }
    let object = owned_object(entry).filter(|_| !bytes(&entry.owner).is_empty())?;
    Some([b"ALTER ".as_slice(), &object, b" OWNER TO ", &format_identifier(bytes(&entry.owner))].concat())
}
