//! What has changed lately: the pages that are open ask for what is theirs, and not for all of it each time.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Mutex;

use tokio::sync::watch::{Receiver, Sender};

/// So many changes are remembered; a page that missed more looks at everything.
const KEPT: usize = 2000;
/// So many are named to a page.
const NAMED: usize = 200;

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changed {
    /// The object of a page, by the page's address.
    Page(String),
    /// What every page shows or depends on: connections, rosters, holds, what can't be listed.
    Everything,
}

/// The changes, in their order.
pub struct Changes {
    count: Sender<u64>,
    lately: Mutex<VecDeque<(u64, Changed)>>,
}

impl Default for Changes {
    fn default() -> Self {
        Self { count: Sender::new(0), lately: Mutex::default() }
    }
}

impl Changes {
    /// One more.
    pub fn add(&self, changed: Changed) {
        self.count.send_modify(|count| {
            *count += 1;
            let Ok(mut lately) = self.lately.lock() else { return };
            match lately.back_mut() {
                // A list that is read names a hundred thousand.
                Some((last, Changed::Everything)) if changed == Changed::Everything => *last = *count,
                _ => lately.push_back((*count, changed)),
            }
            if lately.len() > KEPT {
                lately.pop_front();
            }
        });
    }

    /// Hears how many there were.
    pub fn subscribe(&self) -> Receiver<u64> {
        self.count.subscribe()
    }

    /// What changed since there were so many, a line each; `*` where that is everything.
    pub fn since(&self, count: u64) -> String {
        let Ok(lately) = self.lately.lock() else { return "*".to_owned() };
        let forgotten = lately.front().is_none_or(|(first, _)| *first > count + 1);
        let found: BTreeSet<&Changed> =
            lately.iter().rev().take_while(|(at, _)| *at > count).map(|(_, changed)| changed).collect();
        if forgotten || found.contains(&Changed::Everything) || found.len() > NAMED {
            return "*".to_owned();
        }
        let pages = found.into_iter().filter_map(|changed| match changed {
            Changed::Page(address) => Some(address.as_str()),
            Changed::Everything => None,
        });
        pages.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_hears_of_its_own_object_and_of_everything_when_it_missed_too_much() {
        let changes = Changes::default();
        let page = |name: &str| Changed::Page(format!("/people/identity/{name}"));
        assert_eq!(changes.since(0), "*", "nothing is known");
        for name in ["ada", "grace", "ada"] {
            changes.add(page(name));
        }
        assert_eq!(changes.since(0), "/people/identity/ada\n/people/identity/grace");
        assert_eq!(changes.since(2), "/people/identity/ada");
        for _ in 0..100_000 {
            changes.add(Changed::Everything);
        }
        changes.add(page("alan"));
        assert_eq!((changes.since(3).as_str(), changes.since(100_003).as_str()), ("*", "/people/identity/alan"));
        for number in 0..=KEPT {
            changes.add(page(&number.to_string()));
        }
        assert_eq!(changes.since(100_004), "*", "more than is remembered");
        assert_eq!(*changes.subscribe().borrow(), 100_004 + KEPT as u64 + 1);
    }
}
