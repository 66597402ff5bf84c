//! Memory as a store.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use pgkeep_store::Store;
use support::{Bed, unique};

fn fresh() -> Bed {
    Bed { store: Store::open(&format!("memory://{}", unique("t"))).unwrap(), part: 1 << 20, keep: None }
}

conformance!(fresh);

#[test]
fn two_stores_of_one_name_share_their_objects() {
    let url = format!("memory://{}", unique("t"));
    Store::open(&url).unwrap().put("k", "v".into()).unwrap();
    assert_eq!(Store::open(&url).unwrap().get("k").unwrap(), "v");
}
