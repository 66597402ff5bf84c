//! A backup on disk, to be damaged.

use std::path::PathBuf;

use pgkeep_testbed::{Database, Server};
use serde_json::Value;
use tempfile::TempDir;

use super::place::files;
use super::program::ran;

/// A backup in a folder, and the bytes of its two files as they were.
pub struct Sample {
    pub dir: TempDir,
    pub id: String,
    pub name: String,
    pub archive: Vec<u8>,
    pub manifest: Vec<u8>,
    pub source: Database,
}

impl Sample {
    /// Backs up a small database: two tables, an index, a sequence, a large object.
    pub fn make(server: &Server, options: &[&str]) -> Sample {
        let source = Database::create(server, "sample");
        source.psql(
            "create table t (id serial primary key, v text);
             insert into t (v) select md5(i::text) from generate_series(1, 3000) as i;
             create index t_v on t (v);
             create table u as select i, repeat('x', i) as x from generate_series(1, 100) as i;
             comment on table u is 'some words that stand in the table of contents';
             select lo_from_bytea(0, 'a large object');",
        );
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().to_str().unwrap();
        ran(&[&["backup", &source.url(), "--to", to, "--name", "sample"], options].concat()).ok();
        let found = files(&dir.path().join("sample"));
        let id = found.iter().find_map(|f| f.strip_suffix(".dump")).expect("an archive").to_owned();
        let mut sample =
            Sample { dir, id, name: "sample".into(), archive: Vec::new(), manifest: Vec::new(), source };
        sample.archive = std::fs::read(sample.archive_path()).unwrap();
        sample.manifest = std::fs::read(sample.manifest_path()).unwrap();
        sample
    }

    /// The store.
    pub fn store(&self) -> &str {
        self.dir.path().to_str().unwrap()
    }

    pub fn archive_path(&self) -> PathBuf {
        self.dir.path().join(&self.name).join(format!("{}.dump", self.id))
    }

    pub fn manifest_path(&self) -> PathBuf {
        self.dir.path().join(&self.name).join(format!("{}.manifest.json", self.id))
    }

    /// Bytes of header and table of contents.
    pub fn head_len(&self) -> usize {
        let manifest: Value = serde_json::from_slice(&self.manifest).unwrap();
        usize::try_from(manifest["dump"]["head_len"].as_u64().unwrap()).unwrap()
    }

    /// Writes other bytes in the archive's place.
    pub fn set_archive(&self, bytes: &[u8]) {
        std::fs::write(self.archive_path(), bytes).unwrap();
    }

    /// Changes the manifest as JSON, as one would who knows to take its digest out.
    pub fn edit_manifest(&self, edit: impl FnOnce(&mut Value)) {
        let mut manifest: Value = serde_json::from_slice(&self.manifest).unwrap();
        manifest.as_object_mut().unwrap().remove("digest").expect("a manifest has a digest");
        edit(&mut manifest);
        std::fs::write(self.manifest_path(), serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();
    }

    /// Both files as they were.
    pub fn mend(&self) {
        self.set_archive(&self.archive);
        std::fs::write(self.manifest_path(), &self.manifest).unwrap();
    }
}
