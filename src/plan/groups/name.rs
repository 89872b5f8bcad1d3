//! The name that a group was given, and what the server makes of it.

use jiff::Timestamp;

use crate::plan::creation::letters;
use crate::plan::domain::is_same_in_domain;
use crate::scim::composed;

/// No server cuts off names that are so short.
const SHORTEST_CUT: usize = 8;

/// Two names are the same: however their letters are composed, and without the spaces around them, which servers cut off.
pub fn same_name(one: &str, other: &str) -> bool {
    one == other || composed(one.trim()) == composed(other.trim())
}

/// How a name is changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameForm {
    /// By its path.
    #[default]
    Path,
    /// By a PATCH without a path.
    Pathless,
    /// With the whole group.
    Whole,
}

/// A name that was sent, as far as this process remembers it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameSent {
    /// What was sent.
    pub sent: String,
    /// What the group was named before; none where it was made.
    pub before: Option<String>,
    /// When the server took it; none where it refused it.
    pub taken: Option<Timestamp>,
    /// How it was sent then.
    pub form: NameForm,
    /// In so many forms it was sent, and nothing came of it.
    pub in_vain: u8,
    /// The group was read after it was taken, and has its name of before: that may be older.
    pub waits: bool,
    /// What the first reading showed that was asked for after it was taken.
    pub first: Option<String>,
}

impl NameSent {
    /// The server shows this for the declared name: the same letters, in a form of its own, and so since it was sent.
    pub fn is_kept_as(&self, declared: &str, shown: &str) -> bool {
        self.taken.is_some()
            && self.sent == declared
            && self.before.as_deref() != Some(shown)
            && self.first.as_deref().is_none_or(|first| first == shown)
            && is_form_of(shown, declared)
    }

    /// Nothing came of it so far, and what shows that may be older than the request.
    pub fn may_come(&self, declared: &str, shown: &str) -> bool {
        self.waits && self.sent == declared && self.before.as_deref() == Some(shown)
    }

    /// A reading that was asked for since shows this; `late`: so much later that it isn't older. What it was before counts as
    /// what it became only where that is the server's form of it.
    pub fn was_shown(&mut self, shown: &str, late: bool) {
        if self.before.as_deref() != Some(shown) {
            self.waits = false;
            self.first.get_or_insert_with(|| shown.to_owned());
        } else if late && has_letters_of(shown, &self.sent) {
            (self.before, self.first, self.waits) = (None, Some(shown.to_owned()), false);
        }
    }
}

/// The same letters in another form, or as many of them as a server keeps.
fn is_form_of(shown: &str, declared: &str) -> bool {
    let cut = || letters(declared).starts_with(&letters(shown)) && shown.chars().count() >= SHORTEST_CUT;
    has_letters_of(shown, declared) || cut() || is_same_in_domain(shown, declared)
}

fn has_letters_of(shown: &str, declared: &str) -> bool {
    let shown = letters(shown);
    !shown.is_empty() && shown == letters(declared)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(declared: &str) -> NameSent {
        NameSent { sent: declared.to_owned(), taken: Some(Timestamp::UNIX_EPOCH), ..NameSent::default() }
    }

    #[test]
    fn i09_what_the_first_reading_shows_is_the_servers_form_and_no_later_one() {
        let mut name = sent("Admins EU");
        assert!(name.is_kept_as("Admins EU", "admins eu") && !name.is_kept_as("Admins EU", "Admin"));
        name.was_shown("Admins EU", true);
        for by_others in ["admins eu", "ADMINS EU", "Admin", "admins-eu"] {
            assert!(!name.is_kept_as("Admins EU", by_others), "{by_others}");
        }
        let mut own = sent("Admins EU");
        own.was_shown("admins eu", false);
        assert!(own.is_kept_as("Admins EU", "admins eu") && !own.is_kept_as("Admins EU", "Admins-EU"));
        let long = sent("Administrators of the north");
        assert!(long.is_kept_as("Administrators of the north", "Administrators of"));
        assert!(!NameSent { taken: None, ..sent("Team") }.is_kept_as("Team", "team"), "it was refused");
    }

    #[test]
    fn i33_a_name_as_before_may_be_older_than_the_request() {
        let mut name = NameSent { before: Some("team".into()), waits: true, ..sent("Crew") };
        name.was_shown("team", true);
        assert!(name.may_come("Crew", "team") && !name.may_come("Crew", "another"));
        name.was_shown("Crew", false);
        assert!(!name.may_come("Crew", "team"));
        // Found so, and declared in other letters.
        let mut found = NameSent { before: Some("team one".into()), waits: true, ..sent("Team One") };
        found.was_shown("team one", false);
        assert!(!found.is_kept_as("Team One", "team one"));
        found.was_shown("team one", true);
        assert!(found.is_kept_as("Team One", "team one") && !found.may_come("Team One", "team one"));
    }
}
