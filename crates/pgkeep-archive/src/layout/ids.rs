//! Fresh dump ids of equal width.

use crate::{ArchiveError, DumpId, Result};

/// A range of dump ids above all in use: segments first, then the sentinel, then spares.
#[derive(Debug, Clone)]
pub(super) struct FreshIds {
    next_segment: i32,
    sentinel: i32,
    first_spare: i32,
    next_spare: i32,
    end_spare: i32,
}

impl FreshIds {
    pub(super) fn new(above: DumpId, segments: usize, spares: usize) -> Result<Self> {
        let wanted = (segments as u64).saturating_add(spares as u64).saturating_add(1);
        let exhausted = ArchiveError::IdsExhausted { above, wanted };
        let Some(start) = equal_width(i64::from(above.0.max(0)) + 1, wanted) else { return Err(exhausted) };
        let fits = |n: u64| i32::try_from(start.saturating_add_unsigned(n));
        let (Ok(start), Ok(sentinel), Ok(end)) = (fits(0), fits(segments as u64), fits(wanted)) else {
            return Err(exhausted);
        };
        let spare = sentinel + 1;
        Ok(Self { next_segment: start, sentinel, first_spare: spare, next_spare: spare, end_spare: end })
    }

    pub(super) fn segment(&mut self) -> DumpId {
        let id = self.next_segment;
        self.next_segment += 1;
        DumpId(id)
    }

    pub(super) fn sentinel(&self) -> DumpId {
        DumpId(self.sentinel)
    }

    pub(super) fn spare(&mut self) -> Option<DumpId> {
        let id = self.next_spare;
        (id < self.end_spare).then(|| {
            self.next_spare += 1;
            DumpId(id)
        })
    }

    /// Whether the id was given out by [`spare`](Self::spare).
    pub(super) fn is_spare(&self, id: DumpId) -> bool {
        (self.first_spare..self.next_spare).contains(&id.0)
    }

    /// Digits of every id here.
    pub(super) fn width(&self) -> usize {
        DumpId(self.sentinel).digits()
    }
}

/// The lowest start from `at` on from which `count` numbers have equally many digits.
fn equal_width(at: i64, count: u64) -> Option<i64> {
    let mut start = at;
    loop {
        let next_power = 10i64.checked_pow(start.checked_ilog10()? + 1)?;
        if next_power.abs_diff(start) >= count {
            return Some(start);
        }
        start = next_power;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_would_cross_a_power_of_ten_starts_there() {
        assert_eq!(equal_width(5, 4), Some(5));
        assert_eq!(equal_width(5, 5), Some(5));
        assert_eq!(equal_width(5, 6), Some(10));
        assert_eq!(equal_width(98, 3), Some(100));
        assert_eq!(equal_width(98, 5_000), Some(1_000));
        assert_eq!(equal_width(100, 900), Some(100));
        assert_eq!(equal_width(100, 901), Some(1_000));
    }

    #[test]
    fn all_fresh_ids_are_above_and_of_one_width() {
        let mut ids = FreshIds::new(DumpId(9_990), 8, 5).unwrap();
        let mut all: Vec<DumpId> = (0..8).map(|_| ids.segment()).collect();
        all.push(ids.sentinel());
        all.extend(std::iter::from_fn(|| ids.spare()));
        assert_eq!(all.len(), 14);
        assert!(all.windows(2).all(|w| w[0] < w[1]), "{all:?}");
        assert!(all.iter().all(|id| id.digits() == 5), "{all:?}");
        assert!(ids.is_spare(all[13]) && !ids.is_spare(all[8]));
    }

    #[test]
    fn the_end_of_all_ids_is_an_error() {
        let error = FreshIds::new(DumpId(i32::MAX - 2), 5, 0).unwrap_err();
        assert!(matches!(error, ArchiveError::IdsExhausted { wanted: 6, .. }), "{error:?}");
        assert!(FreshIds::new(DumpId(1), usize::MAX, usize::MAX).is_err());
    }
}
