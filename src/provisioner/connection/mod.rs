//! The connection: its test, its key, its dialect, its status, its end.

pub(super) mod credentials;
pub(super) mod defaults;
pub(super) mod dialect;
mod discovery;
pub(super) mod export;
mod guarded;
pub(super) mod hosts;
mod key_loss;
pub(super) mod label_loss;
pub(super) mod lessons;
mod object;
mod pasted;
pub(super) mod refusal;
pub(super) mod report;
pub(super) mod session;
pub(super) mod state;
mod termination;
pub(super) mod test;
mod wish;
mod write_trouble;
