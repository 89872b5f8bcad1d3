//! What the server calls its roles and entitlements.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::api::ScimUserSpec;
use crate::plan::{Grants, Unlisted};
use crate::provisioner::lock;
use crate::scim::Resource;

/// The names, as accounts and lists show them.
#[derive(Debug, Default)]
pub struct GrantNames(Mutex<Names>);

#[derive(Debug, Default)]
struct Names {
    known: Grants,
    /// Which lists were asked for since the last sweep began.
    asked: BTreeSet<&'static str>,
}

impl GrantNames {
    /// The spec with ids in place of names; `None` where it stands for itself.
    pub fn resolve(&self, spec: &ScimUserSpec) -> Option<(ScimUserSpec, Vec<Unlisted>)> {
        lock(&self.0).known.resolve(spec)
    }

    /// What these accounts show.
    pub fn add_from<'a>(&self, accounts: impl IntoIterator<Item = &'a Resource>) {
        let mut names = lock(&self.0);
        for account in accounts {
            names.known.add_from(account);
        }
    }

    /// What a list shows.
    pub fn add(&self, list: &'static str, found: impl IntoIterator<Item = (String, String)>) {
        let mut names = lock(&self.0);
        for (id, name) in found {
            names.known.add(list, &id, &name);
        }
    }

    /// A list is asked for; false where it was since the last sweep began.
    pub fn ask(&self, list: &'static str) -> bool {
        lock(&self.0).asked.insert(list)
    }

    /// Names that are unknown are asked for once more.
    pub fn ask_again(&self) {
        lock(&self.0).asked.clear();
    }

    /// The connection was lost: nothing is known any more.
    pub(super) fn forget(&self) {
        *lock(&self.0) = Names::default();
    }
}
