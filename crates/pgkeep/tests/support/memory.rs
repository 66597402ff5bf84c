//! Peak memory of the program.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// What `--jobs 4` keeps to on any database.
pub const LIMIT_KIB: u64 = 256 << 10;

/// Runs the program to a successful end: its JSON result and the peak of its resident memory in KiB, alone, without
/// the programs that it starts.
#[track_caller]
pub fn peak_of(command: &mut Command) -> (Value, u64) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let status = format!("/proc/{}/status", child.id());
    let read = |pipe: &mut dyn Read| {
        let mut text = Vec::new();
        pipe.read_to_end(&mut text).unwrap();
        text
    };
    let (printed, said, peak) = std::thread::scope(|scope| {
        let printed = scope.spawn(|| read(&mut stdout));
        let said = scope.spawn(|| read(&mut stderr));
        let mut peak = 0;
        while child.try_wait().unwrap().is_none() {
            // The kernel keeps the high-water mark, so that nothing between two looks is missed but at the very end.
            peak = high_water(&status).unwrap_or(peak);
            std::thread::sleep(Duration::from_millis(5));
        }
        (printed.join().unwrap(), said.join().unwrap(), peak)
    });
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}: {}", String::from_utf8_lossy(&said));
    assert!(peak > 0, "its memory was seen");
    (serde_json::from_slice(&printed).unwrap(), peak)
}

/// `VmHWM` of proc(5), in KiB.
fn high_water(status: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}
