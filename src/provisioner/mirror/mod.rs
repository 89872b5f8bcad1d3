//! What the server was seen to hold, of every collection: one walker of pages, one rule of what a listing or a 404 proves.

pub(super) mod groups;
pub(super) mod listing;
pub mod sightings;
mod sweep;
pub mod users;
