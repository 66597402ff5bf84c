//! How fast an upload is: `cargo run --release --example throughput -- <store url> [megabytes]`.

use pgkeep_store::{Store, StoreError, UploadPlan};
use std::time::Instant;

/// Seconds of processor time this process has used, from proc(5): fields 14 and 15 in ticks of 1/100 s.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|f| f.parse::<f64>().ok()).sum();
    ticks / 100.0
}

/// The most memory this process has held, as proc(5) shows it.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("unknown").trim().to_owned()
}

fn main() -> Result<(), StoreError> {
    let mut args = std::env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "memory://throughput".into());
    let megabytes: u64 = args.next().and_then(|m| m.parse().ok()).unwrap_or(1000);
    let store = Store::open(&url)?;
    let block: Vec<u8> = (0..1_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();

    let (began, used) = (Instant::now(), cpu());
    let mut upload = store.start_upload("throughput.tmp", UploadPlan::new(100_000, megabytes * 1_000_000))?;
    for _ in 0..megabytes {
        upload.write(&block)?;
    }
    let written = began.elapsed().as_secs_f64();
    let finished = upload.finish(vec![0; 100_000])?;
    let (wall, used) = (began.elapsed().as_secs_f64(), cpu() - used);
    store.delete("throughput.tmp")?;
    println!(
        "{megabytes} MB in {} parts of {} MiB: {:.0} MB/s ({wall:.2} s, {written:.2} s until finish), {used:.2} s CPU, peak {}",
        finished.parts.len(),
        finished.part_size >> 20,
        megabytes as f64 / wall,
        peak()
    );
    Ok(())
}
