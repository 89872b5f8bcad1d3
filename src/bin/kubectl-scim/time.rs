//! Instants and durations as people read them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// How long ago, as kubectl tells ages: `12s`, `5m`, `3h`, `8d`; what lies ahead: `in 5d`.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - at.as_second();
    if seconds < 0 { format!("in {}", short(-seconds)) } else { short(seconds) }
}

fn short(seconds: i64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// The age of something that may not have happened.
pub fn age(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| ago(at, Timestamp::now()))
}

/// The instant within a `Time` of Kubernetes'.
pub fn instant(time: Option<&Time>) -> Option<Timestamp> {
    time.map(|time| time.0)
}

/// When an event was seen last.
pub fn seen(event: &Event) -> Option<Timestamp> {
    let again = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
    again
        .or_else(|| instant(event.last_timestamp.as_ref()))
        .or_else(|| event.event_time.as_ref().map(|time| time.0))
        .or_else(|| instant(event.metadata.creation_timestamp.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_as_those_of_kubectl() {
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        let ago = |text: &str| ago(text.parse().unwrap(), now);
        assert_eq!(ago("2026-11-28T11:59:15Z"), "45s");
        assert_eq!(ago("2026-11-28T11:55:00Z"), "5m");
        assert_eq!(ago("2026-11-28T09:00:00Z"), "3h");
        assert_eq!(ago("2026-11-20T12:00:00Z"), "8d");
        assert_eq!(ago("2026-12-03T12:00:00Z"), "in 5d");
    }
}
