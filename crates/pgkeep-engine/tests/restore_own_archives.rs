//! Archives of our own, with tables cut into segments, restore and prove like any other.
#![allow(clippy::unwrap_used, clippy::panic)]

mod restore_support;

use std::fs::File;
use std::os::unix::fs::FileExt;

use pgkeep_archive::{Offset, read_toc_at};
use pgkeep_engine::dump::{DumpOptions, DumpTarget, ObjectTarget, dump};
use pgkeep_engine::error::Result;
use pgkeep_engine::progress::Progress;
use pgkeep_engine::prove::prove;
use pgkeep_engine::restore::{RestoreSource, restore};
use pgkeep_engine::{Cancel, ConnInfo};
use pgkeep_testbed::{Database, Server, with_programs};
use restore_support::{assert_equal, odd_database, options};

/// A file that takes its head last.
struct ToFile(File, u64);

impl ObjectTarget for ToFile {
    fn begin(&mut self, head_len: u64, _expected_size: u64) -> Result<()> {
        self.1 = head_len;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all_at(bytes, self.1).unwrap();
        self.1 += bytes.len() as u64;
        Ok(())
    }

    fn finish(&mut self, head: Vec<u8>) -> Result<()> {
        self.0.write_all_at(&head, 0).unwrap();
        Ok(())
    }
}

#[test]
fn a_segmented_archive_restores_whole_and_is_proven_by_what_the_dump_saw() {
    let newest = Server::major(18).bin_dir().as_os_str().to_owned();
    if !with_programs("a_segmented_archive_restores_whole_and_is_proven_by_what_the_dump_saw", &newest) {
        return;
    }
    for major in [14, 18] {
        let server = Server::major(major);
        let source = odd_database(&server);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("own.dump");
        let (progress, cancel) = (Progress::new(), Cancel::new());
        let mut target = ToFile(File::create(&path).unwrap(), 0);
        let dump_options = DumpOptions { segment_size: Some(1 << 20), ..DumpOptions::default() };
        let dumped = dump(
            &ConnInfo::parse(&source.url()).unwrap(),
            &dump_options,
            DumpTarget::Object(&mut target),
            &progress,
            &cancel,
        )
        .unwrap();

        let file = File::open(&path).unwrap();
        let (toc, _) = read_toc_at(&file).unwrap();
        let pieces = toc.entries.iter().filter(|e| e.has_data && e.offset != Offset::NoData).count();
        assert!(pieces > dumped.tables.len() + 5, "{pieces} pieces: nothing was cut");

        let restored = Database::create(&server, "segmented");
        let info = ConnInfo::parse(&restored.url()).unwrap();
        let archive = RestoreSource::open(&file).unwrap();
        let report = restore(&archive, &info, &options(), &progress, &cancel).unwrap();
        assert_equal(&source, &restored, &major.to_string());
        let cut = report.loaded.iter().find(|t| t.table == "big_plain").unwrap();
        assert!(cut.segments > 5, "{cut:?}");
        for dumped in &dumped.tables {
            let loaded =
                report.loaded.iter().find(|t| (&t.schema, &t.table) == (&dumped.schema, &dumped.table));
            assert_eq!(loaded.map(|t| t.fingerprint), Some(dumped.fingerprint), "{}", dumped.table);
        }
        let verdict = prove(
            &info,
            "UTF8",
            &dumped.tables,
            &dumped.sequences,
            dumped.large_objects.as_ref(),
            2,
            &progress,
            &cancel,
        )
        .unwrap();
        assert!(verdict.is_proven(), "{:#?}", verdict.differences);
    }
}
