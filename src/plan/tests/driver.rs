//! The provisioner in miniature: decide, take the step, record, until the plan is settled.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use super::model::Server;
use crate::api::{Action, AdoptionPolicy, DeletionPolicy, Reason, ScimUserSpec, ScimUserStatus};
use crate::plan::protect::Protected;
use crate::plan::{
    Account, ClaimedName, Claims, Creations, Delegated, Facts, Manager, Object, Operation, Path, Policy, Read, Repair,
    Request, Step, Verdict, at_server, bound_status, compared, decide,
};
use crate::scim::{Attributes, Profile, Resource};
use crate::status::{PassLog, record};

/// A connection that permits everything.
pub fn policy(profile: Profile) -> Policy {
    Policy {
        server: "here".into(),
        profile,
        plan: false,
        suspend: false,
        actions: vec![Action::Create, Action::Update, Action::Deprovision],
        adoption: AdoptionPolicy::Adopt,
        deletion: DeletionPolicy::Deactivate,
        group_adoption: AdoptionPolicy::Refuse,
        group_deletion: crate::api::GroupDeletionPolicy::Retain,
        allow_irreversible_delete: false,
        repair: Repair { attributes: true, deactivated: false, deleted: false },
        protected: Protected::default(),
    }
}

/// A spec from its JSON.
pub fn spec(json: Value) -> ScimUserSpec {
    serde_json::from_value(json).expect("a spec")
}

/// What one pass came to.
#[derive(Debug)]
pub struct Outcome {
    pub sent: Vec<Operation>,
    pub verdict: Verdict,
    pub finalizer_removed: bool,
}

/// One object, its connection and its server.
#[derive(Clone, Debug)]
pub struct World {
    pub server: Server,
    pub policy: Policy,
    pub spec: ScimUserSpec,
    pub status: ScimUserStatus,
    pub generation: i64,
    pub finalizer: bool,
    pub claimed: Option<String>,
    pub deleting: bool,
    pub release: bool,
    pub requested: bool,
    pub claims: Claims,
    pub manager: Manager,
    pub not_allowed: Option<String>,
    pub delegated: Delegated,
    /// What a sweep saw is known when a pass begins.
    pub snapshot: bool,
    /// A bound account that isn't there was looked for only once.
    pub looked_once: bool,
    pub creations: Creations,
    pub remote_id: Option<String>,
    /// When the object was made.
    pub created: Option<Timestamp>,
    pub clock_trusted: bool,
}

impl World {
    pub fn new(profile: Profile, spec: ScimUserSpec) -> Self {
        Self {
            server: Server::default(),
            policy: policy(profile),
            spec,
            status: ScimUserStatus::default(),
            generation: 1,
            finalizer: false,
            claimed: None,
            deleting: false,
            release: false,
            requested: false,
            claims: Claims::default(),
            manager: Manager::None,
            not_allowed: None,
            delegated: Delegated::Whole,
            snapshot: true,
            looked_once: false,
            creations: Creations::default(),
            remote_id: None,
            created: None,
            clock_trusted: true,
        }
    }

    /// A new generation.
    pub fn declare(&mut self, spec: ScimUserSpec) {
        self.spec = spec;
        self.generation += 1;
    }

    /// The account as the server holds it.
    pub fn shown(&self) -> &Attributes {
        &self.server.accounts[self.status.id.as_deref().expect("bound")]
    }

    /// The same, to be changed behind our back.
    pub fn meddle(&mut self) -> &mut Attributes {
        self.server.accounts.get_mut(self.status.id.as_deref().expect("bound")).expect("there")
    }

    fn look(&self, fresh: bool) -> Account {
        let here = self.status.bound_to.as_ref() == Some(&self.policy.server);
        let mut found: Vec<_> = if let Some(id) = self.status.id.as_ref().filter(|_| here) {
            self.server.get(id).into_iter().collect()
        } else {
            let claimed = self.claimed.as_ref().filter(|name| **name != self.spec.user_name);
            let before = claimed.map(|name| self.server.find(name, None)).filter(|found| !found.is_empty());
            before.unwrap_or_else(|| self.server.find(&self.spec.user_name, self.spec.external_id.as_deref()))
        };
        match found.len() {
            0 if self.looked_once && self.status.id.is_some() => Account::Missing,
            0 => Account::Absent { fresh },
            1 => Account::Found { resource: found.remove(0), fresh },
            _ => Account::Contradictory("two accounts".into()),
        }
    }

    /// What a search by name finds.
    fn find(&self) -> Account {
        let mut found = self.server.find(&self.spec.user_name, self.spec.external_id.as_deref());
        match found.len() {
            0 => Account::Absent { fresh: true },
            1 => Account::Found { resource: found.remove(0), fresh: true },
            _ => Account::Contradictory("two accounts".into()),
        }
    }

    fn elsewhere(&self) -> Option<String> {
        let names = [Some(&self.spec.user_name), self.status.user_name.as_ref()];
        let found = names.into_iter().flatten().flat_map(|name| self.server.find(name, None));
        found.filter_map(|other| other.id().map(str::to_owned)).find(|id| Some(id) != self.status.id.as_ref())
    }

    /// The next step, as if a pass had come upon this account.
    pub fn decide_on(&self, account: Account) -> Step {
        self.decide(account, &BTreeSet::new())
    }

    fn decide(&self, account: Account, written: &BTreeSet<Path>) -> Step {
        self.with_facts(account, written, decide)
    }

    /// Whoever compares an account with its manifest is told the same as its status says.
    fn is_told_alike(&self, reason: Option<Reason>) {
        let told = self.with_facts(self.look(true), &BTreeSet::new(), compared);
        if let (Some(told), Some(Reason::Synced)) = (told, reason) {
            assert_eq!(told.owed(), 0, "it is synced, and is told to be owed: {:#?}", told.differences);
        }
    }

    fn with_facts<T>(&self, account: Account, written: &BTreeSet<Path>, of: impl FnOnce(&Facts) -> T) -> T {
        of(&Facts {
            object: Object {
                full_name: "team/ada",
                spec: &self.spec,
                status: &self.status,
                generation: self.generation,
                created: self.created,
                deleting: self.deleting,
                has_finalizer: self.finalizer,
                claimed: self.claimed.as_deref().map(|name| ClaimedName::new(name, Some(&self.policy.server), true)),
                release: self.release,
                remote_id: self.remote_id.as_deref(),
                requested: self.requested,
            },
            policy: &self.policy,
            account,
            claims: self.claims.clone(),
            not_allowed: self.not_allowed.clone(),
            delegated: self.delegated.clone(),
            manager: self.manager.clone(),
            creations: self.creations.clone(),
            elsewhere: self.elsewhere(),
            unlisted: &[],
            written,
            before: None,
            split: &crate::plan::Split::default(),
            tried: &crate::plan::Tried::default(),
            contested: &BTreeSet::new(),
            now: Timestamp::UNIX_EPOCH,
            clock_trusted: self.clock_trusted,
        })
    }

    /// One pass; the status goes through JSON as it does on its way to the API server.
    pub fn pass(&mut self) -> Outcome {
        let now = Timestamp::UNIX_EPOCH;
        self.creations = Creations { made: self.creations.made.clone(), ..Creations::default() };
        let mut account = if self.snapshot { self.look(false) } else { Account::Unknown };
        let (mut written, mut recorded, mut sent) = (BTreeSet::new(), PassLog::default(), Vec::new());
        for _ in 0..12 {
            match self.decide(account.clone(), &written) {
                Step::Read(Read::Find) if self.status.id.is_some() => {
                    self.creations.searched = true;
                    account = self.find();
                }
                Step::Read(_) => account = self.look(true),
                Step::Bind(binding) => {
                    self.finalizer = true;
                    self.claimed = Some(binding.name.clone());
                    self.status = bound_status(&self.status, &binding, &self.policy.server, now);
                    recorded.bound(binding.how);
                }
                Step::Send(operation) => {
                    self.finalizer = true;
                    if matches!(operation.request, Request::Create(_)) {
                        self.claimed = Some(self.spec.user_name.clone());
                    }
                    let answer = self.server.apply(&operation.request);
                    let names = operation.attributes.iter().map(Path::to_string).collect();
                    let shown = answer.as_ref().and_then(Resource::active);
                    recorded.took_effect(operation.kind, names, None, shown);
                    written.extend(operation.attributes.iter().cloned());
                    if let (Request::Create(_), Some(resource)) = (&operation.request, &answer) {
                        self.status = at_server(&self.status, &self.policy.server);
                        self.status.id = resource.id().map(str::to_owned);
                    }
                    self.creations.deleted |= matches!(operation.request, Request::Delete { .. });
                    account = match (&operation.request, answer) {
                        (Request::Delete { .. }, _) => Account::Absent { fresh: true },
                        (_, Some(resource)) => Account::Found { resource, fresh: true },
                        (_, None) => Account::Unknown,
                    };
                    sent.push(*operation);
                }
                Step::Settle(verdict) => {
                    let status = record(&self.status, self.generation, &verdict, &recorded, now);
                    let json = serde_json::to_string(&status).expect("a status");
                    self.status = serde_json::from_str(&json).expect("a status");
                    self.requested = false;
                    self.is_told_alike(verdict.reason);
                    return Outcome { sent, verdict: *verdict, finalizer_removed: false };
                }
                Step::RemoveFinalizer(verdict) => {
                    self.finalizer = false;
                    return Outcome { sent, verdict: *verdict, finalizer_removed: true };
                }
            }
        }
        panic!("the plan does not converge: {sent:#?}")
    }
}
