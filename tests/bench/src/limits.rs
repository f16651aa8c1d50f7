//! `limits_1000_keys`: the drain of jobs of 1,000 keys with limits and fairness on, beside the same jobs with both off.

use crate::contest::Figure;

pub(crate) const IDS: [&str; 1] = ["limits_1000_keys"];

pub(crate) fn measure() -> Vec<Figure> {
    vec![Figure::skipped(
        IDS[0],
        "limits per key are not in the engine yet",
    )]
}
