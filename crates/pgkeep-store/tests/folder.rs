//! A folder as a store.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use pgkeep_store::{Store, StoreError, UploadPlan};
use std::fs;
use std::path::Path;
use std::process::Command;
use support::{Bed, bytes};

fn fresh() -> Bed {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("not/yet there").to_str().unwrap()).unwrap();
    Bed { store, part: 1 << 20, keep: Some(dir) }
}

conformance!(fresh);

fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.file_name().into_string().unwrap()),
        }
    }
    found
}

#[test]
fn opening_creates_nothing() {
    let bed = fresh();
    bed.store.list("").unwrap().for_each(drop);
    assert!(fs::read_dir(bed.keep.unwrap().path()).unwrap().next().is_none());
}

#[test]
fn a_live_upload_is_not_pending_and_a_dead_one_is() {
    let bed = fresh();
    let root = bed.keep.as_ref().unwrap().path().join("not/yet there");
    let mut upload = bed.store.start_upload("day/shop.dump", UploadPlan::new(10, 0)).unwrap();
    upload.write(&bytes(1 << 20, 1)).unwrap();
    assert_eq!(bed.store.pending_uploads("").unwrap(), []);
    let id = upload.id().unwrap();
    // What a killed process leaves: the same file, without its lock.
    fs::copy(root.join(&id), root.join("day/.shop.dump.0123456789abcdef.partial")).unwrap();
    let pending = bed.store.pending_uploads("day/shop").unwrap();
    assert_eq!(pending.len(), 1);
    assert_eq!(pending[0].key, "day/shop.dump");
    assert_eq!(bed.store.pending_uploads("night/").unwrap(), []);
    bed.store.abort_upload(&pending[0]).unwrap();
    bed.store.abort_upload(&pending[0]).unwrap();
    assert_eq!(bed.store.pending_uploads("").unwrap(), []);
    upload.finish(vec![0; 10]).unwrap();
    assert_eq!(files(&root), ["shop.dump"]);
}

#[test]
fn aborting_never_touches_a_live_upload_or_another_file() {
    let bed = fresh();
    let upload = bed.store.start_upload("a", UploadPlan::new(0, 0)).unwrap();
    bed.store.put("b", "kept".into()).unwrap();
    let mut pending = pgkeep_store::PendingUpload {
        key: "a".into(),
        upload_id: upload.id().unwrap(),
        started: jiff::Timestamp::UNIX_EPOCH,
    };
    assert!(matches!(bed.store.abort_upload(&pending).unwrap_err(), StoreError::Interrupted(_)));
    for id in ["b", "../b", "../.x.0123456789abcdef.partial", "/.x.0123456789abcdef.partial"] {
        pending.upload_id = id.into();
        assert!(matches!(bed.store.abort_upload(&pending).unwrap_err(), StoreError::InvalidUrl(_)), "{id}");
    }
    upload.finish(Vec::new()).unwrap();
    assert_eq!(bed.store.get("b").unwrap(), "kept");
}

#[test]
fn a_folder_that_may_not_be_written_is_said_so() {
    let e = Store::open("/proc/pgkeep").unwrap().put("k", "v".into()).unwrap_err();
    assert!(matches!(e, StoreError::NotFound(_) | StoreError::PermissionDenied(_)), "{e:?}");
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "x").unwrap();
    let store = Store::open(dir.path().to_str().unwrap()).unwrap();
    let e = store.put("file/below", "v".into()).unwrap_err();
    assert!(matches!(e, StoreError::Other(_) | StoreError::AlreadyExists(_)), "{e:?}");
}

#[test]
fn a_full_disk_is_said_so_and_the_partial_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=1m tmpfs \"$PGKEEP_TMPFS\" && exec \"$0\" --ignored --exact on_a_full_disk --nocapture";
    let inner = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", mount])
        .arg(std::env::current_exe().unwrap())
        .env("PGKEEP_TMPFS", dir.path())
        .output()
        .unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&inner.stdout), String::from_utf8_lossy(&inner.stderr));
    assert!(inner.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "a_full_disk_is_said_so_and_the_partial_is_removed runs it on a file system of its own"]
fn on_a_full_disk() {
    let Some(root) = std::env::var_os("PGKEEP_TMPFS") else { return };
    let root = Path::new(&root);
    let store = Store::open(root.to_str().unwrap()).unwrap();
    let mut upload = store.start_upload("big", UploadPlan::new(10, 0)).unwrap();
    let body = bytes(256 << 10, 1);
    let e = (0..8).find_map(|_| upload.write(&body).err()).unwrap();
    assert!(matches!(e, StoreError::Full(_)), "{e:?}");
    assert!(e.to_string().contains("big") && e.hint().contains("free some space"), "{e}");
    assert!(upload.write(b"more").is_err());
    assert_eq!(files(root), [""; 0]);
    let e = store.put("big", bytes(2 << 20, 1).into()).unwrap_err();
    assert!(matches!(e, StoreError::Full(_)), "{e:?}");
    assert_eq!(files(root), [""; 0]);
    store.put("small", bytes(100 << 10, 1).into()).unwrap();
}
