//! The age format: the community's test vectors, and what is written from the middle and read from anywhere.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use pgkeep_archive::ReadAt;
use pgkeep_keep::encryption::{
    HeadLastSealer, Identities, OpenError, Opened, Recipients, SealWriter, new_identity, open_bytes,
    seal_bytes,
};
use proptest::prelude::*;

const CHUNK: usize = 64 << 10;
const SEALED: usize = CHUNK + 16;

/// A key pair whose secret half lies in a file.
struct Key {
    identities: Identities,
    recipients: Recipients,
    _dir: tempfile::TempDir,
}

impl Key {
    fn new() -> Key {
        let (secret, public) = new_identity().unwrap();
        Key::of(&secret, &[&public])
    }

    fn of(secret: &str, public: &[&str]) -> Key {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        std::fs::write(&file, format!("# a comment\n\n{secret}\n")).unwrap();
        let mut recipients = Recipients::new();
        public.iter().for_each(|p| recipients.add(p).unwrap());
        Key { identities: Identities::read(&[file]).unwrap(), recipients, _dir: dir }
    }

    /// Encrypts with the head last, the body in pieces of this size.
    fn seal(&self, plain: &[u8], head: usize, piece: usize) -> Vec<u8> {
        let mut sealer = HeadLastSealer::new(&self.recipients, head as u64).unwrap();
        let mut body = Vec::new();
        let mut announced = None;
        for piece in plain[head..].chunks(piece) {
            sealer.write(piece, &mut body).unwrap();
            if !body.is_empty() {
                announced.get_or_insert(sealer.head_len());
                assert_eq!(announced, Some(sealer.head_len()), "what was announced once holds");
            }
        }
        let sealed_head = sealer.finish(plain[..head].to_vec(), &mut body).unwrap();
        if let Some(announced) = announced {
            assert_eq!(announced, sealed_head.len() as u64);
        }
        [sealed_head, body].concat()
    }
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

/// Header and nonce of a file to one recipient.
fn start(sealed: &[u8]) -> usize {
    sealed.windows(5).position(|w| w == b"\n--- ").unwrap() + 5 + 43 + 1 + 16
}

fn vectors() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/age-vectors");
    let files = std::fs::read_dir(dir).unwrap().map(|f| f.unwrap().path());
    files.filter(|f| f.extension().is_none()).collect()
}

#[test]
fn the_test_vectors_of_c2sp_come_out_as_they_say() {
    let vectors = vectors();
    assert!(vectors.len() > 60, "{}", vectors.len());
    for file in vectors {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = std::fs::read(&file).unwrap();
        let end = bytes.windows(2).position(|w| w == b"\n\n").unwrap();
        let text = std::str::from_utf8(&bytes[..end]).unwrap();
        let value =
            |key: &str| text.lines().find_map(|l| l.strip_prefix(&format!("{key}: ")).map(str::to_owned));
        let mut age = bytes[end + 2..].to_vec();
        if value("compressed").is_some() {
            let packed = std::mem::take(&mut age);
            flate2::read::ZlibDecoder::new(&packed[..]).read_to_end(&mut age).unwrap();
        }
        let (own, _) = new_identity().unwrap();
        let key = Key::of(&value("identity").unwrap_or(own.to_string()), &[]);
        let sequential = open_bytes(&age, &key.identities);
        let anywhere = Opened::open(age.clone(), &key.identities).and_then(|opened| {
            let mut plain = vec![0; opened.len()? as usize];
            let mut at = 0;
            while at < plain.len() {
                at += opened.read_at(at as u64, &mut plain[at..])?;
            }
            Ok(plain)
        });
        for (way, outcome) in [("sequential", sequential), ("anywhere", anywhere)] {
            let expected = value("expect").unwrap();
            match (expected.as_str(), outcome) {
                ("success", Ok(plain)) => {
                    assert_eq!(sha256(&plain), value("payload").unwrap(), "{name}, {way}");
                }
                ("no match", Err(OpenError::NoKey)) => {}
                ("header failure" | "HMAC failure", Err(OpenError::Damaged(_))) => {}
                ("payload failure", Err(OpenError::Damaged(_) | OpenError::Io(_))) => {}
                (_, outcome) => panic!("{name}, {way}: {expected}, and it is {:?}", outcome.map(|p| p.len())),
            }
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn a_head_of_any_length_before_a_body_of_any_length_comes_back() {
    let key = Key::new();
    let edges = [0, 1, 15, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 1];
    for head in edges {
        for body in edges {
            let plain = noise(head + body);
            let sealed = key.seal(&plain, head, 50_000);
            assert_eq!(open_bytes(&sealed, &key.identities).unwrap(), plain, "{head} + {body}");
        }
    }
}

#[test]
fn a_stream_and_some_bytes_are_the_same_format() {
    let key = Key::new();
    for len in [0, 1, CHUNK, 3 * CHUNK + 5] {
        let plain = noise(len);
        let mut writer = SealWriter::new(&key.recipients, Vec::new()).unwrap();
        plain.chunks(7_000).for_each(|p| writer.write_all(p).unwrap());
        assert_eq!(open_bytes(&writer.finish().unwrap(), &key.identities).unwrap(), plain);
        let sealed = seal_bytes(&key.recipients, plain.clone()).unwrap();
        assert_eq!(open_bytes(&sealed, &key.identities).unwrap(), plain);
    }
}

#[test]
fn whoever_has_one_of_the_keys_reads_and_nobody_else_does() {
    let (one, two, other) = (new_identity().unwrap(), new_identity().unwrap(), Key::new());
    let both = Key::of(&one.0, &[&one.1, &two.1]);
    let sealed = both.seal(b"rows", 0, 1);
    for (secret, _) in [&one, &two] {
        assert_eq!(open_bytes(&sealed, &Key::of(secret, &[]).identities).unwrap(), b"rows");
    }
    assert!(matches!(open_bytes(&sealed, &other.identities), Err(OpenError::NoKey)));
    assert!(matches!(open_bytes(&sealed, &Identities::none()), Err(OpenError::NoKey)));
}

#[test]
fn whatever_is_cut_changed_or_moved_is_noticed() {
    let key = Key::new();
    let plain = noise(3 * CHUNK + 100);
    let sealed = key.seal(&plain, 10, 9_999);
    let start = start(&sealed);
    let chunk = |i: usize| start + i * SEALED;
    let mut damaged = vec![("one byte less", sealed[..sealed.len() - 1].to_vec())];
    for i in 0..4 {
        damaged.push(("cut behind a chunk", sealed[..chunk(i)].to_vec()));
        damaged.push(("cut within a chunk", sealed[..chunk(i) + 40].to_vec()));
        let mut flipped = sealed.clone();
        flipped[chunk(i) + 50] ^= 1;
        damaged.push(("one bit", flipped));
    }
    let mut swapped = sealed[..chunk(0)].to_vec();
    swapped.extend_from_slice(&sealed[chunk(1)..chunk(2)]);
    swapped.extend_from_slice(&sealed[chunk(0)..chunk(1)]);
    swapped.extend_from_slice(&sealed[chunk(2)..]);
    damaged.push(("two chunks swapped", swapped));
    damaged.push(("a chunk lost", [&sealed[..chunk(1)], &sealed[chunk(2)..]].concat()));
    damaged.push(("something behind it", [&sealed[..], &[0; 30]].concat()));
    let other = key.seal(&plain, 10, 9_999);
    damaged.push(("a chunk of another file", [&sealed[..chunk(1)], &other[chunk(1)..]].concat()));
    damaged.push(("the header of another file", [&other[..start], &sealed[start..]].concat()));
    for i in 0..start - 16 {
        let mut header = sealed.clone();
        header[i] ^= 1;
        damaged.push(("a bit of the header", header));
    }
    for (what, bytes) in damaged {
        assert!(open_bytes(&bytes, &key.identities).is_err(), "{what}");
        let anywhere =
            Opened::open(bytes, &key.identities).map_err(|e| format!("{e:?}")).and_then(|opened| {
                let mut all = vec![0; plain.len()];
                let mut at = 0;
                while at < all.len() {
                    match opened.read_at(at as u64, &mut all[at..]).map_err(|e| e.to_string())? {
                        0 => return Err("short".into()),
                        n => at += n,
                    }
                }
                Ok(())
            });
        assert!(anywhere.is_err(), "{what}");
    }
}

#[test]
fn a_file_that_was_cut_at_a_chunk_is_refused_before_anything_is_read_of_it() {
    let key = Key::new();
    let sealed = key.seal(&noise(3 * CHUNK), 10, 9_999);
    let cut = sealed[..start(&sealed) + 2 * SEALED].to_vec();
    let e = Opened::open(cut, &key.identities).err().map(|e| format!("{e:?}")).unwrap();
    assert!(e.contains("chunk 1") && e.contains("cut off"), "{e}");
}

/// Counts what is read beneath.
struct Counted(Vec<u8>, std::sync::Mutex<Vec<(u64, usize)>>);

impl ReadAt for Counted {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<usize> {
        self.1.lock().unwrap().push((offset, buf.len()));
        self.0.read_at(offset, buf)
    }

    fn len(&self) -> std::io::Result<u64> {
        ReadAt::len(&self.0)
    }
}

#[test]
fn a_range_is_one_read_of_the_chunks_that_cover_it_and_small_steps_read_nothing_twice() {
    let key = Key::new();
    let plain = noise(40 * CHUNK);
    let sealed = key.seal(&plain, 10, 9_999);
    let start = start(&sealed) as u64;
    let counted = Counted(sealed, Default::default());
    let opened = Opened::open(&counted, &key.identities).unwrap();
    let reads = || std::mem::take(&mut *counted.1.lock().unwrap());
    assert_eq!(reads().len(), 2, "the beginning and the last chunk");
    let mut buf = vec![0; 5 * CHUNK];
    assert_eq!(opened.read_at(10 * CHUNK as u64 + 7, &mut buf).unwrap(), buf.len());
    assert_eq!(buf, plain[10 * CHUNK + 7..][..5 * CHUNK]);
    assert_eq!(reads(), [(start + 10 * SEALED as u64, 6 * SEALED)]);
    // Where the first range ended, small reads go on.
    for at in (15 * CHUNK + 7..17 * CHUNK).step_by(4096) {
        let mut small = [0; 4096];
        let n = opened.read_at(at as u64, &mut small).unwrap();
        assert_eq!(small[..n], plain[at..at + n]);
    }
    assert_eq!(reads(), [(start + 16 * SEALED as u64, SEALED)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_range_is_what_a_reader_from_the_front_would_have_there(
        len in 0..6 * CHUNK,
        head in 0..3 * CHUNK,
        piece in 1..100_000usize,
        ranges in prop::collection::vec((0..7 * CHUNK, 0..3 * CHUNK), 1..12),
    ) {
        let key = Key::new();
        let plain = noise(len);
        let sealed = key.seal(&plain, head.min(len), piece);
        prop_assert_eq!(&open_bytes(&sealed, &key.identities).unwrap(), &plain);
        let opened = Opened::open(sealed, &key.identities).unwrap();
        prop_assert_eq!(opened.len().unwrap(), len as u64);
        for (from, size) in ranges {
            let mut buf = vec![0; size];
            let n = opened.read_at(from as u64, &mut buf).unwrap();
            let there = plain.get(from..).unwrap_or_default();
            prop_assert_eq!(&buf[..n], &there[..n]);
            prop_assert_eq!(n == 0, size == 0 || there.is_empty());
        }
    }
}
