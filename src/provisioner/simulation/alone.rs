//! One object alone with its connection and its server, pass after pass: what the planner's tests tell of is done by the
//! operator's own code.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::model::Server;
use super::outside::{Listing, Outside, Place};
use super::regressions::setup;
use super::setup::SERVERS;
use super::world::World;
use crate::api::{
    CLAIMED_ACCOUNT, ClaimedAccount, DialectSpec, FINALIZER, RECONCILE_REQUESTED_AT, RELEASE, Reason, RepairPolicy,
    ScimConnection, ScimUser, ScimUserSpec, ScimUserStatus, Uid,
};
use crate::directory::has_finalizer;
use crate::plan::{Account, Facts, Operation, Step, Verdict, compared, decide};
use crate::provisioner::connection::dialect::dialect_of;
use crate::provisioner::effects::Note;
use crate::provisioner::users::UserPass;
use crate::scim::{Attributes, Profile, Resource};

/// What a pass asks to look at again is waited for so long, in milliseconds.
const PATIENCE: i64 = 120_000;

/// So long after the last one comes the next pass.
const BETWEEN: i64 = 60_000;

/// A hold takes in what belongs to it for half a minute.
const HOLD_CLOSES: i64 = 31_000;

const PLACE: (&str, &str) = ("n", "ada");

/// What is heard of an object's passes.
#[derive(Debug, Default)]
pub struct Heard {
    uid: Uid,
    sent: Vec<Operation>,
    verdict: Option<Verdict>,
    departs: bool,
}

/// What a pass came to.
#[derive(Debug)]
pub struct Outcome {
    pub sent: Vec<Operation>,
    pub verdict: Verdict,
    pub finalizer_removed: bool,
}

/// One object, its connection and its server.
pub struct Alone {
    pub world: World,
    uid: Uid,
    /// The server is listed before a pass; otherwise it lists nobody, and the process begins anew and knows nothing of it.
    listed: bool,
}

impl Outside {
    /// Something is said of a pass.
    pub fn hear(&mut self, note: &Note<'_>) {
        let Some(heard) = &mut self.passes else { return };
        match note {
            Note::Sends { uid, operation } if **uid == heard.uid => heard.sent.push((*operation).clone()),
            Note::Settled { user, verdict, .. } if Uid::of(&user.metadata) == heard.uid => {
                heard.verdict = Some((*verdict).clone());
            }
            Note::Departs { user, verdict, .. } if Uid::of(&user.metadata) == heard.uid => {
                (heard.verdict, heard.departs) = (Some((*verdict).clone()), true);
            }
            _ => {}
        }
    }
}

impl Alone {
    /// A connection that permits everything, and an object that was never looked at.
    pub fn new(profile: &Profile, spec: ScimUserSpec) -> Self {
        let mut alone = Self { world: World::new(setup(), false), uid: Uid::default(), listed: true };
        let dialect = dialect(profile);
        alone.configure(|connection| connection.spec.dialect = Some(dialect));
        assert_eq!(alone.world.outside().policy.profile, *profile, "a connection's dialect can say it");
        alone.declare(spec);
        alone
    }

    /// Whether the server lists accounts.
    pub fn lists(&mut self, listed: bool) {
        self.listed = listed;
        self.world.outside().site.quirks.no_list = !listed;
    }

    /// The same, carried out.
    pub fn converged(profile: &Profile, spec: ScimUserSpec) -> Self {
        let mut alone = Self::new(profile, spec);
        alone.pass();
        alone
    }

    /// The object declares something else, and is made where it isn't there.
    pub fn declare(&mut self, spec: ScimUserSpec) {
        if self.is_there() {
            return self.edit(|user| user.spec = spec);
        }
        let mut outside = self.world.outside();
        let now = outside.time();
        let made = outside.cluster.create(PLACE.0, PLACE.1, spec, now);
        drop(outside);
        self.uid = made.expect("a free name");
    }

    /// Another object is declared, for the same connection.
    pub fn declare_another(&mut self, name: &str, spec: ScimUserSpec) {
        let mut outside = self.world.outside();
        let now = outside.time();
        outside.cluster.create(PLACE.0, name, spec, now).expect("a free name");
    }

    /// And deleted.
    pub fn delete_another(&mut self, name: &str) {
        let mut outside = self.world.outside();
        let now = outside.time();
        let other = outside.cluster.named(PLACE.0, name).map(|user| Uid::of(&user.metadata)).expect("an object");
        outside.cluster.delete(&other, now);
    }

    /// Somebody edits the object.
    pub fn edit(&mut self, change: impl FnOnce(&mut ScimUser)) {
        self.world.outside().cluster.edit(&self.uid, change);
    }

    /// Something that nobody sends is edited: a new generation, and nothing else.
    pub fn touch(&mut self) {
        self.edit(|user| user.metadata.generation = user.metadata.generation.map(|generation| generation + 1));
    }

    /// What is recorded of it is something else.
    pub fn record(&mut self, change: impl FnOnce(&mut ScimUserStatus)) {
        self.edit(|user| change(user.status.get_or_insert_default()));
    }

    /// An earlier process was about to make an account, or to take one: by this name.
    pub fn claim(&mut self, name: &str) {
        let server = Some(SERVERS[0].clone());
        let claim = ClaimedAccount {
            user_name: name.to_owned(),
            email: None,
            external_id: None,
            server,
            uid: Some(self.uid.to_string()),
        };
        let claim = json!(claim).to_string();
        self.edit(|user| {
            user.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
            user.annotations_mut().insert(CLAIMED_ACCOUNT.into(), claim);
        });
    }

    /// A person asks for it to be looked at.
    pub fn request(&mut self) {
        let now = self.world.outside().now.to_string();
        self.edit(|user| _ = user.annotations_mut().insert(RECONCILE_REQUESTED_AT.into(), now));
    }

    /// A person lets it go.
    pub fn release(&mut self) {
        self.edit(|user| _ = user.annotations_mut().insert(RELEASE.into(), "true".into()));
    }

    /// The object is deleted.
    pub fn delete(&mut self) {
        let mut outside = self.world.outside();
        let now = outside.time();
        outside.cluster.delete(&self.uid, now);
    }

    /// It is deleted, and another finalizer than ours keeps it.
    pub fn delete_without_finalizer(&mut self) {
        let now = self.world.outside().time();
        self.edit(|user| (user.metadata.finalizers, user.metadata.deletion_timestamp) = (None, Some(Time(now))));
    }

    /// A person edits the connection.
    pub fn configure(&mut self, change: impl FnOnce(&mut ScimConnection)) {
        self.world.configure(change);
    }

    /// Whether drift is repaired.
    pub fn repairs(&mut self, repairs: bool) {
        let policy = if repairs { RepairPolicy::Repair } else { RepairPolicy::Report };
        self.configure(|connection| connection.spec.drift_policy.attributes = policy);
    }

    /// What is known of the server's dialect.
    pub fn profile(&self) -> Profile {
        self.world.operator.provisioner.session().expect("a session").policy.profile.clone()
    }

    pub fn is_there(&self) -> bool {
        self.world.outside().cluster.objects.contains_key(&self.uid)
    }

    /// The object.
    pub fn user(&self) -> ScimUser {
        self.world.outside().cluster.objects[&self.uid].clone()
    }

    pub fn spec(&self) -> ScimUserSpec {
        self.user().spec
    }

    pub fn status(&self) -> ScimUserStatus {
        self.user().status.unwrap_or_default()
    }

    /// The id of its account.
    pub fn id(&self) -> String {
        self.status().id.expect("bound")
    }

    /// The server of the connection.
    pub fn server_name(&self) -> String {
        self.world.outside().policy.server.clone()
    }

    /// The server's accounts.
    pub fn accounts(&self) -> BTreeMap<String, Attributes> {
        let mut accounts = self.world.outside().site.server.accounts.clone();
        for account in accounts.values_mut() {
            account.remove("meta");
        }
        accounts
    }

    /// The account as the server holds it.
    pub fn shown(&self) -> Attributes {
        self.accounts()[&self.id()].clone()
    }

    /// The same, changed behind our back.
    pub fn meddle(&mut self, change: impl FnOnce(&mut Attributes)) {
        let id = self.id();
        assert!(self.world.outside().site.meddle(&id, change), "the server has it so");
    }

    /// The server has this account, too.
    pub fn holds(&mut self, account: &Value) {
        let id = account["id"].as_str().expect("an id").to_owned();
        let account = account.as_object().expect("an account").clone();
        self.world.outside().site.server.accounts.insert(id, account);
    }

    /// The server does everything so.
    pub fn server(&mut self, change: impl FnOnce(&mut Server)) {
        change(&mut self.world.outside().site.server);
    }

    /// The next step, as if a pass had come upon these facts.
    pub fn decide(&mut self, change: impl FnOnce(&mut Facts<'_>)) -> Step {
        self.with_facts(|facts| {
            let mut facts = facts.clone();
            change(&mut facts);
            decide(&facts)
        })
    }

    /// What a decision would rest on now.
    pub fn with_facts<T>(&mut self, of: impl FnOnce(&Facts<'_>) -> T) -> T {
        while self.world.deliver() {}
        let provisioner = Arc::clone(&self.world.operator.provisioner);
        let (user, now) = (self.user(), self.world.outside().time());
        let status = user.status.clone().unwrap_or_default();
        let session = provisioner.session().expect("a session");
        let pass = UserPass::answering(Arc::new(user), status, session);
        provisioner.with_facts(&pass, now, of)
    }

    /// What is held is closed by now, and let go.
    pub fn approve(&mut self) {
        self.world.pass_time(HOLD_CLOSES);
        self.world.save();
        self.world.answer(0, true);
    }

    /// A request is sent and takes effect, and the process dies before it hears the answer.
    pub fn dies_before_the_answer(&mut self) {
        while self.world.deliver() {}
        self.world.list_at_once();
        while self.world.place() != Some(Place::Answer) {
            assert!(self.world.take() || self.world.advance(0), "a request is sent");
        }
        self.world.restart();
    }

    /// A pass, a minute after the last one, and those that it asks for itself within two minutes.
    pub fn pass(&mut self) -> Outcome {
        self.world.outside().passes = Some(Heard { uid: self.uid.clone(), ..Heard::default() });
        while self.world.deliver() {}
        self.world.pass_time(BETWEEN);
        if !self.listed {
            self.world.restart();
        }
        self.world.sweep(Listing::Whole);
        self.world.route_one(&self.uid.clone());
        self.world.drain();
        self.wait();
        let heard = self.world.outside().passes.take().unwrap_or_default();
        let broken = self.world.outside().broken.clone();
        assert_eq!(broken, None, "a promise is broken");
        let is_kept = self.is_there() && has_finalizer(&self.user());
        let verdict = heard.verdict.unwrap_or_default();
        self.check(&verdict);
        Outcome { sent: heard.sent, verdict, finalizer_removed: heard.departs && !is_kept }
    }

    /// Time goes by until nothing of it is due any more, or not for long.
    fn wait(&mut self) {
        let end = self.world.outside().now + PATIENCE;
        loop {
            let (now, instant) = {
                let outside = self.world.outside();
                (outside.now, outside.instant())
            };
            let Some(due) = self.world.operator.provisioner.schedule.next_due(instant) else { return };
            let millis = i64::try_from(due.duration_since(instant).as_millis()).unwrap_or(i64::MAX).saturating_add(1);
            if now.saturating_add(millis) > end {
                return;
            }
            self.world.pass_time(millis);
            self.world.drain();
        }
    }

    /// The status survives its way to the API server, and whoever compares the account with its manifest is told the same.
    fn check(&mut self, verdict: &Verdict) {
        if !self.is_there() {
            return;
        }
        let status = self.status();
        let read: ScimUserStatus = serde_json::from_value(json!(status)).expect("a status");
        assert_eq!(read, status);
        if verdict.reason != Some(Reason::Synced) {
            return;
        }
        let Some(shown) = self.accounts().remove(&self.id()) else { return };
        let account = Account::Found { resource: Resource(shown), fresh: true };
        let told = self.with_facts(|facts| compared(&Facts { account, ..facts.clone() })).expect("a comparison");
        assert_eq!(told.owed(), 0, "it is synced, and is told to be owed: {:#?}", told.differences);
    }
}

/// What a connection says of its server where that isn't as usual.
fn dialect(profile: &Profile) -> DialectSpec {
    let (mut own, usual) = (json!(dialect_of(profile)), json!(dialect_of(&Profile::generic())));
    if let Some(own) = own.as_object_mut() {
        own.retain(|name, value| usual.get(name) != Some(value));
    }
    serde_json::from_value(own).expect("a dialect")
}
