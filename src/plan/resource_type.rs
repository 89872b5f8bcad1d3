//! What the kinds of resource have of their own, as a plan speaks of them.

use std::collections::BTreeSet;
use std::fmt::Debug;

use super::path::Path;

/// A type of resource (RFC 7643 §6): what its requests and verdicts have of their own.
pub trait ResourceType: Clone + Debug + Default + PartialEq + Send + Sync + 'static {
    /// The states of its objects.
    type State: Copy + Debug + PartialEq + Send + Sync;
    /// What a request changes beside attributes.
    type Change: Clone + Debug + Default + PartialEq + Send + Sync;
    /// What a verdict says beside what every verdict says.
    type Details: Clone + Debug + Default + PartialEq + Send + Sync;

    /// The custom resource, as kubectl names one.
    const RESOURCE: &'static str;
    /// What a person calls one of it at the server.
    const NOUN: &'static str;
    /// The same with its article.
    const ONE: &'static str;
    /// The attribute that is its name there, and that it is looked for by.
    const NAME: &'static str;
    /// The key of what the connection prescribes for it, as in `adoptionPolicy.users`.
    const POLICIES: &'static str;
    /// Waiting.
    const PENDING: Self::State;
    /// Held by a guard.
    const HELD: Self::State;
    /// Held under `mode: Plan`.
    const PLANNED: Self::State;
    /// Needs a person.
    const FAILED: Self::State;
    /// Under deletion, and waiting.
    const DELETING: Self::State;

    /// The change takes access away.
    fn removes(change: &Self::Change) -> bool;
    /// What a request changes, part by part: attributes, and what is special to the type.
    fn parts(attributes: &[Path], change: &Self::Change) -> BTreeSet<String>;
}
