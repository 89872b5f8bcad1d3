//! Writes of the connection's status: one at a time, so that a later one never carries less than an earlier one.

use tokio::sync::Mutex;

/// Who writes.
#[derive(Debug, Default)]
pub struct Saving(Mutex<()>);

impl Saving {
    /// Writes when nobody else does.
    pub async fn alone<T>(&self, write: impl Future<Output = T>) -> T {
        let _alone = self.0.lock().await;
        write.await
    }
}
