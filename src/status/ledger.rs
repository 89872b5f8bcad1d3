//! A guard's ledger as status keeps it.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::condition::whole_seconds;
use crate::api::GuardBucket;

/// For status: whole seconds, and later rather than earlier, so that the ledger over-counts and never under-counts.
pub fn buckets(ledger: &[(Timestamp, u64)]) -> Vec<GuardBucket> {
    let later = |at: Timestamp| at.checked_add(SignedDuration::from_millis(999)).unwrap_or(at);
    let bucket = |(at, count): &(Timestamp, u64)| GuardBucket {
        at: Time(whole_seconds(later(*at))),
        count: i64::try_from(*count).unwrap_or(i64::MAX),
    };
    ledger.iter().map(bucket).collect()
}

/// From status.
pub fn ledger<'a>(buckets: impl IntoIterator<Item = &'a GuardBucket>) -> impl Iterator<Item = (Timestamp, u64)> {
    buckets.into_iter().map(|bucket| (bucket.at.0, u64::try_from(bucket.count).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn i13_no_bucket_is_earlier_after_a_restart(millis in proptest::collection::vec(0..4_000_000_000_000_i64, 0..60)) {
            let at = |millis: &i64| (Timestamp::from_millisecond(*millis).unwrap(), 3);
            let kept: Vec<_> = millis.iter().map(at).collect();
            let read: Vec<_> = ledger(&buckets(&kept)).collect();
            prop_assert_eq!(kept.len(), read.len());
            for ((before, _), (after, count)) in kept.iter().zip(&read) {
                prop_assert!(before <= after && *count == 3, "{before} {after}");
            }
        }
    }
}
