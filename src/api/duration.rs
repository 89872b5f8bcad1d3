//! Durations as Kubernetes users write them: `30s`, `24h`, `1h30m`.

use std::borrow::Cow;
use std::time::Duration;

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A duration: numbers with the units h, m, s, ms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Interval(pub String);

impl Interval {
    /// An interval from its text.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The same as [`Self::std`], to be counted with times.
    pub fn signed(&self) -> SignedDuration {
        SignedDuration::try_from(self.std()).unwrap_or_default()
    }

    /// The duration; a part that can't be read counts as zero, which the schema's pattern rules out.
    pub fn std(&self) -> Duration {
        let mut total = Duration::ZERO;
        let mut rest = self.0.as_str();
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let number: u64 = rest[..digits].parse().unwrap_or(0);
            rest = &rest[digits..];
            let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let part = match &rest[..letters] {
                "h" => Duration::from_secs(number.saturating_mul(3600)),
                "m" => Duration::from_secs(number.saturating_mul(60)),
                "s" => Duration::from_secs(number),
                "ms" => Duration::from_millis(number),
                _ => Duration::ZERO,
            };
            total = total.saturating_add(part);
            rest = &rest[letters..];
        }
        total
    }
}

impl JsonSchema for Interval {
    fn schema_name() -> Cow<'static, str> {
        "Interval".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 20, "pattern": "^([0-9]{1,5}h|[0-9]{1,6}(m|s|ms))+$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_add_up() {
        assert_eq!(Interval::new("1h30m").std(), Duration::from_secs(5400));
        assert_eq!(Interval::new("10s").std(), Duration::from_secs(10));
        assert_eq!(Interval::new("250ms").std(), Duration::from_millis(250));
    }

    proptest! {
        #[test]
        fn i29_no_text_makes_it_panic(text in ".{0,40}") {
            let _ = Interval(text).std();
        }
    }
}
