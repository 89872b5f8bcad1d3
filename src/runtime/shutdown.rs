//! The process is asked to end.

use tokio_util::sync::CancellationToken;

/// A token that SIGTERM and SIGINT cancel, and Ctrl-C where there are no signals.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let asked = to_end()?;
    let cancelled = token.clone();
    tokio::spawn(async move {
        asked.await;
        cancelled.cancel();
    });
    Ok(token)
}

/// Ends when the process is asked to: from this call on, and not only once it is awaited.
#[cfg(unix)]
fn to_end() -> std::io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// The same by a console's events.
#[cfg(windows)]
fn to_end() -> std::io::Result<impl Future<Output = ()> + Send> {
    let (mut interrupt, mut closed) = (tokio::signal::windows::ctrl_c()?, tokio::signal::windows::ctrl_close()?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = closed.recv() => {}
        }
    })
}
