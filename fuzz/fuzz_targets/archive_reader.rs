//! Reads a TOC, scans blocks and unpacks each. Seeds: `crates/pgkeep-archive/tests/fixtures`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pgkeep_archive::exercise::exercise(bytes);
});
