//! What encryption costs: `time cargo run --release -p pgkeep-keep --example encryption_cost -- seal 4` (or `open`)
//! encrypts (or decrypts) so many GB; user time over GB is the cost.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use pgkeep_archive::ReadAt;
use pgkeep_keep::encryption::{HeadLastSealer, Identities, Opened, Recipients, new_identity, seal_bytes};

const PIECE: usize = 1 << 20;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let gb: u64 = args.get(2).and_then(|n| n.parse().ok()).unwrap_or(4);
    let pieces = gb * 1_000_000_000 / PIECE as u64;
    let (secret, public) = new_identity().unwrap();
    let mut recipients = Recipients::new();
    recipients.add(&public).unwrap();
    if args.get(1).is_some_and(|word| word == "open") {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), secret.as_bytes()).unwrap();
        let identities = Identities::read(&[dir.path().join("key")]).unwrap();
        let sealed = seal_bytes(&recipients, vec![7; 64 * PIECE]).unwrap();
        let opened = Opened::open(sealed, &identities).expect("it opens");
        let mut plain = vec![0; 2 * PIECE];
        for i in 0..pieces / 2 {
            opened.read_at(i % 31 * 2 * PIECE as u64, &mut plain).unwrap();
        }
    } else {
        let mut sealer = HeadLastSealer::new(&recipients, 100_000).unwrap();
        let plain = vec![7; PIECE];
        let mut out = Vec::new();
        for _ in 0..pieces {
            sealer.write(&plain, &mut out).unwrap();
            out.clear();
        }
        sealer.finish(vec![7; 100_000], &mut out).unwrap();
    }
}
