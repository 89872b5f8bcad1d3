//! Whether this process's clock agrees with the API server's: access windows end nobody's access before it does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use kube::Client;
use kube::client::Body;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// More than this apart, and the clock is not trusted.
const MOST: SignedDuration = SignedDuration::from_secs(60);

const EVERY: Duration = Duration::from_secs(60);
const CALL: Duration = Duration::from_secs(5);

/// How far this process's clock is from the API server's; cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<Mutex<Option<Compared>>>);

/// The last comparison, and when it was made: by this clock, and by one that nobody can set.
#[derive(Clone, Copy, Debug)]
struct Compared {
    skew: SignedDuration,
    wall: Timestamp,
    steady: Instant,
}

impl Clock {
    /// The clock agrees with the API server's, as far as is known.
    pub fn is_trusted(&self) -> bool {
        self.skew().abs() <= MOST
    }

    /// How far ahead of the API server's the clock is, by the last comparison and what it was set by since.
    pub fn skew(&self) -> SignedDuration {
        let Some(compared) = *self.0.lock().unwrap_or_else(PoisonError::into_inner) else {
            return SignedDuration::ZERO;
        };
        let steady = SignedDuration::try_from(compared.steady.elapsed()).unwrap_or(SignedDuration::MAX);
        let moved = Timestamp::now().duration_since(compared.wall).saturating_sub(steady);
        compared.skew.saturating_add(moved)
    }

    /// Takes in an answer's `Date` header, read between two looks at the clock.
    fn compare(&self, date: &str, before: Timestamp, after: Timestamp) {
        let Ok(date) = jiff::fmt::rfc2822::parse(date) else { return };
        let (theirs, trusted) = (date.timestamp(), self.is_trusted());
        // Whatever the answer took, and the second that the header cuts off, is no difference.
        let slack = SignedDuration::from_secs(1);
        let skew = if theirs > after {
            after.duration_since(theirs)
        } else {
            before.duration_since(theirs.checked_add(slack).unwrap_or(theirs)).max(SignedDuration::ZERO)
        };
        let compared = Compared { skew, wall: Timestamp::now(), steady: Instant::now() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(compared);
        if trusted && !self.is_trusted() {
            warn!(
                seconds = skew.as_secs(),
                "this clock differs from the API server's; access windows are not enforced until the clocks agree"
            );
        }
    }

    /// Compares once.
    pub async fn look(&self, client: &Client) {
        let Ok(request) = http::Request::get("/version").body(Body::empty()) else { return };
        let before = Timestamp::now();
        match timeout(CALL, client.send(request)).await {
            Ok(Ok(answer)) => {
                let date = answer.headers().get(http::header::DATE).and_then(|date| date.to_str().ok());
                if let Some(date) = date {
                    self.compare(date, before, Timestamp::now());
                }
            }
            Ok(Err(error)) => debug!("the API server's clock could not be read: {error}"),
            Err(_) => debug!("the API server's clock could not be read in time"),
        }
    }

    /// Compares every minute until `stop`.
    pub async fn keep(self, client: Client, stop: CancellationToken) {
        while !stop.is_cancelled() {
            self.look(&client).await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(EVERY) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two clocks are never read in the very same instant.
    fn rounded(clock: &Clock) -> i64 {
        clock.skew().round(jiff::Unit::Second).unwrap().as_secs()
    }

    #[test]
    fn a_clock_is_trusted_within_a_minute() {
        let now: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        let second = SignedDuration::from_secs(1);
        for (date, trusted, skew) in [
            ("Tue, 24 Nov 2026 10:00:00 GMT", true, 0),
            ("Tue, 24 Nov 2026 10:00:51 GMT", true, -50),
            ("Tue, 24 Nov 2026 10:01:12 GMT", false, -71),
            ("Tue, 24 Nov 2026 09:59:09 GMT", true, 50),
            ("Tue, 24 Nov 2026 09:58:48 GMT", false, 71),
        ] {
            let clock = Clock::default();
            clock.compare(date, now, now + second);
            assert_eq!((clock.is_trusted(), rounded(&clock)), (trusted, skew), "{date}");
            clock.compare("yesterday", now, now);
            assert_eq!(rounded(&clock), skew, "what can't be read says nothing");
        }
    }
}
