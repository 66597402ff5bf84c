//! Stock `pg_restore` of one major, restoring archives by pgkeep into a database.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pgkeep_testbed::{Database, Server};

use super::succeed;

/// Stock `pg_restore` of a major, before an archive.
pub struct PgRestore<'a> {
    pub major: u32,
    pub archive: &'a Path,
}

impl PgRestore<'_> {
    /// The program, with arguments and without an archive.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Server::major(self.major).bin("pg_restore");
        command.args(args);
        command
    }

    /// Restores from the file into a database; any error fails.
    #[track_caller]
    pub fn restore(&self, target: &Database, args: &[&str]) {
        succeed(self.command(args).arg("-d").arg(target.url()).arg(self.archive));
    }

    /// Restores over four connections whatever can be restored so: where indexes of nested partitions are attached side
    /// by side, the server may find a deadlock, whoever made the archive.
    #[track_caller]
    pub fn in_parallel(&self, target: &Database) {
        for (section, jobs) in [("pre-data", "-j1"), ("data", "-j4"), ("post-data", "-j1")] {
            self.restore(target, &["--section", section, jobs]);
        }
    }

    /// Restores from a pipe, which cannot be read at random, into a database.
    #[track_caller]
    pub fn through_pipe(&self, target: &Database, args: &[&str]) {
        let mut cat = Command::new("cat").arg(self.archive).stdout(Stdio::piped()).spawn().unwrap();
        let pipe = cat.stdout.take().unwrap();
        succeed(self.command(args).arg("-d").arg(target.url()).stdin(pipe));
        assert!(cat.wait().unwrap().success(), "pg_restore did not read to the end");
    }

    /// Writes a script and lets psql run it.
    #[track_caller]
    pub fn script(&self, target: &Database, args: &[&str]) {
        let script = succeed(self.command(args).args(["-f", "-"]).arg(self.archive));
        // psql must understand `\restrict`, and not be older than the script.
        let mut psql = target.server().bin("psql");
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-d"]).arg(target.url());
        let mut input = tempfile::tempfile().unwrap();
        input.write_all(&script).unwrap();
        std::io::Seek::rewind(&mut input).unwrap();
        succeed(psql.stdin(input));
    }

    /// The lines of `pg_restore -l`, without comments.
    #[track_caller]
    pub fn list(&self) -> Vec<String> {
        let text = succeed(self.command(&["-l"]).arg(self.archive));
        let text = String::from_utf8_lossy(&text).into_owned();
        text.lines().filter(|l| !l.starts_with(';') && !l.is_empty()).map(str::to_owned).collect()
    }

    /// Restores by a list in which the lines of table data stand the other way round, or in another odd order.
    #[track_caller]
    pub fn by_shuffled_list(&self, target: &Database, args: &[&str]) {
        let mut lines = self.list();
        let data: Vec<usize> =
            lines.iter().enumerate().filter(|(_, l)| l.contains(" TABLE DATA ")).map(|(i, _)| i).collect();
        assert!(data.len() > 3, "there is something to shuffle");
        // Every third backwards, then the rest: no neighbours stay neighbours.
        let mut order: Vec<usize> = (0..data.len()).filter(|n| n % 3 == 1).rev().collect();
        order.extend((0..data.len()).filter(|n| n % 3 != 1).rev());
        let old = lines.clone();
        for (place, from) in data.iter().zip(order) {
            lines[*place].clone_from(&old[data[from]]);
        }
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{}", lines.join("\n")).unwrap();
        let list = file.path().to_str().unwrap().to_owned();
        self.restore(target, &[args, &["-L", &list]].concat());
    }
}

/// What `--to -` writes, in a file.
#[track_caller]
pub fn piped_archive(database: &Database, extra: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("piped.dump");
    let mut command = super::program();
    command.args(["backup", &database.url(), "--to", "-"]).args(extra);
    // A pipe in between: a file as standard output would be one that could be sought in.
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdout.take().unwrap();
    std::io::copy(&mut pipe, &mut File::create(&path).unwrap()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    (dir, path)
}
