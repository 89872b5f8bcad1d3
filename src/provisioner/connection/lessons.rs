//! What the operator found out of the server's dialect by itself (promise I33): kept in the connection's status, so that a
//! restart knows it, and forgotten when the connection leads elsewhere or prescribes another dialect.

mod unlearnt;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::runtime::events::EventType;
use sha2::{Digest, Sha256};

use super::defaults::{overrides, server_of};
use super::dialect::profile_of;
use super::session::Session;
use crate::api::{EffectiveStatus, LearnedField, ScimConnection, Uid, hex};
use crate::plan::{Account, Request};
use crate::provisioner::connection::state::PendingEvent;
use crate::provisioner::effects::Effects;
use crate::provisioner::engine::{Kind, Pass};
use crate::provisioner::{Provisioner, lock};
use crate::scim::{Class, Error, Kind as Collection, Lesson, Overrides, Profile, WriteMethod};
use crate::status::whole_seconds;

/// What was learnt, and since when it is known.
#[derive(Debug, Default)]
pub struct Lessons {
    /// What it was learnt of.
    of: String,
    learnt: BTreeMap<Lesson, Timestamp>,
    /// What was learnt and turned out to be no better; not recorded.
    refuted: BTreeSet<Lesson>,
    /// Objects that speak for what isn't learnt yet; not recorded.
    support: BTreeMap<Lesson, BTreeSet<Uid>>,
}

/// What one account shows may be its own: so many must show the same.
const SEVERAL: usize = 3;

/// So many letters sum up what was learnt.
const SUMMARY: usize = 1000;

/// So much is learnt of single attributes at most.
const MOST_ATTRIBUTES: usize = 32;

impl Lessons {
    /// What an earlier process recorded.
    pub fn recorded(effective: Option<&EffectiveStatus>) -> Self {
        let Some(effective) = effective else { return Self::default() };
        let read = |field: &LearnedField| Some((Lesson::read(&field.field, &field.value)?, field.since.0));
        Self {
            of: effective.learned_from.clone().unwrap_or_default(),
            learnt: effective.learned.iter().flatten().filter_map(read).collect(),
            ..Self::default()
        }
    }

    /// Whatever was learnt of another server, or under another dialect, is forgotten.
    pub fn lead_to(&mut self, of: String) {
        if self.of != of {
            *self = Self { of, ..Self::default() };
        }
    }

    /// The profile with everything that is known and that nobody has set otherwise.
    pub fn teach(&self, profile: &Profile, overrides: Overrides) -> Profile {
        let mut profile = profile.clone();
        self.learnt.keys().filter(|lesson| lesson.is_open(overrides)).for_each(|lesson| lesson.teach(&mut profile));
        profile
    }

    /// Takes in a lesson; false where it is no news. One that contradicts an earlier one refutes both: the dialect doesn't
    /// go to and fro.
    pub fn add(&mut self, lesson: Lesson, now: Timestamp) -> bool {
        if self.learnt.contains_key(&lesson) || self.refuted.contains(&lesson) {
            return false;
        }
        let contradicted = self.learnt.keys().find(|known| known.contradicts(&lesson)).cloned();
        if let Some(known) = contradicted {
            self.learnt.remove(&known);
            self.refuted.extend([known, lesson]);
            return false;
        }
        let attributes = self.learnt.keys().filter(|known| known.is_of_an_attribute()).count();
        if lesson.is_of_an_attribute() && attributes >= MOST_ATTRIBUTES {
            return false;
        }
        self.learnt.retain(|known, _| !known.is_outdone_by(&lesson));
        self.learnt.insert(lesson, now);
        true
    }

    /// An object's account speaks for a lesson; true where several do.
    pub fn support(&mut self, lesson: &Lesson, uid: &Uid) -> bool {
        if self.learnt.contains_key(lesson) || self.refuted.contains(lesson) {
            return false;
        }
        if !self.support.contains_key(lesson) && self.support.len() >= 2 * MOST_ATTRIBUTES {
            return false;
        }
        let known = self.support.entry(lesson.clone()).or_default();
        known.insert(uid.clone());
        known.len() >= SEVERAL
    }

    /// An account speaks against it: it is neither known nor learnt again. True where it was known.
    pub fn refute(&mut self, lesson: &Lesson) -> bool {
        self.support.remove(lesson);
        if self.refuted.len() < 4 * MOST_ATTRIBUTES {
            self.refuted.insert(lesson.clone());
        }
        self.learnt.remove(lesson).is_some()
    }

    /// As status shows it.
    pub fn record(&self, effective: &mut EffectiveStatus) {
        let field = |(lesson, since): (&Lesson, &Timestamp)| LearnedField {
            field: lesson.field().to_owned(),
            value: lesson.value(),
            because: lesson.because(),
            since: Time(whole_seconds(*since)),
        };
        let learnt: Vec<LearnedField> = self.learnt.iter().map(field).collect();
        let told: Vec<String> = learnt.iter().map(|field| format!("{}={}", field.field, field.value)).collect();
        effective.learned_summary = (!told.is_empty()).then(|| told.join(", ").chars().take(SUMMARY).collect());
        effective.learned_from = (!learnt.is_empty()).then(|| self.of.clone());
        effective.learned = (!learnt.is_empty()).then_some(learnt);
    }
}

/// What was learnt, for all tasks that find it out.
#[derive(Debug)]
pub struct LearntLessons(Mutex<Lessons>);

impl LearntLessons {
    /// What an earlier process recorded.
    pub fn recorded(effective: Option<&EffectiveStatus>) -> Self {
        Self(Mutex::new(Lessons::recorded(effective)))
    }

    /// The profile of a connection, with what is known of its server; what was learnt of another one is forgotten.
    fn teach(&self, connection: &ScimConnection) -> Profile {
        let mut lessons = lock(&self.0);
        lessons.lead_to(subject_of(connection));
        lessons.teach(&profile_of(&connection.spec), overrides(&connection.spec))
    }

    fn add(&self, lesson: Lesson, now: Timestamp) -> bool {
        lock(&self.0).add(lesson, now)
    }

    fn has(&self, lesson: &Lesson) -> bool {
        lock(&self.0).learnt.contains_key(lesson)
    }

    fn refute(&self, lesson: &Lesson) -> bool {
        lock(&self.0).refute(lesson)
    }

    /// As status shows it.
    pub(super) fn record(&self, effective: &mut EffectiveStatus) {
        lock(&self.0).record(effective);
    }
}

/// The profile of a connection with what its status records of its server.
pub fn recorded_profile(connection: &ScimConnection) -> Profile {
    let effective = connection.status.as_ref().and_then(|status| status.effective.as_ref());
    LearntLessons::recorded(effective).teach(connection)
}

/// Names what lessons are learnt of: the server, and the dialect that the connection prescribes for it.
pub fn subject_of(connection: &ScimConnection) -> String {
    let mut hash = Sha256::new();
    hash.update(server_of(connection));
    hash.update(format!("{:?}", connection.spec.provider));
    hash.update(serde_json::to_vec(&connection.spec.dialect).unwrap_or_default());
    hex(&hash.finalize()[..8])
}

/// The method that is left where a change was refused for its method. `exists`: the resource was read by its id since.
///
/// A 404 is about the route only where the resource is there and the answer isn't SCIM's: else it may be about whatever the
/// request refers to.
pub fn other_method(request: &Request, error: &Error, method: WriteMethod, exists: bool) -> Option<WriteMethod> {
    let no_route = error.class() == Class::NotFound && exists && error.may_be_of_a_route();
    let no_method = error.class() == Class::Unsupported || no_route;
    match (request, method) {
        (Request::Patch { .. }, WriteMethod::Patch) if no_method => Some(WriteMethod::Put),
        (Request::Put { .. }, WriteMethod::Put) if no_method => Some(WriteMethod::Patch),
        _ => None,
    }
}

/// The method by which the profile has a collection changed.
fn method_of(profile: &Profile, collection: Collection) -> WriteMethod {
    match collection {
        Collection::Users => profile.write_users,
        Collection::Groups => profile.write_groups,
    }
}

impl<E: Effects> Provisioner<E> {
    /// The profile of a connection, with what is known of its server.
    pub(in crate::provisioner) fn known_profile(&self, connection: &ScimConnection) -> Profile {
        self.connection.lessons.teach(connection)
    }

    /// The profile with what was learnt.
    pub(in crate::provisioner) fn with_lessons(&self, profile: &Profile, connection: &ScimConnection) -> Profile {
        lock(&self.connection.lessons.0).teach(profile, overrides(&connection.spec))
    }

    /// Takes in what is new of these lessons, and tells of it once.
    pub(in crate::provisioner) fn take_in(
        &self,
        connection: &ScimConnection,
        profile: &mut Profile,
        lessons: impl IntoIterator<Item = Lesson>,
    ) -> bool {
        let (set, now) = (overrides(&connection.spec), self.effects.now());
        let mut told = Vec::new();
        for lesson in lessons {
            if lesson.is_open(set) && !lesson.is_known(profile) && self.connection.lessons.add(lesson.clone(), now) {
                lesson.teach(profile);
                told.push(lesson.because());
            }
        }
        if told.is_empty() {
            return false;
        }
        let note = format!("{}; see status.effective.learned", told.join("; "));
        self.connection.state.tell(PendingEvent {
            type_: EventType::Normal,
            reason: "DialectLearned",
            action: "Learn",
            note,
        });
        true
    }

    /// An answer to this session taught something: it is in force from now on.
    pub(in crate::provisioner) fn apply_lessons(&self, session: &Session, lessons: impl IntoIterator<Item = Lesson>) {
        let mut lessons = lessons.into_iter().peekable();
        if lessons.peek().is_none() {
            return;
        }
        let connection = self.connection();
        self.connection.sessions.replace(|current| {
            let current = current?;
            let mut next = Session::clone(current);
            let taught = Arc::ptr_eq(&current.seen, &session.seen)
                && self.take_in(&connection, &mut next.policy.profile, lessons);
            Some(if taught { Arc::new(next) } else { Arc::clone(current) })
        });
    }

    /// The session in force, where it is this one as it became by what was learnt since.
    pub(in crate::provisioner) fn continued(&self, session: &Session) -> Option<Arc<Session>> {
        self.session().filter(|now| Arc::ptr_eq(&now.seen, &session.seen))
    }

    /// The pass goes on by what was learnt since it began.
    pub(in crate::provisioner) fn go_on_as_learnt<K: Kind>(&self, pass: &mut Pass<K>) {
        if let Some(session) = self.continued(&pass.session) {
            pass.session = session;
        }
    }

    /// What the writes about an object teach of how the server keeps attributes, once several objects show the same.
    pub(in crate::provisioner) fn learn_of_attributes(
        &self,
        session: &Session,
        uid: &Uid,
        taught: Vec<(Lesson, bool)>,
    ) {
        let (mut learnt, mut unlearnt) = (Vec::new(), false);
        {
            let mut lessons = lock(&self.connection.lessons.0);
            for (lesson, speaks_for) in taught {
                if !speaks_for {
                    unlearnt |= lessons.refute(&lesson);
                } else if lessons.support(&lesson, uid) {
                    learnt.push(lesson);
                }
            }
        }
        if unlearnt {
            let connection = self.connection();
            let known = self.known_profile(&connection);
            self.connection.sessions.replace(|current| {
                let mut next = Session::clone(current?);
                if Arc::ptr_eq(&next.seen, &session.seen) {
                    next.policy.profile.not_kept = known.not_kept;
                }
                Some(Arc::new(next))
            });
        }
        self.apply_lessons(session, learnt);
    }

    /// The refusal of a change may teach how resources are changed here: then the pass plans anew, and true is returned. A
    /// group is replaced only where it is shown who is in it.
    pub(in crate::provisioner) fn changes_method<K: Kind>(
        &self,
        pass: &mut Pass<K>,
        request: &Request,
        error: &Error,
        exists: bool,
    ) -> bool {
        let profile = &pass.session.policy.profile;
        let method = method_of(profile, K::COLLECTION);
        let Some(other) = other_method(request, error, method, exists) else { return false };
        let lesson = match (K::COLLECTION, other) {
            (Collection::Users, WriteMethod::Put) => Lesson::Put,
            (Collection::Users, WriteMethod::Patch) => Lesson::Patch,
            (Collection::Groups, WriteMethod::Put) if profile.members_readable.with_group() => Lesson::PutGroups,
            (Collection::Groups, WriteMethod::Patch) => Lesson::PatchGroups,
            (Collection::Groups, WriteMethod::Put) => return false,
        };
        self.apply_lessons(&pass.session, [lesson]);
        // Another pass may have learnt it meanwhile.
        let now = self.continued(&pass.session);
        let taught = now.filter(|now| method_of(&now.policy.profile, K::COLLECTION) != method);
        let Some(taught) = taught else { return false };
        pass.session = taught;
        pass.account = Some(Account::Unknown);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::{Op, PatchOperation};
    use serde_json::{Value, json};

    fn connection(spec: Value) -> ScimConnection {
        let mut spec = spec;
        spec["auth"] = json!({});
        serde_json::from_value(json!({"metadata": {"namespace": "a", "name": "b"}, "spec": spec})).unwrap()
    }

    fn patch(path: &str) -> Request {
        let operation = PatchOperation { op: Op::Replace, path: Some(path.to_owned()), value: Some(json!("x")) };
        Request::Patch { id: "1".into(), operations: vec![operation] }
    }

    #[test]
    fn i33_what_was_learnt_is_recorded_and_forgotten_with_its_server() {
        let url = json!({"baseUrl": "https://scim.example.com/v2"});
        let mut lessons = Lessons::default();
        lessons.lead_to(subject_of(&connection(url.clone())));
        let now = Timestamp::UNIX_EPOCH;
        assert!(lessons.add(Lesson::Put, now) && !lessons.add(Lesson::Put, now));
        assert!(lessons.add(Lesson::NoPaging, now));
        let mut effective = EffectiveStatus::default();
        lessons.record(&mut effective);
        let mut again = Lessons::recorded(Some(&effective));
        again.lead_to(subject_of(&connection(json!({"baseUrl": "https://scim.example.com/v2/", "mode": "Plan"}))));
        let taught = again.teach(&Profile::generic(), Overrides::default());
        assert_eq!(taught.write_users, WriteMethod::Put);
        let overrides = Overrides { write_users: true, ..Overrides::default() };
        assert_eq!(again.teach(&Profile::generic(), overrides).write_users, WriteMethod::Patch, "a person says so");
        for other in [
            json!({"baseUrl": "https://other.example.com/v2"}),
            json!({"baseUrl": "https://scim.example.com/v2", "dialect": {"pageSize": 20}}),
            json!({"baseUrl": "https://scim.example.com/v2", "provider": "Slack"}),
        ] {
            let mut lessons = Lessons::recorded(Some(&effective));
            lessons.lead_to(subject_of(&connection(other)));
            lessons.record(&mut effective.clone());
            assert_eq!(lessons.teach(&Profile::generic(), Overrides::default()), Profile::generic());
        }
    }

    #[test]
    fn i33_methods_that_are_both_missing_do_not_go_to_and_fro() {
        let (mut lessons, now) = (Lessons::default(), Timestamp::UNIX_EPOCH);
        assert!(lessons.add(Lesson::Put, now));
        assert!(!lessons.add(Lesson::Patch, now) && !lessons.add(Lesson::Put, now) && !lessons.add(Lesson::Patch, now));
        assert_eq!(lessons.teach(&Profile::generic(), Overrides::default()), Profile::generic());
    }

    #[test]
    fn i33_a_method_that_is_not_there_is_learnt_and_nothing_else() {
        let of = |class, exists| other_method(&patch("title"), &Error::simulated(class), WriteMethod::Patch, exists);
        assert_eq!(of(Class::Unsupported, false), Some(WriteMethod::Put));
        assert_eq!(of(Class::NotFound, true), Some(WriteMethod::Put), "a route's 404");
        assert_eq!(of(Class::NotFound, false), None, "the account may be gone");
        for class in [Class::Rejected, Class::Transient, Class::Conflict, Class::Forbidden, Class::Timeout] {
            assert_eq!(of(class, true), None, "{class:?}");
        }
        let error = Error::simulated(Class::Unsupported);
        assert_eq!(other_method(&patch("title"), &error, WriteMethod::Put, true), None, "that is known");
    }
}
