//! Whose turn it is: lanes and back-off, the connection's rate, access windows.

mod dispatch;
pub mod limiter;
pub mod queue;
pub mod ticket;
pub(super) mod windows;
