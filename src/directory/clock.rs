//! What time it is: since when somebody has been leaving a group is kept by it.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

#[derive(Clone)]
pub(super) struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(Timestamp::now))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

#[cfg(test)]
impl super::Directory {
    /// An empty one that goes by this clock.
    pub(crate) fn by_clock(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let directory = Self::default();
        directory.write().clock = Clock(Arc::new(now));
        directory
    }
}
