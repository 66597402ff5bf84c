//! Streams that we write come out again, and damaged ones do not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{ErrorKind, Read};

use pgkeep_archive::*;
use proptest::prelude::*;

const COMPRESSIONS: [&str; 8] = ["none", "gzip", "gzip:1", "gzip:9", "lz4", "zstd", "zstd:-3", "zstd:12"];

fn unpack(algorithm: Algorithm, packed: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    decoder(algorithm, packed).unwrap().read_to_end(&mut out)?;
    Ok(out)
}

fn pack(compressor: &mut Compressor, input: &[u8], step: usize) -> Vec<u8> {
    let mut out = b"before".to_vec();
    for part in input.chunks(step.max(1)) {
        compressor.write(part, &mut out).unwrap();
    }
    compressor.finish(&mut out).unwrap();
    assert_eq!(&out[..6], b"before", "what was in the buffer stays");
    out.split_off(6)
}

fn text(len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len + 40);
    let mut n = 0u64;
    while out.len() < len {
        out.extend(format!("{n}\t{}\trow\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24).into_bytes());
        n += 1;
    }
    out.truncate(len);
    out
}

#[test]
fn one_compressor_makes_many_streams() {
    for name in COMPRESSIONS {
        let compression: Compression = name.parse().unwrap();
        let mut compressor = Compressor::new(compression).unwrap();
        for (len, step) in [(0, 1), (5, 5), (0, 1), (3_000_000, 65_536), (100, 1), (700_000, 700_000), (0, 1)]
        {
            let input = text(len);
            let packed = pack(&mut compressor, &input, step);
            assert!(unpack(compression.algorithm, &packed).unwrap() == input, "{name}: {len} bytes");
            assert!(len < 1000 || compression.algorithm == Algorithm::None || packed.len() < len * 3 / 4);
        }
        compressor.write(&text(100_000), &mut Vec::new()).unwrap();
        compressor.reset().unwrap();
        let packed = pack(&mut compressor, b"after a reset", 100);
        assert_eq!(unpack(compression.algorithm, &packed).unwrap(), b"after a reset");
    }
}

/// So stock writes an empty large object into a directory (zstd), or into an archive.
#[test]
fn no_bytes_at_all_are_an_empty_stream() {
    for algorithm in [Algorithm::None, Algorithm::Gzip, Algorithm::Lz4, Algorithm::Zstd] {
        assert_eq!(unpack(algorithm, b"").unwrap(), b"");
    }
}

#[test]
fn a_gzip_file_is_read_where_a_zlib_stream_is_expected() {
    let mut compressor = Compressor::for_files("gzip".parse().unwrap()).unwrap();
    let packed = [pack(&mut compressor, &text(200_000), 4096), pack(&mut compressor, b"end", 1)].concat();
    assert_eq!(unpack(Algorithm::Gzip, &packed).unwrap(), [text(200_000), b"end".to_vec()].concat());
    assert!(unpack(Algorithm::Gzip, &packed[..packed.len() - 1]).is_err());
}

#[test]
fn a_stream_cut_anywhere_is_an_error() {
    for name in ["gzip", "lz4", "zstd"] {
        let compression: Compression = name.parse().unwrap();
        let input = text(600_000);
        let packed = pack(&mut Compressor::new(compression).unwrap(), &input, 65_536);
        let cuts = (1..packed.len()).step_by(4_999).chain(packed.len().saturating_sub(30)..packed.len());
        for cut in cuts {
            let error = unpack(compression.algorithm, &packed[..cut]).unwrap_err();
            assert_eq!(
                error.kind(),
                ErrorKind::UnexpectedEof,
                "{name} cut at {cut} of {}: {error}",
                packed.len()
            );
        }
    }
}

#[test]
fn bytes_after_a_stream_are_an_error() {
    for name in ["gzip", "lz4", "zstd"] {
        let compression: Compression = name.parse().unwrap();
        let packed = pack(&mut Compressor::new(compression).unwrap(), b"some rows", 100);
        for garbage in [&b"x"[..], b"garbage", &[0; 20]] {
            let with = [&packed, garbage].concat();
            assert!(unpack(compression.algorithm, &with).is_err(), "{name} with {garbage:?}");
        }
    }
}

#[test]
fn several_frames_are_one_stream_for_zstd_and_lz4_and_none_for_gzip() {
    for (name, allowed) in [("gzip", false), ("lz4", true), ("zstd", true)] {
        let compression: Compression = name.parse().unwrap();
        let mut compressor = Compressor::new(compression).unwrap();
        let both = [pack(&mut compressor, b"one ", 100), pack(&mut compressor, b"two", 100)].concat();
        let out = unpack(compression.algorithm, &both);
        assert_eq!(out.ok(), allowed.then(|| b"one two".to_vec()), "{name}");
    }
}

proptest! {
    #[test]
    fn any_bytes_in_any_steps_survive(
        input in prop::collection::vec(any::<u8>(), 0..20_000),
        step in 1usize..5_000,
        which in 0..COMPRESSIONS.len(),
    ) {
        let compression: Compression = COMPRESSIONS[which].parse().unwrap();
        let packed = pack(&mut Compressor::new(compression).unwrap(), &input, step);
        prop_assert_eq!(unpack(compression.algorithm, &packed).unwrap(), input);
    }

    #[test]
    fn decoders_take_any_bytes_without_a_panic(input in prop::collection::vec(any::<u8>(), 0..2_000)) {
        for algorithm in [Algorithm::Gzip, Algorithm::Lz4, Algorithm::Zstd] {
            let _ = unpack(algorithm, &input);
        }
    }
}
