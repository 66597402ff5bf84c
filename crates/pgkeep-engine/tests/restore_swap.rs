//! Renaming two databases: both or none.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pgkeep_engine::restore::Swap;
use pgkeep_engine::{Cancel, Client, ConnInfo};
use pgkeep_testbed::{Database, Server};

#[test]
fn a_second_rename_that_fails_undoes_the_first() {
    let server = Server::major(16);
    let (live, restored) = (Database::create(&server, "live"), Database::create(&server, "restored"));
    live.psql("create table living (i int)");
    let info = ConnInfo::parse(&live.url()).unwrap();
    let mut swap = Swap::prepare(&info, &Cancel::new()).unwrap();
    // Somebody looks at the restored one, which therefore cannot be renamed.
    let _session = Client::connect(&ConnInfo::parse(&restored.url()).unwrap(), &Cancel::new()).unwrap();
    let old = swap.name_with("_old");
    swap.swap(restored.name(), &old, true, &Cancel::new()).unwrap_err();
    assert_eq!(live.psql("select count(*) from living"), "0", "it is there under its name, and lets us in");
}
