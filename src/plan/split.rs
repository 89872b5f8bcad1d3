//! A refused request of several parts: which of them is at fault, found in a number of requests that grows with the
//! logarithm of the parts. A part is an attribute, or a member of a group.

use std::collections::{BTreeMap, BTreeSet};

/// So many refusals are met in a pass; what isn't found by then is looked for by the next.
const MOST_REFUSALS: usize = 24;

/// So many parts are refused one after the other before the fault is looked for elsewhere.
const MOST_ALONE: usize = 5;

/// So many creations are tried with less.
const MOST_CREATIONS: usize = 6;

/// `active` is known to be refused in company.
pub const ACTIVE: &str = "active";

/// Sub-attributes that say nothing of which attribute is meant.
const GENERAL: [&str; 5] = ["value", "name", "type", "primary", "display"];

/// What nearly every server wants of a person, tried before a creation goes without.
const OFTEN_REQUIRED: [&str; 4] = ["name", "displayName", "emails", "active"];

/// How a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// For what it says.
    Content,
    /// For there being so much of it.
    TooMany,
    /// By an error that may have nothing to do with it.
    Trouble,
}

/// What the refusals of one pass taught of the parts of its requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Parts that were refused together, the fewest last: one of them is at fault, or they are too many.
    suspects: Vec<BTreeSet<String>>,
    /// Parts that were refused by themselves, and the server's words.
    refused: BTreeMap<String, String>,
    /// So many go together; none where nobody knows.
    most: Option<usize>,
    /// The most that were taken of those that were refused together.
    fitted: usize,
    /// `active` was refused in company, and taken alone.
    active_alone: bool,
    /// Refusals met.
    refusals: usize,
    /// A request was taken since the first refusal.
    taken: bool,
    /// One of them was no refusal, but the server's trouble.
    troubled: bool,
    /// What creations went without.
    tried: Vec<BTreeSet<String>>,
}

impl Split {
    /// No request was refused yet.
    pub fn is_idle(&self) -> bool {
        self.refusals == 0
    }

    /// Refusals met.
    pub fn refusals(&self) -> usize {
        self.refusals
    }

    /// A request was taken since the first refusal.
    pub fn has_taken(&self) -> bool {
        self.taken
    }

    /// Of what is owed, what goes next: nothing of what was refused by itself, and of those refused together a half; no more
    /// than `most`.
    pub fn next(&self, owed: impl IntoIterator<Item = String>, most: usize) -> BTreeSet<String> {
        let rest: BTreeSet<String> = owed.into_iter().filter(|part| !self.refused.contains_key(part)).collect();
        let suspects = self.suspects.iter().rev().map(|set| set.intersection(&rest).collect::<Vec<_>>());
        match suspects.into_iter().find(|set| !set.is_empty()) {
            Some(set) if set.iter().any(|part| *part == ACTIVE) => BTreeSet::from([ACTIVE.to_owned()]),
            Some(set) => {
                let half = set.len().div_ceil(2).min(most);
                set.into_iter().take(half).cloned().collect()
            }
            None => rest.into_iter().take(self.most.unwrap_or(most).min(most)).collect(),
        }
    }

    /// These were refused; false where nothing more is tried in this pass.
    pub fn refuse(&mut self, sent: &BTreeSet<String>, words: &str, how: Refusal) -> bool {
        self.refusals += 1;
        self.troubled |= how == Refusal::Trouble;
        let mut parts = sent.iter();
        match (parts.next(), parts.next()) {
            (None, _) => return false,
            // The server itself may be ill, unless it took others meanwhile.
            (Some(_), None) if how == Refusal::Trouble && !self.taken => return false,
            (Some(part), None) => {
                self.refused.insert(part.clone(), words.to_owned());
                // Whatever was refused with it is tried again without it.
                self.suspects.retain(|set| !set.contains(part));
            }
            _ if how == Refusal::TooMany => self.most = Some(self.most.unwrap_or(usize::MAX).min(sent.len() / 2)),
            _ => self.suspects.push(sent.clone()),
        }
        // Where one after the other is refused and none is taken, it isn't about any of them.
        let hopeless = self.refused.len() > MOST_ALONE && !self.taken;
        self.refusals < MOST_REFUSALS && !hopeless
    }

    /// These were taken.
    pub fn take(&mut self, sent: &BTreeSet<String>) {
        if self.is_idle() {
            return;
        }
        self.taken = true;
        if sent.len() == 1 && sent.contains(ACTIVE) && self.suspects.iter().any(|set| set.contains(ACTIVE)) {
            self.active_alone = true;
            self.suspects.retain(|set| !set.contains(ACTIVE));
            return;
        }
        if self.suspects.iter().any(|set| !set.is_disjoint(sent)) {
            self.fitted = self.fitted.max(sent.len());
        }
        for set in &mut self.suspects {
            set.retain(|part| !sent.contains(part));
        }
        // Each of them was taken, in smaller company.
        if self.suspects.iter().any(BTreeSet::is_empty) {
            self.most = Some(self.most.unwrap_or(usize::MAX).min(self.fitted.max(1)));
            self.suspects.clear();
        }
    }

    /// Why this part was refused by itself.
    pub fn refusal(&self, part: &str) -> Option<&str> {
        self.refused.get(part).map(String::as_str)
    }

    /// So many parts fit into a request, where more were refused and none was at fault.
    pub fn fits(&self) -> Option<usize> {
        let certain = self.suspects.is_empty() && self.refused.is_empty() && self.taken && !self.troubled;
        self.most.filter(|_| certain)
    }

    /// `active` goes by itself where it was refused in company.
    pub fn active_goes_alone(&self) -> bool {
        self.active_alone
    }

    /// A creation was refused. True where it is tried with less: without what the words name, else without more and more of
    /// what is no name (promise I7: what was refused made nothing). `by_words`: without what the words name alone.
    pub fn omit(&mut self, optional: &BTreeSet<String>, words: Option<&str>, by_words: bool) -> bool {
        self.refusals += 1;
        if self.tried.len() >= MOST_CREATIONS {
            return false;
        }
        let before = self.tried.last().cloned().unwrap_or_default();
        let told = |part: &&String| words.is_some_and(|words| is_named(words, part));
        let named: BTreeSet<String> = optional.iter().filter(told).cloned().chain(before).collect();
        let of = |wanted: &dyn Fn(&str) -> bool| -> BTreeSet<String> {
            optional.iter().filter(|part| wanted(stem(part))).cloned().collect()
        };
        let mut ways = vec![named];
        if !by_words {
            ways.push(of(&|stem| !OFTEN_REQUIRED.contains(&stem)));
            ways.push(of(&|stem| !OFTEN_REQUIRED.contains(&stem) || stem == "emails"));
            ways.push(of(&|stem| stem == "emails" || stem.starts_with("phone")));
            ways.push(optional.clone());
        }
        let new = |way: &BTreeSet<String>| !way.is_empty() && !self.tried.contains(way);
        let Some(next) = ways.into_iter().find(new) else { return false };
        self.tried.push(next);
        true
    }

    /// What a creation goes without now.
    pub fn omitted(&self) -> Option<&BTreeSet<String>> {
        self.tried.last()
    }
}

/// The attribute that a part belongs to, without its URN, its filter and its sub-attribute.
fn stem(part: &str) -> &str {
    let name = part.split('[').next().unwrap_or(part);
    let name = if name.starts_with("urn:") { name.rsplit(':').next().unwrap_or(name) } else { name };
    name.split('.').next().unwrap_or(name)
}

/// Whether a server's words name the attribute. They only tell what is tried first: each part is judged by itself later.
pub fn is_named(words: &str, part: &str) -> bool {
    let words = words.to_lowercase().replace("e-mail", "email");
    let sub = part.rsplit(['.', ':']).next().filter(|sub| !sub.contains(['[', '"']) && !GENERAL.contains(sub));
    let stem = Some(stem(part)).filter(|stem| !GENERAL.contains(stem));
    let spoken = |name: &str| match name {
        "phoneNumbers" => vec!["phonenumbers".to_owned(), "phonenumber".to_owned(), "phone".to_owned()],
        name => {
            let name = name.to_lowercase();
            vec![name.trim_end_matches('s').to_owned(), name]
        }
    };
    let mut forms = stem.into_iter().chain(sub).flat_map(spoken);
    forms.any(|form| words.split(|c: char| !c.is_alphanumeric()).any(|word| word == form))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(parts: &[&str]) -> BTreeSet<String> {
        parts.iter().map(|part| (*part).to_owned()).collect()
    }

    /// Sends what is owed to a server that says whether it takes it; returns the sizes of the requests.
    fn send(
        split: &mut Split,
        all: &BTreeSet<String>,
        takes: impl Fn(&BTreeSet<String>) -> Result<(), Refusal>,
    ) -> usize {
        let (mut owed, mut requests) = (all.clone(), 0);
        loop {
            let next = split.next(owed.iter().cloned(), usize::MAX);
            if next.is_empty() {
                return requests;
            }
            requests += 1;
            match takes(&next) {
                Ok(()) => {
                    split.take(&next);
                    owed.retain(|part| !next.contains(part));
                }
                Err(how) => {
                    if !split.refuse(&next, "no", how) {
                        return requests;
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn i33_whatever_is_at_fault_is_found_and_everything_else_is_sent(
            count in 1_usize..60, faults in proptest::collection::btree_set(0_usize..60, 0..3),
        ) {
            let all: BTreeSet<String> = (0..count).map(|number| format!("{number:03}")).collect();
            let bad: BTreeSet<String> = faults.iter().map(|number| format!("{number:03}")).filter(|bad| all.contains(bad)).collect();
            let mut split = Split::default();
            let requests = send(&mut split, &all, |sent| if sent.is_disjoint(&bad) { Ok(()) } else { Err(Refusal::Content) });
            prop_assert_eq!(&split.refused.keys().cloned().collect::<BTreeSet<_>>(), &bad);
            let depth = count.next_power_of_two().ilog2() as usize;
            prop_assert!(requests <= 1 + bad.len() * (2 * depth + 2), "{requests} requests for {count} parts");
            prop_assert!(split.fits().is_none());
        }

        #[test]
        fn i33_what_is_too_much_at_once_goes_in_parts(count in 1_usize..40, most in 1_usize..12, says in any::<bool>()) {
            let all: BTreeSet<String> = (0..count).map(|number| format!("{number:03}")).collect();
            let mut split = Split::default();
            let requests = send(&mut split, &all, |sent| if sent.len() <= most { Ok(()) } else { Err(if says { Refusal::TooMany } else { Refusal::Content }) });
            prop_assert!(split.refused.is_empty());
            let fits = split.fits();
            prop_assert_eq!(fits.is_some(), count > most);
            prop_assert!(fits.is_none_or(|fits| fits <= most && fits * 4 >= most), "{fits:?} of {most}");
            prop_assert!(requests <= 8 + 5 * count / most, "{requests} requests for {count} parts, {most} at once");
        }
    }

    #[test]
    fn i17_active_goes_first_and_alone_where_it_is_refused_in_company() {
        let mut split = Split::default();
        let all = set(&["active", "nickName", "title"]);
        assert_eq!(split.next(all.iter().cloned(), 9), all);
        assert!(split.refuse(&all, "active can't be changed with others", Refusal::Content));
        assert_eq!(split.next(all.iter().cloned(), 9), set(&["active"]));
        split.take(&set(&["active"]));
        assert_eq!(split.next(set(&["nickName", "title"]), 9), set(&["nickName", "title"]));
        assert!(split.active_goes_alone() && split.fits().is_none());
        // Refused by itself, it keeps nothing else.
        let mut split = Split::default();
        assert!(split.refuse(&all, "no", Refusal::Content) && split.refuse(&set(&["active"]), "no", Refusal::Content));
        assert_eq!(split.next(all, 9), set(&["nickName", "title"]));
        assert_eq!(split.refusal("active"), Some("no"));
    }

    #[test]
    fn i33_trouble_of_the_server_is_nobodys_fault() {
        let (all, one) = (set(&["a", "b"]), set(&["a"]));
        let mut split = Split::default();
        assert!(split.refuse(&all, "500", Refusal::Trouble));
        assert!(!split.refuse(&one, "500", Refusal::Trouble), "it may be ill");
        assert_eq!(split.refusal("a"), None);
        split.take(&set(&["b"]));
        assert!(split.refuse(&one, "500", Refusal::Trouble), "it took another");
        assert_eq!((split.refusal("a"), split.fits()), (Some("500"), None));
        // Where none is taken by itself, it is about something else.
        let mut split = Split::default();
        let alone: Vec<bool> = (0..6).map(|n| split.refuse(&set(&[&n.to_string()]), "no", Refusal::Content)).collect();
        assert_eq!(alone, [true, true, true, true, true, false]);
    }

    #[test]
    fn i07_a_creation_goes_without_what_the_words_name_and_then_without_more() {
        let phone = "phoneNumbers[type eq \"work\"]";
        let manager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value";
        let optional = set(&["emails[type eq \"work\"]", "name.givenName", phone, "title", manager]);
        let mut split = Split::default();
        assert!(split.omit(&optional, Some("The phone number is invalid"), false));
        assert_eq!(split.omitted(), Some(&set(&[phone])));
        assert!(split.omit(&optional, Some("manager: no such user"), false));
        assert_eq!(split.omitted(), Some(&set(&[phone, manager])));
        assert!(split.omit(&optional, None, false));
        assert_eq!(split.omitted(), Some(&set(&[phone, manager, "title"])));
        assert!(split.omit(&optional, None, false) && split.omit(&optional, None, false));
        assert!(split.omit(&optional, None, false));
        assert_eq!(split.omitted(), Some(&optional));
        assert!(!split.omit(&optional, None, false), "and no more");

        let mut split = Split::default();
        assert!(!split.omit(&optional, Some("userName is taken"), true));
        assert!(split.omit(&optional, Some("this e-mail is in use"), true));
        assert_eq!(split.omitted(), Some(&set(&["emails[type eq \"work\"]"])));
        assert!(!split.omit(&optional, Some("this e-mail is in use"), true));
    }

    #[test]
    fn words_name_an_attribute_in_whatever_form() {
        for (words, part) in [
            ("phoneNumbers: not valid", "phoneNumbers[type eq \"mobile\"]"),
            ("Manager does not exist", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value"),
            ("E-mail already in use", "emails[type eq \"work\"]"),
            ("givenName too long", "name.givenName"),
        ] {
            assert!(is_named(words, part), "{words}");
        }
        for (words, part) in [("the value is wrong", "urn:x:User:manager.value"), ("user name", "name.givenName")] {
            assert!(!is_named(words, part), "{words}");
        }
    }
}
