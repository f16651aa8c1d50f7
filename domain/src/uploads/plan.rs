//! One PUT or parts, and how large they are.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const MIB: u64 = 1024 * 1024;
/// Below, more parts cost more round trips than they save.
const SMALLEST_PART: u64 = 16 * MIB;
/// S3 allows 10,000; the rest is room.
const MOST_PARTS: u64 = 9_000;

/// How a file travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// One presigned PUT.
    Single,
    /// Presigned parts.
    Multipart,
}

impl Method {
    /// The name in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Multipart => "multipart",
        }
    }
}

/// How a file is cut. All parts have `part_size` bytes but the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartPlan {
    pub part_size: u64,
    pub part_count: u32,
}

impl PartPlan {
    /// The plan for a file of `size` bytes.
    pub fn for_size(size: u64) -> Self {
        let part_size = size
            .div_ceil(MOST_PARTS)
            .next_multiple_of(MIB)
            .max(SMALLEST_PART);
        Self::with_part_size(size, part_size)
    }

    /// The plan that was made with parts of `part_size` bytes.
    pub fn with_part_size(size: u64, part_size: u64) -> Self {
        Self {
            part_size,
            part_count: u32::try_from(size.div_ceil(part_size.max(1))).unwrap_or(u32::MAX),
        }
    }

    /// Bytes of a part of a file of `size` bytes.
    pub fn bytes_of(&self, part_number: u32, size: u64) -> u64 {
        let start = u64::from(part_number.saturating_sub(1)) * self.part_size;
        size.saturating_sub(start).min(self.part_size)
    }

    /// Whether there is such a part; they count from 1.
    pub fn has(&self, part_number: u32) -> bool {
        (1..=self.part_count).contains(&part_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_file_and_respect_s3() {
        for size in [
            1,
            64 * MIB + 1,
            1_000 * MIB,
            10 * 1024 * MIB,
            5 * 1024 * 1024 * MIB,
        ] {
            let plan = PartPlan::for_size(size);
            let count = u64::from(plan.part_count);
            assert!(plan.part_size >= 5 * MIB && plan.part_size.is_multiple_of(MIB));
            assert!(count <= 10_000);
            assert!(plan.part_size * count >= size && plan.part_size * (count - 1) < size);
            let sum: u64 = (1..=plan.part_count).map(|n| plan.bytes_of(n, size)).sum();
            assert_eq!(sum, size);
            assert!(
                plan.has(1)
                    && plan.has(plan.part_count)
                    && !plan.has(0)
                    && !plan.has(plan.part_count + 1)
            );
        }
    }
}
