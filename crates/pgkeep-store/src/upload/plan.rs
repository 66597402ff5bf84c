//! How large the parts of an upload are.
//!
//! S3 takes at most 10,000 parts of 5 MiB to 5 GiB each, of which the last may be smaller
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>). Some stores, R2 among them,
//! insist that all but the last are of one size
//! (<https://developers.cloudflare.com/r2/objects/multipart-objects/#limitations>), so the size is
//! chosen once, before the first byte, and never changes within an upload.

use crate::error::{Result, StoreError};
use crate::types::{Capabilities, UploadPlan};

/// The number of parts an S3 object may have.
pub(crate) const MAX_PARTS: u32 = 10_000;
/// The smallest part S3 takes, unless it is the last.
pub(crate) const MIN_PART: u64 = 5 << 20;
/// The largest part S3 takes.
pub(crate) const MAX_PART: u64 = 5 << 30;
/// The largest object S3 takes, as its first quota was and as servers of its kind have it.
pub(crate) const MAX_OBJECT: u64 = 5 << 40;
/// The smallest part we plan: fewer requests than S3's own 5 MiB, still cheap to keep in memory.
pub(crate) const SMALLEST_PLANNED: u64 = 8 << 20;

/// The sizes an upload works with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// The length of the head.
    pub(crate) head_len: u64,
    /// The length of every part but the last.
    pub(crate) part_size: u64,
    /// Where the parts that hold bytes of the head end: these stay open until the head is known.
    pub(crate) head_end: u64,
    /// Parts sent at the same time.
    pub(crate) concurrency: usize,
    /// The largest size that fits.
    pub(crate) max_size: u64,
}

/// Plans the part size: the smallest MiB multiple, at least 8 MiB, at which twice the estimate fits
/// into as many parts as the store allows, and 10,000 at most: their hashes stand in the manifest.
pub(crate) fn sizes(url: &str, plan: &UploadPlan, can: &Capabilities) -> Result<Sizes> {
    let too_large = |cause: String| {
        Err(StoreError::new(
            StoreError::TooLarge,
            url,
            cause,
            "split the backup, by database or by table, or raise its compression",
        ))
    };
    let expected = plan.expected_size.max(plan.head_len);
    let part_size = match plan.part_size {
        Some(0) => return too_large("a part size of 0 was asked for".into()),
        Some(size) if can.multipart && !(can.min_part_size..=can.max_part_size).contains(&size) => {
            return too_large(format!(
                "a part size of {size} bytes was asked for; the store takes {} to {}",
                can.min_part_size, can.max_part_size
            ));
        }
        Some(size) => size,
        None => {
            let roomy = expected.saturating_mul(2).div_ceil(u64::from(can.part_limit.min(MAX_PARTS)));
            roomy.max(SMALLEST_PLANNED).next_multiple_of(1 << 20).min(can.max_part_size)
        }
    };
    let max_size = match can.multipart {
        true => part_size.saturating_mul(u64::from(can.part_limit)).min(can.max_object_size),
        false => can.max_object_size,
    };
    if expected > can.max_object_size {
        return too_large(format!(
            "about {expected} bytes are expected, and the store takes objects of {} bytes at most",
            can.max_object_size
        ));
    }
    if expected > max_size {
        return too_large(format!(
            "about {expected} bytes are expected, and {} parts of {part_size} bytes hold {max_size}",
            can.part_limit
        ));
    }
    let head_end = plan.head_len.div_ceil(part_size) * part_size;
    Ok(Sizes { head_len: plan.head_len, part_size, head_end, concurrency: plan.concurrency.max(1), max_size })
}

impl Sizes {
    /// Refuses a body that grows beyond the last part there can be.
    pub(crate) fn check_end(&self, url: &str, end: u64) -> Result<()> {
        if end <= self.max_size {
            return Ok(());
        }
        Err(StoreError::new(
            StoreError::TooLarge,
            url,
            format_args!(
                "the object grows beyond {} bytes, which is all that parts of {} bytes can hold",
                self.max_size, self.part_size
            ),
            "the estimate was less than half of the real size: begin again with a larger one",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUCKET: Capabilities = Capabilities {
        conditional_put: true,
        multipart: true,
        part_limit: MAX_PARTS,
        min_part_size: MIN_PART,
        max_part_size: MAX_PART,
        lists_pending: true,
        pending_are_dead: false,
        max_object_size: MAX_OBJECT,
        versions: true,
        locks: true,
    };

    fn planned(head_len: u64, expected_size: u64) -> Result<Sizes> {
        sizes("s3://b", &UploadPlan::new(head_len, expected_size), &BUCKET)
    }

    #[test]
    fn small_objects_get_eight_mebibyte_parts() {
        for size in [0, 1, 8 << 20, 30 << 30] {
            assert_eq!(planned(100, size).unwrap().part_size, 8 << 20);
        }
    }

    #[test]
    fn twice_the_estimate_fits_into_ten_thousand_parts() {
        for size in [50 << 30, 1 << 40, 2 << 40] {
            let s = planned(100, size).unwrap();
            assert!(s.max_size >= 2 * size, "{size}: {s:?}");
            assert!(s.part_size <= MAX_PART);
        }
    }

    #[test]
    fn what_cannot_fit_is_refused_before_the_first_byte() {
        assert_eq!(planned(0, 5 << 40).unwrap().max_size, 5 << 40);
        let e = planned(0, (5 << 40) + 1).unwrap_err();
        assert!(
            matches!(e, StoreError::TooLarge(_)) && e.cause().contains("objects of 5497558138880 bytes"),
            "{e}"
        );
        let few = Capabilities { part_limit: 100, ..BUCKET };
        let e = sizes("s3://b", &UploadPlan::new(0, 1 << 40), &few).unwrap_err();
        assert!(matches!(e, StoreError::TooLarge(_)) && e.cause().contains("100 parts"), "{e}");
    }

    #[test]
    fn a_store_of_fewer_parts_gets_larger_ones() {
        let few = Capabilities { part_limit: 1000, ..BUCKET };
        let sizes = sizes("s3://b", &UploadPlan::new(0, 100 << 30), &few).unwrap();
        assert_eq!(sizes.part_size, 205 << 20);
        assert!(sizes.max_size >= 200 << 30);
    }

    #[test]
    fn the_parts_that_hold_the_head_end_at_a_part_boundary() {
        assert_eq!(planned(0, 0).unwrap().head_end, 0);
        assert_eq!(planned(1, 0).unwrap().head_end, 8 << 20);
        assert_eq!(planned(8 << 20, 0).unwrap().head_end, 8 << 20);
        assert_eq!(planned((8 << 20) + 1, 0).unwrap().head_end, 16 << 20);
    }
}
