//! Somebody wants it to end.

/// Ctrl-C, a terminal that is closed, or whatever else asks the process to end.
#[cfg(unix)]
pub(super) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let asked = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(|kind| {
        Box::pin(async move {
            match signal(kind) {
                Ok(mut asked) => drop(asked.recv().await),
                Err(_) => std::future::pending().await,
            }
        })
    });
    futures::future::select_all(asked).await;
}

/// Ctrl-C.
#[cfg(not(unix))]
pub(super) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
