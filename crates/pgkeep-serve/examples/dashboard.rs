//! The dashboard with a fleet that is made up, for work on its pages: `cargo run -p pgkeep-serve --example dashboard`.
//! Orders are printed and not carried out.

#[path = "../tests/support/fleet.rs"]
mod fleet;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use pgkeep_serve::Watchers;
use pgkeep_serve::web::{Web, WebOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let (shared, inbox) = fleet::troubled(&store, Timestamp::now());
    let web = Web::start(&WebOptions::new("127.0.0.1:7317".parse()?), Arc::new(shared), Watchers::default())?;
    println!("{}", web.url());
    loop {
        if let Some(order) = inbox.next(Duration::from_secs(3600)) {
            println!("{order:?}");
        }
    }
}
