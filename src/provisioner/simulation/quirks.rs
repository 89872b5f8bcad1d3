//! What a history's server does in its own way (promise I33): drawn at random, each by itself and together.

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::site::{Answer, Site, name_of};
use crate::plan::Request;
use crate::scim::{Attributes, fold};

/// What comes of a search by a filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filters {
    #[default]
    Heeded,
    /// 400.
    Refused,
    /// 200 with nobody.
    Blind,
    /// 200 with nobody where the value isn't plain.
    Plain,
    /// 200 with everybody.
    Ignored,
}

/// How a resource is changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Methods {
    #[default]
    Both,
    /// 405 to PATCH.
    NoPatch,
    /// 404 to PATCH, as frameworks answer that have no such route.
    NoRoute,
}

/// How a creation of somebody who is there is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Doubles {
    /// 409.
    #[default]
    Refused,
    /// 200 with them.
    Shown,
    /// 201 with them, as if they had been made.
    PassedForNew,
}

/// What it does in its own way.
#[derive(Clone, Debug, Default)]
pub struct Quirks {
    /// Ids are JSON numbers, and text is none.
    pub numbers: bool,
    pub filters: Filters,
    pub users: Methods,
    pub groups: Methods,
    pub doubles: Doubles,
    /// No two accounts have the same e-mail.
    pub unique_emails: bool,
    /// Errors don't have SCIM's form.
    pub bare_errors: bool,
    /// A PATCH of several attributes is refused.
    pub one_at_a_time: bool,
    /// A title that is refused.
    pub refuses: Option<&'static str>,
    /// Titles are kept in capitals.
    pub shouts: bool,
    /// An attribute that is taken and never kept.
    pub drops: Option<&'static str>,
    /// Whoever is made stays inactive until they accept an invitation.
    pub invites: bool,
    /// Nobody is listed without a filter.
    pub no_list: bool,
    /// More members in one request are refused.
    pub most_members: Option<usize>,
}

impl Quirks {
    /// What is shown for a declared title.
    pub fn title(&self, declared: &str) -> String {
        if self.shouts { declared.to_uppercase() } else { declared.to_owned() }
    }
}

/// Any of them.
pub fn quirks() -> impl Strategy<Value = Quirks> {
    let filters = prop_oneof![
        16 => Just(Filters::Heeded),
        2 => Just(Filters::Refused),
        1 => Just(Filters::Blind),
        1 => Just(Filters::Ignored),
    ];
    let methods = || {
        prop_oneof![
            10 => Just(Methods::Both),
            1 => Just(Methods::NoPatch),
            1 => Just(Methods::NoRoute),
        ]
    };
    let doubles = prop_oneof![
        16 => Just(Doubles::Refused),
        2 => Just(Doubles::Shown),
        1 => Just(Doubles::PassedForNew),
    ];
    let rare = || prop::bool::weighted(0.08);
    let flags = (rare(), rare(), any::<bool>(), rare(), rare(), rare(), prop::bool::weighted(0.04));
    let refuses = option::weighted(0.08, select(vec!["x", "y"]));
    let drops = option::weighted(0.1, select(vec!["title", "emails", "externalId"]));
    let most = option::weighted(0.08, 1..3_usize);
    (filters, (methods(), methods()), doubles, flags, refuses, drops, most).prop_map(
        |(filters, (users, groups), doubles, flags, refuses, drops, most)| {
            let (numbers, unique_emails, bare_errors, one_at_a_time, shouts, invites, no_list) = flags;
            Quirks {
                numbers,
                // Whom it neither lists nor looks for nobody can find there.
                filters: if no_list { Filters::Heeded } else { filters },
                users,
                groups,
                doubles,
                unique_emails,
                bare_errors,
                one_at_a_time,
                refuses,
                shouts,
                drops,
                invites,
                no_list,
                // A group that is replaced whole is sent whole.
                most_members: most.filter(|_| groups == Methods::Both),
            }
        },
    )
}

impl Site {
    /// What speaks against a request before anything is done, if anything does.
    pub(super) fn refusal(&self, request: &Request) -> Option<Answer> {
        let several = matches!(request, Request::Patch { operations, .. } if operations.len() > 1);
        match (request, self.quirks.users) {
            (Request::Patch { .. }, Methods::NoPatch) => Some(Answer::Unsupported),
            (Request::Patch { .. }, Methods::NoRoute) => Some(Answer::NoRoute),
            _ if several && self.quirks.one_at_a_time => Some(Answer::Rejected),
            (Request::Create(body), _) => self.refuses_value(body).then_some(Answer::Rejected),
            _ => None,
        }
    }

    /// The same of a group.
    pub(super) fn group_refusal(&self, request: &Request) -> Option<Answer> {
        match (request, self.quirks.groups) {
            (Request::Patch { .. }, Methods::NoPatch) => Some(Answer::Unsupported),
            (Request::Patch { .. }, Methods::NoRoute) => Some(Answer::NoRoute),
            (Request::Patch { operations, .. }, _) if operations.len() > 1 && self.quirks.one_at_a_time => {
                Some(Answer::Rejected)
            }
            _ => None,
        }
    }

    /// Whoever is there already, for a creation that would make them twice.
    pub(super) fn double(&self, body: &Attributes) -> Option<String> {
        let same = |account: &Attributes| {
            (self.unique && name_of(account) == name_of(body))
                || self.quirks.unique_emails && shares_email(account, body)
        };
        self.server.accounts.iter().find(|(_, account)| same(account)).map(|(id, _)| id.clone())
    }

    /// The account can't be as it is now: somebody else has its name, or its e-mail, or a value of it is refused.
    pub(super) fn objection(&self, id: &str) -> Option<Answer> {
        let account = self.server.accounts.get(id)?;
        if self.refuses_value(account) {
            return Some(Answer::Rejected);
        }
        let others = || self.server.accounts.iter().filter(|(other, _)| *other != id).map(|(_, other)| other);
        let named = self.unique && others().any(|other| name_of(other) == name_of(account));
        let mailed = self.quirks.unique_emails && others().any(|other| shares_email(other, account));
        (named || mailed).then_some(Answer::Conflict)
    }

    fn refuses_value(&self, account: &Attributes) -> bool {
        let title = account.get("title").and_then(Value::as_str);
        title.is_some() && title.map(fold) == self.quirks.refuses.map(fold)
    }

    /// An account is kept in the server's own way.
    pub(super) fn keep(&mut self, id: &str, made: bool) {
        if made && self.quirks.invites {
            self.invited.insert(id.to_owned());
        }
        let Some(account) = self.server.accounts.get_mut(id) else { return };
        if self.invited.contains(id) {
            account.insert("active".into(), json!(false));
        }
        if let Some(title) = account.get("title").and_then(Value::as_str).map(|title| self.quirks.title(title)) {
            account.insert("title".into(), json!(title));
        }
    }

    /// Whoever was invited accepts: they are active from now on.
    pub fn accept(&mut self, id: &str) {
        if self.invited.remove(id) {
            self.meddle(id, |account| {
                account.insert("active".into(), json!(true));
            });
        }
    }
}

/// Both have one e-mail.
fn shares_email(one: &Attributes, other: &Attributes) -> bool {
    emails(one).any(|email| emails(other).any(|known| known == email))
}

fn emails(account: &Attributes) -> impl Iterator<Item = String> {
    let entries = account.get("emails").and_then(Value::as_array).into_iter().flatten();
    entries.filter_map(|entry| entry.get("value")?.as_str()).map(fold)
}
