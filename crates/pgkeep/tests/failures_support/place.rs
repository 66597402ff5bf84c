//! Where backups go, and what was left there.

use std::path::{Path, PathBuf};
use std::process::Command;

use pgkeep_testbed::{Bucket, S3};
use tempfile::TempDir;

use super::program::{Ran, pgkeep, run};

/// A store of a test's own.
pub enum Place {
    Folder(TempDir),
    Bucket(Bucket),
}

impl Place {
    /// A folder that is not there yet, in a directory that is.
    pub fn folder() -> Place {
        Place::Folder(tempfile::tempdir().unwrap())
    }

    /// A bucket.
    pub fn bucket() -> Place {
        Place::Bucket(S3::from_env().create_bucket("failures"))
    }

    /// What `--to` takes.
    pub fn url(&self) -> String {
        match self {
            Place::Folder(dir) => dir.path().join("backups").to_str().unwrap().to_owned(),
            Place::Bucket(bucket) => bucket.url("backups"),
        }
    }

    /// `pgkeep` that may write here.
    pub fn pgkeep(&self, arguments: &[&str]) -> Command {
        let mut command = pgkeep(arguments);
        if let Place::Bucket(bucket) = self {
            command.envs(bucket.credentials());
        }
        command
    }

    /// Runs `pgkeep` with these arguments.
    pub fn ran(&self, arguments: &[&str]) -> Ran {
        run(self.pgkeep(arguments))
    }

    /// Backs up into this place.
    pub fn backup(&self, database: &str, more: &[&str]) -> Ran {
        self.ran(&[&["backup", database, "--to", &self.url()], more].concat())
    }

    /// Everything that lies here: files or keys, and uploads that were begun and not ended.
    pub fn contents(&self) -> Vec<String> {
        match self {
            Place::Folder(dir) => files(&dir.path().join("backups")),
            Place::Bucket(bucket) => {
                let uploads = bucket.multipart_uploads().into_iter();
                bucket
                    .keys()
                    .into_iter()
                    .chain(uploads.map(|(key, id)| format!("upload {id} of {key}")))
                    .collect()
            }
        }
    }

    /// Nothing is left here, and `list` says so.
    #[track_caller]
    pub fn is_clean(&self) {
        assert_eq!(self.contents(), Vec::<String>::new(), "this was left behind");
        self.lists_nothing();
    }

    /// `list` shows no backup, whatever lies around.
    #[track_caller]
    pub fn lists_nothing(&self) {
        let listed = self.ran(&["list", "--store", &self.url()]).ok();
        assert!(listed.stdout.starts_with("no backups in "), "{listed:#?}");
    }

    /// One backup lies here, with nothing beside it, and it is whole.
    #[track_caller]
    pub fn holds_one_backup(&self) -> String {
        let mut contents = self.contents();
        contents.sort();
        let [archive, manifest] = contents.as_slice() else { panic!("not one backup: {contents:?}") };
        let stem = archive.strip_suffix(".dump").unwrap_or_else(|| panic!("no archive: {contents:?}"));
        assert_eq!(*manifest, format!("{stem}.manifest.json"));
        let id = stem.rsplit('/').next().unwrap().to_owned();
        self.ran(&["verify", &id, "--store", &self.url()]).ok();
        id
    }
}

/// All files below a folder, those that begin with a dot too.
pub fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::from(dir)];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => open.push(path),
                path => found.push(path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned()),
            }
        }
    }
    found
}
