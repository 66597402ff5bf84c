//! Judged by stock `pg_restore` 18, which reads every archive.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use pgkeep_archive::*;
use support::*;

fn pg_restore() -> Command {
    let bin = std::env::var_os("PGKEEP_TEST_PG18_BIN").expect("no test bed: run `make test`");
    Command::new(std::path::Path::new(&bin).join("pg_restore"))
}

/// Runs pg_restore on a file or, through a pipe, on standard input.
fn run(args: &[&str], archive: &[u8], pipe: bool) -> String {
    let mut command = pg_restore();
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    let file = std::env::temp_dir().join(format!("pgkeep-stock-{}.dump", std::process::id()));
    let mut child = if pipe {
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let (mut stdin, bytes) = (child.stdin.take().unwrap(), archive.to_vec());
        std::thread::spawn(move || stdin.write_all(&bytes));
        child
    } else {
        std::fs::write(&file, archive).unwrap();
        command.arg(&file).spawn().unwrap()
    };
    let mut out = String::new();
    std::io::Read::read_to_string(child.stdout.as_mut().unwrap(), &mut out).unwrap();
    let done = child.wait_with_output().unwrap();
    let _ = std::fs::remove_file(&file);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    out
}

/// What a script does, whatever its order: its lines without comments and COPY's frame.
fn gist(script: &str) -> Vec<&str> {
    let frame = |l: &str| {
        l.is_empty()
            || l == "\\."
            || ["--", "COPY ", "\\restrict", "\\unrestrict", "SET "].iter().any(|p| l.starts_with(p))
    };
    let mut lines: Vec<&str> = script.lines().filter(|l| !frame(l)).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn stock_makes_the_same_script_of_a_segmented_archive() {
    for name in FIXTURES {
        let source = fixture(name);
        for target in ["none", "gzip", "lz4", "zstd"] {
            for (mode, reverse, retry) in [
                (OffsetMode::Known, false, false),
                (OffsetMode::Known, true, true),
                (OffsetMode::Unknown, false, false),
            ] {
                let ours = rewrite(&source, &Rewrite { segments: 3, target, mode, reverse, retry });
                let what = format!("{name} as {target} {mode:?}");
                assert!(run(&["-l"], &ours, false).contains("TABLE DATA public accounts"), "{what}");
                let expected = run(&["-f", "-"], &source, false);
                assert!(gist(&run(&["-f", "-"], &ours, false)) == gist(&expected), "{what}");
                if !reverse {
                    assert!(gist(&run(&["-f", "-"], &ours, true)) == gist(&expected), "{what}, piped");
                }
            }
        }
    }
}
