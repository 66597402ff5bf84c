//! How fast each compression is here: `cargo run --release -p pgkeep-archive --example codec_speed [FILE]`.
//!
//! Without a file it packs made-up rows, which compress better than most real ones.
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use pgkeep_archive::{Compression, Compressor};

fn main() {
    let input = match std::env::args().nth(1) {
        Some(path) => std::fs::read(path).unwrap(),
        None => made_up(128 << 20),
    };
    println!("{:<8} {:>8} {:>7}", "", "MB/s", "ratio");
    for name in ["none", "lz4", "zstd:1", "zstd:3", "gzip:1", "gzip:6"] {
        let mut compressor = Compressor::new(name.parse::<Compression>().unwrap()).unwrap();
        let (mut out, mut packed, begun) = (Vec::new(), 0, Instant::now());
        for part in input.chunks(128 << 10) {
            compressor.write(part, &mut out).unwrap();
            if out.len() > 4 << 20 {
                packed += out.len();
                out.clear();
            }
        }
        compressor.finish(&mut out).unwrap();
        packed += out.len();
        let speed = input.len() as f64 / 1e6 / begun.elapsed().as_secs_f64();
        println!("{name:<8} {speed:>8.0} {:>7.2}", input.len() as f64 / packed as f64);
    }
}

fn made_up(len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len + 100);
    let mut n = 0u64;
    while out.len() < len {
        let hash = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        out.extend(
            format!("{n}\t{}\tcustomer {}\t{hash:x}\t2026-01-{:02}\n", hash % 97, hash % 5_000, 1 + n % 28)
                .bytes(),
        );
        n += 1;
    }
    out
}
