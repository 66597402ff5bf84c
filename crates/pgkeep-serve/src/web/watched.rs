//! Files that are read anew when they have changed, so that a renewed certificate or a removed user counts at once.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// What tells that a file has changed.
type Stamp = Vec<Option<(SystemTime, u64)>>;

/// Something that is made of files.
pub(super) struct Watched<T> {
    files: Vec<PathBuf>,
    read: fn(&[PathBuf]) -> Result<T, String>,
    state: Mutex<State<T>>,
}

struct State<T> {
    stamp: Stamp,
    value: Arc<T>,
    problem: Option<String>,
}

impl<T> Watched<T> {
    /// Reads the files for the first time.
    pub(super) fn new(
        files: Vec<PathBuf>,
        read: fn(&[PathBuf]) -> Result<T, String>,
    ) -> Result<Watched<T>, String> {
        let stamp = stamp(&files);
        let value = Arc::new(read(&files)?);
        Ok(Watched { files, read, state: Mutex::new(State { stamp, value, problem: None }) })
    }

    /// What the files say now; if they make no sense any more, what they said last.
    pub(super) fn get(&self) -> Arc<T> {
        let stamp = stamp(&self.files);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.stamp != stamp {
            state.stamp = stamp;
            match (self.read)(&self.files) {
                Ok(value) => (state.value, state.problem) = (Arc::new(value), None),
                Err(why) => state.problem = Some(why),
            }
        }
        state.value.clone()
    }

    /// Why the files' last change does not count.
    pub(super) fn problem(&self) -> Option<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).problem.clone()
    }
}

fn stamp(files: &[PathBuf]) -> Stamp {
    let of = |file: &PathBuf| {
        let meta = std::fs::metadata(file).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    };
    files.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_at_once_and_nonsense_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("n");
        std::fs::write(&file, "1").unwrap();
        let read = |files: &[PathBuf]| {
            let text = std::fs::read_to_string(&files[0]).map_err(|e| e.to_string())?;
            text.parse::<u32>().map_err(|e| e.to_string())
        };
        let watched = Watched::new(vec![file.clone()], read).unwrap();
        assert_eq!(*watched.get(), 1);
        std::fs::write(&file, "22").unwrap();
        assert_eq!((*watched.get(), watched.problem()), (22, None));
        std::fs::write(&file, "no number").unwrap();
        assert_eq!(*watched.get(), 22);
        assert!(watched.problem().unwrap().contains("invalid digit"));
    }
}
