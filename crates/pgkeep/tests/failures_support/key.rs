//! Keys of the age format, made and used by stock `age`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A key that `age-keygen` made.
pub struct Key {
    pub dir: tempfile::TempDir,
    pub public: String,
}

impl Key {
    pub fn new() -> Key {
        let dir = tempfile::tempdir().unwrap();
        succeed(Command::new("age-keygen").arg("-o").arg(dir.path().join("key.txt")));
        let public = succeed(Command::new("age-keygen").arg("-y").arg(dir.path().join("key.txt")));
        Key { public: String::from_utf8(public).unwrap().trim().to_owned(), dir }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("key.txt")
    }

    pub fn file(&self) -> String {
        self.path().to_str().unwrap().to_owned()
    }

    /// `age -d` into a file beside the key.
    #[track_caller]
    pub fn decrypt(&self, sealed: &Path, name: &str) -> PathBuf {
        let plain = self.dir.path().join(name);
        succeed(Command::new("age").args(["-d", "-i"]).arg(self.path()).arg("-o").arg(&plain).arg(sealed));
        plain
    }
}

#[track_caller]
fn succeed(command: &mut Command) -> Vec<u8> {
    let out = command.output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}
