//! What a server was seen to do otherwise than its dialect expects. Kept as first seen, so that it is told once.

use jiff::Timestamp;

use super::client::Page;
use super::error::{Class, Error};
use super::kind::Kind;
use super::lesson::Lesson;
use super::profile::{Paging, PatchPaths, Profile};
use super::resource::Resource;

/// How a search for a `userName` fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SearchFault {
    /// It answers with people who weren't asked for.
    Ignored,
    /// It is no request that the server takes.
    Refused,
}

/// A request about a group, by what it could do to members whom it doesn't name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupChange {
    /// One member is taken out.
    Removal,
    /// Several are taken out at once.
    Removals,
    /// Members are put in.
    Addition,
    /// The group's externalId is replaced.
    ExternalId,
}

/// How an account is made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// A creation.
    Post,
    /// It is replaced.
    Put,
    /// Some of it is changed.
    Patch,
}

/// What a server was seen to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObservedQuirks {
    /// So many accounts on a page, and so many asked for.
    long_page: Option<(u64, u32)>,
    /// A total, and the accounts that were shown nevertheless.
    short_total: Option<(u64, u64)>,
    search: Option<SearchFault>,
    /// A list is changed by being replaced whole, where a path with a filter changed nothing.
    whole_lists: Option<bool>,
    /// A PATCH changed the members of a group.
    patches_groups: bool,
    /// A PATCH of a user was taken.
    patches_users: bool,
    /// A user was replaced where a PATCH was refused, and that was refused, too.
    put_is_no_better: bool,
    /// A member was seen to be out after a PATCH that took it out.
    takes_out: bool,
    /// A member was seen to be in after a request that put it in.
    puts_in: bool,
    /// Changes of a group that were seen to leave everybody else in.
    spares: [bool; 4],
    /// Changes of a group that were seen to take out others.
    throws_out: [bool; 4],
    /// Whether the answers to creations, replacements and changes of users show all that a read shows.
    answers_whole: [Option<bool>; 3],
    /// A user was read, and was inactive, after a request that was to make them so.
    deactivates: bool,
    /// A user was seen to be changed by a PATCH.
    patch_changes: bool,
    /// A group was seen to have the name that a request of ours gave it.
    renames_groups: bool,
    /// A user, and a group, were seen to be gone after a deletion.
    deletes: [bool; 2],
    /// A list failed beyond so many entries.
    list_breaks_at: Option<u64>,
    /// When whoever was listed first was created, and whether others were at another time.
    created: Option<Timestamp>,
    times_differ: bool,
}

impl ObservedQuirks {
    /// A page came; `walked` accounts with it and those before.
    pub fn page(&mut self, asked: u32, shown: u64, walked: u64, total: Option<u64>) {
        if shown > u64::from(asked) {
            self.long_page.get_or_insert((shown, asked));
        }
        if let Some(total) = total.filter(|total| *total < walked) {
            self.short_total.get_or_insert((total, walked));
        }
    }

    /// The answer to [`super::client::Client::find_nobody`]; an error that isn't about the search says nothing of it.
    pub fn search(&mut self, answer: &Result<Page, Error>) {
        self.search = match answer {
            Ok(page) if !page.resources.is_empty() => Some(SearchFault::Ignored),
            Err(error) if matches!(error.class(), Class::Rejected | Class::Forbidden | Class::Unsupported) => {
                Some(SearchFault::Refused)
            }
            _ => None,
        };
    }

    /// A path with a filter changed nothing, and whether the whole list in its place did.
    pub fn list_replaced(&mut self, helped: bool) {
        self.whole_lists.get_or_insert(helped);
    }

    /// A PATCH changed the members of a group.
    pub fn group_patched(&mut self) {
        self.patches_groups = true;
    }

    /// A member was seen to be out after a PATCH that took it out.
    pub fn taken_out(&mut self) {
        self.takes_out = true;
    }

    /// Whether one ever was.
    pub fn takes_out(&self) -> bool {
        self.takes_out
    }

    /// A PATCH of a user was taken.
    pub fn user_patched(&mut self) {
        self.patches_users = true;
    }

    /// Whether one ever was.
    pub fn patches_users(&self) -> bool {
        self.patches_users
    }

    /// A user was replaced where a PATCH was refused, and that was refused, too.
    pub fn put_failed(&mut self) {
        self.put_is_no_better = true;
    }

    /// Whether that was so.
    pub fn put_is_no_better(&self) -> bool {
        self.put_is_no_better
    }

    /// A member was seen to be in after a request that put it in.
    pub fn put_in(&mut self) {
        self.puts_in = true;
    }

    /// Whether one ever was.
    pub fn puts_in(&self) -> bool {
        self.puts_in
    }

    /// Everybody else was seen to be in after such a change of a group.
    pub fn spared(&mut self, change: GroupChange) {
        self.spares[change as usize] = true;
    }

    /// Whether that ever was so.
    pub fn spares(&self, change: GroupChange) -> bool {
        self.spares[change as usize]
    }

    /// Others were seen to be out after such a change of a group.
    pub fn threw_out(&mut self, change: GroupChange) {
        self.throws_out[change as usize] = true;
    }

    /// Whether that ever was so.
    pub fn throws_out(&self, change: GroupChange) -> bool {
        self.throws_out[change as usize]
    }

    /// The answer to such a request was compared with a read.
    pub fn answered(&mut self, verb: Verb, whole: bool) {
        self.answers_whole[verb as usize] = Some(whole);
    }

    /// Whether such answers show all that a read shows; none where none was compared yet.
    pub fn answers_whole(&self, verb: Verb) -> Option<bool> {
        self.answers_whole[verb as usize]
    }

    /// A user was read, and was inactive, after a request that was to make them so.
    pub fn deactivated(&mut self) {
        self.deactivates = true;
    }

    /// Whether one ever was.
    pub fn deactivates(&self) -> bool {
        self.deactivates
    }

    /// A user was seen to be changed by a PATCH.
    pub fn patch_changed(&mut self) {
        self.patch_changes = true;
    }

    /// Whether one ever was.
    pub fn patch_changes(&self) -> bool {
        self.patch_changes
    }

    /// A group was seen to have the name that a request of ours gave it.
    pub fn group_renamed(&mut self) {
        self.renames_groups = true;
    }

    /// Whether one ever was.
    pub fn renames_groups(&self) -> bool {
        self.renames_groups
    }

    /// One of these was seen to be gone after a deletion.
    pub fn deleted(&mut self, kind: Kind) {
        self.deletes[kind as usize] = true;
    }

    /// Whether one ever was.
    pub fn deletes(&self, kind: Kind) -> bool {
        self.deletes[kind as usize]
    }

    /// A list failed beyond so many entries.
    pub fn list_broke_at(&mut self, walked: u64) {
        self.list_breaks_at = Some(walked);
    }

    /// Where one failed last.
    pub fn list_breaks_at(&self) -> Option<u64> {
        self.list_breaks_at
    }

    /// This was listed. Once two were created at different times, no more are read.
    pub fn listed(&mut self, resource: &Resource) {
        if !self.times_differ
            && let Some(created) = resource.created()
        {
            self.times_differ |= *self.created.get_or_insert(created) != created;
        }
    }

    /// Whether all that was listed has this time of creation: it tells nothing.
    pub fn is_everyones(&self, created: Timestamp) -> bool {
        self.created == Some(created) && !self.times_differ
    }

    /// There is PATCH for groups, whatever it refuses.
    pub fn patches_groups(&self) -> bool {
        self.patches_groups
    }

    /// Whether a list is to be replaced whole; none where that was never tried.
    pub fn whole_lists(&self) -> Option<bool> {
        self.whole_lists
    }

    /// What to do about a search that fails, where nobody has set otherwise.
    pub fn lessons(&self, profile: &Profile) -> Vec<Lesson> {
        let without = |filters: &[String]| filters.iter().cloned().map(Lesson::NoFilter).collect();
        match self.search.filter(|_| searches(profile)) {
            // It heeds none.
            Some(SearchFault::Ignored) => without(&profile.filters),
            Some(SearchFault::Refused) => without(&["userName".to_owned()]),
            None => Vec::new(),
        }
    }

    /// Where the dialect expects something else, and what to set.
    pub fn differs(&self, profile: &Profile) -> Vec<String> {
        let mut found = Vec::new();
        // A page as long as the dialect says is what somebody has set.
        let long = |(shown, _): &(u64, u32)| profile.paging != Paging::None && *shown != u64::from(profile.page_size);
        if let Some((shown, asked)) = self.long_page.filter(long) {
            found.push(format!(
                "the server showed {shown} accounts on a page where {asked} were asked for: set spec.dialect.paging to None if \
                 that is all it has, else spec.dialect.pageSize to {shown}"
            ));
        }
        if let Some((total, shown)) = self.short_total.filter(|_| profile.trust_totals) {
            found.push(format!(
                "the server told a total of {total} and showed {shown} accounts: set spec.dialect.trustTotals to false"
            ));
        }
        match self.search.filter(|_| searches(profile)) {
            Some(SearchFault::Ignored) => found.push(
                "the server ignores filters, a search for nobody found accounts: set spec.dialect.filters to []"
                    .to_owned(),
            ),
            Some(SearchFault::Refused) => found.push(
                "the server refuses a search by userName: set spec.dialect.filters to what it knows, or to []"
                    .to_owned(),
            ),
            None => {}
        }
        if self.whole_lists == Some(true) && profile.patch_paths == PatchPaths::Filter {
            found.push(
                "the server changes no entry of a list by a path with a filter, so lists are replaced whole: set \
                 spec.dialect.patchPaths to Whole"
                    .to_owned(),
            );
        }
        found
    }
}

/// Whether the dialect looks for people by their `userName`.
pub fn searches(profile: &Profile) -> bool {
    profile.filters.iter().any(|attribute| attribute == "userName")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::Resource;

    #[test]
    fn each_finding_ends_with_the_override_that_it_names() {
        let profile = Profile { trust_totals: true, ..Profile::generic() };
        let mut seen = ObservedQuirks::default();
        seen.page(100, 100, 100, Some(300));
        seen.page(100, 250, 350, Some(300));
        seen.page(100, 251, 601, Some(300));
        seen.search(&Ok(Page { resources: vec![Resource::default()], ..Page::default() }));
        let told = seen.differs(&profile);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told.iter().all(|note| note.contains("set spec.dialect.") && note.len() <= 256), "{told:?}");
        assert!(told[0].contains("showed 250"), "the first stays: {told:?}");
        let set = Profile { trust_totals: false, page_size: 250, filters: Vec::new(), ..Profile::generic() };
        assert_eq!(seen.differs(&set), Vec::<String>::new());
        assert_eq!(seen.differs(&Profile { paging: Paging::None, page_size: 100, ..set }), Vec::<String>::new());
    }

    #[test]
    fn only_a_refusal_of_the_search_itself_is_one() {
        let after = |class| {
            let mut seen = ObservedQuirks::default();
            seen.search(&Err(Error::new(class, "GET /Users?filter=…", "no")));
            seen.differs(&Profile::generic()).len()
        };
        for class in [Class::Rejected, Class::Unsupported, Class::Forbidden] {
            assert_eq!(after(class), 1, "{class:?}");
        }
        for class in [Class::NotFound, Class::Transient, Class::Throttled, Class::Timeout, Class::Credential] {
            assert_eq!(after(class), 0, "{class:?}");
        }
        let mut seen = ObservedQuirks::default();
        seen.search(&Ok(Page::default()));
        assert_eq!(seen, ObservedQuirks::default());
    }
}
