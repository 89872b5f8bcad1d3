//! Creations: what their answers show, and whether another may be sent (promise I7).

use jiff::{SignedDuration, Timestamp};

use super::domain::is_same_in_domain;
use crate::api::{LastOperation, OperationType};
use crate::scim::{Resource, fold};

/// Clocks of one service differ by less.
const SLACK: SignedDuration = SignedDuration::from_mins(10);

/// A time that was written in another zone than it says is off by less.
const ZONES: SignedDuration = SignedDuration::from_hours(15);

/// What is remembered of an object's creations; a restart forgets it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Creations {
    /// It was looked for by its name in this very pass.
    pub searched: bool,
    /// One was sent in this pass.
    pub sent: bool,
    /// One was sent before.
    pub earlier: bool,
    /// What those of the last hour made, by id.
    pub made: Vec<String>,
    /// What one was answered with that is neither certain to be the object's nor was known before, since its spec changed last.
    pub strange: Option<String>,
    /// What one of this pass was answered with, where that isn't certain to be new.
    pub answered: Option<Answered>,
    /// A deletion took effect in this pass.
    pub deleted: bool,
    /// Nothing but the answer to its creation ever showed the one that is bound.
    pub unseen: bool,
}

/// An account or a group that a creation was answered with, and that it isn't certain to have made.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// Its id.
    pub id: String,
    /// Why it was there before; none where that can't be told.
    pub existed: Option<&'static str>,
    /// It is the one that the object was bound to: the server brought it back.
    pub own: bool,
}

impl Creations {
    /// What was remembered, and what this pass came to know.
    #[must_use]
    pub fn remember(&self, earlier: bool, made: Vec<String>, strange: Option<String>) -> Self {
        Self { earlier, made, strange, ..self.clone() }
    }

    /// A creation of this pass was answered with it, and may not have made it.
    pub fn answered_with(&self, resource: &Resource) -> Option<&Answered> {
        self.answered.as_ref().filter(|answered| resource.id() == Some(&answered.id))
    }

    /// A creation was answered with it, and it was there before.
    pub fn existed(&self, resource: &Resource) -> bool {
        self.answered_with(resource).is_some_and(|answered| answered.existed.is_some())
    }

    /// A creation was answered with the one that the object was bound to (promise I8).
    pub(super) fn brought_back(&self, resource: &Resource) -> bool {
        self.answered_with(resource).is_some_and(|answered| answered.own)
    }

    /// The answer to the creation that was done last showed an id that nothing else ever did, and this has another one: it
    /// is what was made, if it is no older and no newer than that.
    pub(super) fn made_under_another_id(&self, last: Option<&LastOperation>, resource: &Resource) -> bool {
        let sent = last.filter(|last| last.type_ == OperationType::Create).map(|last| last.at.0);
        let times = sent.zip(resource.created()).filter(|_| self.unseen);
        times.is_some_and(|(sent, made)| made.duration_since(sent).abs() < SLACK)
    }

    /// One of this pass was answered, and `what` it made is not there: none is sent before that is looked for.
    pub(super) fn before_another(&self, what: &str) -> Option<String> {
        self.sent.then(|| {
            format!(
                "its creation was answered a moment ago, and the {what} is not there; it is looked for in a minute, before \
                 another is sent"
            )
        })
    }

    /// Why no further creation is sent for now; `what` it would make.
    pub(super) fn exhausted(&self, what: &str) -> Option<String> {
        if let Some(strange) = &self.strange {
            return Some(format!(
                "a creation was answered with {strange:?}, which has another name than the one that was sent, and the server \
                 shows no {what} of the name declared; no other is created before the spec changes. If that one is meant, bind \
                 it by the annotation scim-operator.dev/remote-id; else remove it at the server"
            ));
        }
        let [.., first, second] = self.made.as_slice() else { return None };
        Some(format!(
            "two creations took effect within an hour, and made {first:?} and {second:?}, and the server shows no {what} for \
             this object now; no other is sent before the hour is over; look for both at the server"
        ))
    }
}

/// The answer to a creation.
#[derive(Clone, Copy, Debug)]
pub struct CreationAnswer<'a> {
    /// What it shows.
    pub resource: &'a Resource,
    /// The name that was sent, and the one shown.
    pub names: (&'a str, Option<&'a str>),
    /// The e-mails that were sent.
    pub emails: &'a [&'a str],
    /// The externalId that was sent, where the server keeps it.
    pub external_id: Option<&'a str>,
    /// It was answered 201.
    pub created: bool,
    /// When it was answered, by the server's clock if that is known.
    pub at: Timestamp,
    /// The server showed it before the request was sent.
    pub known: bool,
    /// The server's listing was complete before the request was sent.
    pub listed: bool,
    /// Another object is bound to it.
    pub held: bool,
    /// All that the server shows was created at this time, by its own word: that tells nothing.
    pub undated: bool,
    /// This object was bound to it.
    pub own: bool,
}

/// Whether a creation made what it was answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It did.
    New,
    /// That can't be told.
    Untold,
    /// The object was bound to it, and it is back under its id.
    Own,
    /// It was there before, for this reason.
    Existed(&'static str),
}

/// What a creation was answered with has another name than the one that was sent.
pub const OTHER_NAME: &str = "it has another name";

impl CreationAnswer<'_> {
    /// There are servers that keep an e-mail as the name. One that was there has it, too: it must be certain that nothing was.
    fn is_named_by_email(&self, shown: &str) -> bool {
        let linked = self.external_id.is_some() && self.resource.external_id() == self.external_id;
        self.created && (self.listed || linked) && self.emails.iter().any(|email| is_same(email, shown))
    }

    /// There are servers that make a name of their own of the one that is sent, cut off or without some letters. One that was
    /// there is older, or is known; and it has what nobody else has.
    fn is_named_anew(&self, sent: &str, shown: &str) -> bool {
        let linked = self.external_id.is_some() && self.resource.external_id() == self.external_id;
        // All of its letters, or whoever else has that name is another one.
        let same = is_made_of(shown, sent) && (linked || is_made_of(sent, shown));
        self.created && same && (self.listed || self.is_fresh())
    }

    fn is_fresh(&self) -> bool {
        self.age().is_some_and(|age| age.abs() < SLACK)
    }

    fn age(&self) -> Option<SignedDuration> {
        let created = self.resource.created().filter(|_| !self.undated);
        created.map(|created| self.at.duration_since(created))
    }

    /// There are servers that put a domain before the name. One that was there would have been listed, or is known.
    fn is_named_in_domain(&self, sent: &str, shown: &str) -> bool {
        self.created && (self.listed || self.is_fresh()) && is_same_in_domain(sent, shown)
    }
}

fn is_same(one: &str, other: &str) -> bool {
    fold(one.trim()) == fold(other.trim())
}

/// Its letters and digits are some of the other's, in their order.
pub(super) fn is_made_of(shown: &str, sent: &str) -> bool {
    let (shown, sent) = (letters(shown), letters(sent));
    let mut rest = sent.chars();
    !shown.is_empty() && shown.chars().all(|letter| rest.any(|other| other == letter))
}

/// The letters and digits of a name, as names are compared.
pub(super) fn letters(text: &str) -> String {
    fold(text).chars().filter(|letter| letter.is_alphanumeric()).collect()
}

/// Nothing but another name tells that it isn't what was asked for.
fn is_another(answer: &CreationAnswer, sent: &str, shown: &str) -> bool {
    !is_same(shown, sent)
        && !answer.is_named_by_email(shown)
        && !answer.is_named_in_domain(sent, shown)
        && !answer.is_named_anew(sent, shown)
}

/// Whether the creation made what it was answered with.
pub fn origin(answer: &CreationAnswer) -> Origin {
    let (sent, shown) = answer.names;
    let resource = answer.resource;
    let age = answer.age();
    let of_another =
        answer.external_id.is_some() && resource.external_id().is_some_and(|id| Some(id) != answer.external_id);
    let linked = answer.external_id.is_some() && resource.external_id() == answer.external_id;
    let renamed = shown.is_some_and(|shown| is_another(answer, sent, shown));
    if answer.held {
        Origin::Existed("another object is bound to it")
    } else if answer.own && !of_another && (linked || !renamed) {
        Origin::Own
    } else if answer.known {
        Origin::Existed("the server showed it before")
    } else if renamed {
        Origin::Existed(OTHER_NAME)
    } else if of_another {
        Origin::Existed("it has another externalId")
    } else if age.is_some_and(|age| is_old(resource, age)) {
        Origin::Existed("it is older than the request")
    } else if answer.created || (answer.listed && shown.is_some() && age.is_some_and(|age| age.abs() < SLACK)) {
        Origin::New
    } else {
        Origin::Untold
    }
}

/// It was made before the object was: no creation that was sent for that made it.
pub(super) fn precedes(resource: &Resource, object: Option<Timestamp>) -> bool {
    let age = object.zip(resource.created()).map(|(object, created)| object.duration_since(created));
    age.is_some_and(|age| is_old(resource, age))
}

/// Whether it was made before the object can be told.
pub(super) fn is_dated(resource: &Resource, object: Option<Timestamp>) -> bool {
    object.is_some() && resource.created().is_some()
}

/// What was never changed since may only say its time in another zone.
fn is_old(resource: &Resource, age: SignedDuration) -> bool {
    let untouched = resource.created().zip(resource.last_modified());
    let untouched = untouched.is_some_and(|(created, modified)| modified.duration_since(created).abs() < SLACK);
    age > if untouched { ZONES } else { SLACK }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn judge(account: &Value, change: impl FnOnce(&mut CreationAnswer)) -> Origin {
        let resource = Resource(account.as_object().cloned().unwrap_or_default());
        let mut answer = CreationAnswer {
            resource: &resource,
            names: ("ada@example.com", resource.user_name()),
            emails: &[],
            external_id: Some("e-1"),
            created: true,
            at: "2026-11-28T12:00:00Z".parse().expect("a time"),
            known: false,
            listed: true,
            held: false,
            undated: false,
            own: false,
        };
        change(&mut answer);
        origin(&answer)
    }

    const BY_EMAIL: &[&str] = &["ada.lovelace@example.com"];

    #[test]
    fn i07_the_answer_to_a_creation_is_judged() {
        let fresh = json!({"created": "2026-11-28T11:59:58Z"});
        let plain = json!({"id": "7", "userName": "Ada@Example.com", "externalId": "e-1"});
        let with = |name: &str, value: Value| {
            let mut account = plain.clone();
            account[name] = value;
            account
        };
        let existed = |origin| matches!(origin, Origin::Existed(_));
        assert_eq!(judge(&plain, |_| {}), Origin::New);
        assert_eq!(judge(&json!({"id": "7"}), |_| {}), Origin::New);
        assert!(existed(judge(&plain, |answer| answer.held = true)));
        assert!(existed(judge(&plain, |answer| answer.known = true)));
        // Its own, whatever its age and its name by now; unless it is another's.
        let own = |account: &Value| judge(account, |answer| (answer.own, answer.known) = (true, true));
        assert_eq!(own(&with("userName", json!("ada.lovelace"))), Origin::Own);
        assert!(existed(own(&with("externalId", json!("e-2")))));
        assert!(existed(own(&json!({"id": "7", "userName": "ada.lovelace"}))), "its id may be somebody else's by now");
        assert!(existed(judge(&plain, |answer| (answer.own, answer.held) = (true, true))));
        assert!(existed(judge(&with("userName", json!("ada.lovelace")), |_| {})));
        assert!(existed(judge(&with("externalId", json!("e-2")), |_| {})));
        // A name that the server made of the one that was sent.
        for shown in ["ada", "ada@example", "ada.example.com"] {
            let cut = with("userName", json!(shown));
            assert_eq!(judge(&cut, |_| {}), Origin::New, "{shown}");
            assert!(existed(judge(&cut, |answer| answer.listed = false)), "it may have been there");
            assert!(existed(judge(&cut, |answer| answer.created = false)), "it may have been there");
            let untold = shown != "ada.example.com";
            assert_eq!(existed(judge(&cut, |answer| answer.external_id = None)), untold, "anybody may have that name");
        }
        let stored = with("userName", json!("STORE/ada@example.com"));
        assert_eq!(judge(&stored, |_| {}), Origin::New);
        assert!(existed(judge(&stored, |answer| answer.listed = false)), "it may have been there");
        let mut dated = stored.clone();
        dated["meta"] = fresh.clone();
        assert_eq!(judge(&dated, |answer| answer.listed = false), Origin::New);
        assert!(existed(judge(&stored, |answer| answer.created = false)), "it may have been there");
        let named = json!({"id": "7", "userName": "Ada.Lovelace@example.com"});
        let judged = |created, listed| {
            judge(&named, |answer| {
                (answer.created, answer.listed) = (created, listed);
                answer.emails = BY_EMAIL;
            })
        };
        assert_eq!(judged(true, true), Origin::New);
        assert!(existed(judged(false, true)) && existed(judged(true, false)), "it may have been there");
        assert_eq!(judge(&with("externalId", json!("e-2")), |answer| answer.external_id = None), Origin::New);
        // 200 is new only where everything speaks for it.
        assert_eq!(judge(&plain, |answer| answer.created = false), Origin::Untold);
        assert_eq!(judge(&with("meta", fresh.clone()), |answer| answer.created = false), Origin::New);
        let unlisted = judge(&with("meta", fresh), |answer| (answer.created, answer.listed) = (false, false));
        assert_eq!(unlisted, Origin::Untold);
    }

    #[test]
    fn i07_an_account_older_than_the_request_was_there() {
        let made = |created: &str, modified: Option<&str>| {
            let meta = json!({"created": created, "lastModified": modified});
            judge(&json!({"id": "7", "userName": "ada@example.com", "meta": meta}), |_| {})
        };
        let old = Origin::Existed("it is older than the request");
        assert_eq!(made("2020-01-01T00:00:00Z", Some("2020-01-01T00:00:00Z")), old);
        assert_eq!(made("2026-11-28T11:00:00Z", None), old);
        assert_eq!(made("2026-11-28T11:00:00Z", Some("2026-11-28T12:00:00Z")), old);
        assert_eq!(made("2026-11-28T11:55:00Z", None), Origin::New, "clocks differ");
        assert_eq!(made("2026-11-28T05:00:00", Some("2026-11-28T05:00:00")), Origin::New, "another zone");
        assert_eq!(made("yesterday", None), Origin::New);
        let meta = json!({"created": "2020-01-01T00:00:00Z"});
        let account = json!({"id": "7", "userName": "ada@example.com", "meta": meta});
        assert_eq!(judge(&account, |answer| answer.undated = true), Origin::New, "everybody has that one");
        let judged = judge(&account, |answer| (answer.undated, answer.created) = (true, false));
        assert_eq!(judged, Origin::Untold, "and it makes nothing new either");
        assert!(matches!(judge(&account, |answer| (answer.undated, answer.known) = (true, true)), Origin::Existed(_)));
    }
}
