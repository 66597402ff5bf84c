//! Which compression, and how hard.

use std::fmt;
use std::str::FromStr;

use crate::{ArchiveError, Result};

/// Compression of the data blocks (`pg_compress_algorithm`, src/include/common/compression.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Stored as it is.
    None,
    /// A zlib stream (RFC 1950), whatever the name says.
    Gzip,
    /// LZ4 frame format.
    Lz4,
    /// Zstandard frames.
    Zstd,
}

impl Algorithm {
    /// The header byte of format 1.15 and later.
    pub(crate) fn code(self) -> u8 {
        match self {
            Algorithm::None => 0,
            Algorithm::Gzip => 1,
            Algorithm::Lz4 => 2,
            Algorithm::Zstd => 3,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Algorithm::None,
            1 => Algorithm::Gzip,
            2 => Algorithm::Lz4,
            3 => Algorithm::Zstd,
            _ => return None,
        })
    }

    /// How a file that begins so is compressed (RFC 1952, RFC 8878, the lz4 frame format), `None` for anything else.
    pub fn of_file(begin: &[u8]) -> Self {
        match begin {
            [0x1f, 0x8b, ..] => Algorithm::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Algorithm::Zstd,
            [0x04, 0x22, 0x4d, 0x18, ..] => Algorithm::Lz4,
            _ => Algorithm::None,
        }
    }

    /// What comes behind `.sql` in the name of a script that is compressed so, and nothing for none.
    pub fn file_suffix(self) -> &'static str {
        match self {
            Algorithm::None => "",
            Algorithm::Gzip => ".gz",
            Algorithm::Lz4 => ".lz4",
            Algorithm::Zstd => ".zst",
        }
    }

    /// The level used where none is asked for: what `pg_dump` uses, save that lz4 knows only the fast one here.
    pub fn default_level(self) -> i32 {
        match self {
            Algorithm::None => 0,
            Algorithm::Gzip => 6,
            Algorithm::Lz4 => 1,
            Algorithm::Zstd => 3,
        }
    }

    /// Lowest and highest level (`validate_compress_specification`, src/common/compression.c).
    fn levels(self) -> (i32, i32) {
        match self {
            Algorithm::None => (0, 0),
            Algorithm::Gzip => (1, 9),
            Algorithm::Lz4 => (0, 12),
            Algorithm::Zstd => (zstd::zstd_safe::min_c_level(), zstd::zstd_safe::max_c_level()),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Algorithm::None => "none",
            Algorithm::Gzip => "gzip",
            Algorithm::Lz4 => "lz4",
            Algorithm::Zstd => "zstd",
        })
    }
}

impl FromStr for Algorithm {
    type Err = ArchiveError;

    fn from_str(s: &str) -> Result<Self> {
        Ok(match s {
            "none" => Algorithm::None,
            "gzip" => Algorithm::Gzip,
            "lz4" => Algorithm::Lz4,
            "zstd" => Algorithm::Zstd,
            _ => {
                return Err(ArchiveError::InvalidCompression {
                    text: s.to_owned(),
                    reason: "there is no such algorithm".to_owned(),
                });
            }
        })
    }
}

/// An algorithm and a level, as in `zstd:3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Compression {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The level; `None` is [`Algorithm::default_level`].
    pub level: Option<i32>,
}

impl Compression {
    /// No compression.
    pub const NONE: Self = Self { algorithm: Algorithm::None, level: None };

    /// The level that is used.
    pub fn level(&self) -> i32 {
        self.level.unwrap_or_else(|| self.algorithm.default_level())
    }

    /// Whether the level is one that the algorithm has.
    pub fn validate(&self) -> Result<()> {
        let Some(level) = self.level else { return Ok(()) };
        let reason = if self.algorithm == Algorithm::None {
            "none takes no level".to_owned()
        } else {
            let (low, high) = self.algorithm.levels();
            if (low..=high).contains(&level) {
                return Ok(());
            }
            format!("the level must be from {low} to {high}")
        };
        Err(ArchiveError::InvalidCompression { text: self.to_string(), reason })
    }
}

impl From<Algorithm> for Compression {
    fn from(algorithm: Algorithm) -> Self {
        Self { algorithm, level: None }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            None => write!(f, "{}", self.algorithm),
            Some(level) => write!(f, "{}:{level}", self.algorithm),
        }
    }
}

impl FromStr for Compression {
    type Err = ArchiveError;

    fn from_str(s: &str) -> Result<Self> {
        let Some((algorithm, level)) = s.split_once(':') else {
            return Ok(Algorithm::from_str(s)?.into());
        };
        let algorithm = algorithm.parse()?;
        // pg_dump's own spelling is accepted, too: --compress=zstd:level=3
        let digits = level.strip_prefix("level=").unwrap_or(level);
        let level = digits.parse().map_err(|_| ArchiveError::InvalidCompression {
            text: s.to_owned(),
            reason: format!("{level:?} is not a level"),
        })?;
        let compression = Self { algorithm, level: Some(level) };
        compression.validate()?;
        Ok(compression)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressions_read_as_they_are_shown() {
        for text in ["none", "gzip", "gzip:9", "lz4", "lz4:1", "zstd", "zstd:3", "zstd:-5", "zstd:22"] {
            assert_eq!(text.parse::<Compression>().unwrap().to_string(), text);
        }
        assert_eq!("zstd:level=7".parse::<Compression>().unwrap().level(), 7);
        assert_eq!("gzip".parse::<Compression>().unwrap().level(), 6);
    }

    #[test]
    fn impossible_compressions_are_refused_with_the_range() {
        for text in ["", "brotli", "gzip:0", "gzip:10", "zstd:23", "lz4:13", "none:1", "zstd:", "zstd:3,long"]
        {
            let error = text.parse::<Compression>().unwrap_err().to_string();
            assert!(error.contains("zstd:3"), "{error}");
        }
        assert!("gzip:10".parse::<Compression>().unwrap_err().to_string().contains("1 to 9"));
    }
}
