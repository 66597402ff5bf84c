//! Memory, for tests: stores of one name share their objects within the process.

use object_store::memory::InMemory;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use super::promises::Promises;
use super::store::{Objects, Remote};
use crate::types::Capabilities;
use crate::upload::plan::{MAX_OBJECT, MAX_PART};
use crate::url::StoreUrl;

static STORES: OnceLock<Mutex<HashMap<String, Arc<InMemory>>>> = OnceLock::new();

/// Opens the memory called `name`.
pub(crate) fn open(url: StoreUrl, name: &str) -> Objects {
    let stores = STORES.get_or_init(Mutex::default);
    let mut stores = stores.lock().unwrap_or_else(|e| e.into_inner());
    let store = stores.entry(name.to_owned()).or_default().clone();
    Objects::new(Remote {
        url,
        prefix: String::new(),
        control: store.clone(),
        data: store.clone(),
        parts: store.clone(),
        puts: store.clone(),
        begins: store,
        server: None,
        promises: Promises::default(),
        beyond: None,
        attributes: Default::default(),
        conditional: None,
        capabilities: Capabilities {
            conditional_put: true,
            multipart: true,
            part_limit: 10_000,
            min_part_size: 1,
            max_part_size: MAX_PART,
            lists_pending: false,
            pending_are_dead: false,
            max_object_size: MAX_OBJECT,
            versions: false,
            locks: false,
        },
    })
}
