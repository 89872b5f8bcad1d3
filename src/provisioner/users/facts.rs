//! Everything that a decision about a user rests on.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::UserPass;
use super::requests::unrecorded;
use crate::api::ScimUser;
use crate::directory::{connection_of, full_name, has_finalizer};
use crate::plan::{Account, ClaimedName, Claims, Facts, Manager, Object, Operation, Step, User, decide};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::{ClockState, Effects, Note};
use crate::provisioner::engine::Kind as _;
use crate::provisioner::mirror::Mirror as _;
use crate::provisioner::mirror::users::{Known, UserMirror};

impl<E: Effects> Provisioner<E> {
    /// The plan for an object as everything stands now.
    pub(in crate::provisioner) fn plan(&self, pass: &UserPass) -> Step {
        self.with_facts(pass, self.effects.now(), |facts| {
            let step = decide(facts);
            self.effects.note(&Note::Decided { uid: &pass.uid(), facts, step: &step });
            step
        })
    }

    /// Everything that a decision about an object rests on, as if it were `now`.
    pub(in crate::provisioner) fn with_facts<T>(
        &self,
        pass: &UserPass,
        now: Timestamp,
        decision: impl FnOnce(&Facts) -> T,
    ) -> T {
        let uid = pass.uid();
        let policy = &pass.session.policy;
        let account = pass.account.clone().unwrap_or_else(|| self.known_account(pass, &policy.server));
        let found = match &account {
            Account::Found { resource, .. } => resource.id().map(str::to_owned),
            _ => None,
        };
        let contested = self.notes.contested(&uid, now);
        let (name, claimed) = (full_name(&pass.object), pass.object.claimed_account());
        let (resolved, unlisted) =
            self.with_ids(&pass.object.spec).map_or((None, Vec::new()), |(spec, un)| (Some(spec), un));
        let delegated = self.directory.delegated(&pass.object.namespace().unwrap_or_default(), &self.key);
        let tried = self.notes.tried(&uid);
        let facts = Facts {
            object: Object {
                full_name: &name,
                spec: resolved.as_ref().unwrap_or(&pass.object.spec),
                status: &pass.status,
                generation: pass.object.metadata.generation.unwrap_or_default(),
                created: pass.object.creation_timestamp().map(|made| made.0),
                deleting: pass.is_deleting(),
                has_finalizer: has_finalizer(&pass.object),
                claimed: claimed.as_ref().map(|claimed| {
                    ClaimedName::new(&claimed.user_name, claimed.server.as_deref(), claimed.uid.is_some())
                        .with_external_id(claimed.external_id.as_deref())
                }),
                release: pass.object.wants_release() || self.is_released(),
                remote_id: pass.object.remote_id(),
                requested: pass.log.answered.is_some(),
            },
            policy,
            claims: self.claims_and_rival(pass, &account, found.as_deref()),
            creations: self.creations(pass),
            elsewhere: self.elsewhere(pass, &policy.server),
            manager: self.manager(&pass.object, &policy.server),
            // Of what is declared, not of the ids that names stand for.
            not_allowed: delegated.refuses(&pass.object.spec, pass.object.remote_id()),
            delegated,
            unlisted: &unlisted,
            account,
            written: &pass.own.written,
            before: pass.own.before.as_ref(),
            split: &pass.split,
            tried: &tried,
            contested: &contested,
            now,
            clock_trusted: self.effects.clock() == ClockState::Trusted,
        };
        decision(&facts)
    }

    /// What other objects say of the account, and whether another is recorded as bound to it: asked for at every plan, and
    /// so of one copy of the object.
    fn claims_and_rival(&self, pass: &UserPass, account: &Account, found: Option<&str>) -> Claims {
        let (user, server) = (as_recorded(pass), &pass.session.policy.server);
        let shown = match account {
            Account::Found { resource, .. } => Some(resource),
            _ => None,
        };
        let rival = self.directory.rival(&user, server, shown);
        Claims { rival, ..self.directory.claims(&user, server, found) }
    }

    pub(in crate::provisioner) fn claims(&self, pass: &UserPass, server: &str, found: Option<&str>) -> Claims {
        self.directory.claims(&as_recorded(pass), server, found)
    }

    /// Another account than the bound one that has the userName recorded of that.
    fn elsewhere(&self, pass: &UserPass, server: &str) -> Option<String> {
        let status = &pass.status;
        let id = status.id_at(server)?;
        let name = status.user_name.as_deref().unwrap_or(&pass.object.spec.user_name);
        let namesake = |known: &UserMirror| known.namesake_of(id, name).map(str::to_owned);
        self.mirror.users.look_in(pass.session.epoch, namesake).flatten()
    }

    /// What is known without asking the server.
    pub(in crate::provisioner) fn known_account(&self, pass: &UserPass, server: &str) -> Account {
        let bound = pass.status.id_at(server);
        // What a lost creation made may have another userName by now than the one declared: the server is asked.
        if unrecorded(pass).is_some() {
            return Account::Unknown;
        }
        let gone = |known: &UserMirror| known.lists_all() && bound.is_some_and(|id| known.sightings.is_gone(id));
        // Looked for twice, and in no list since: it need not be asked for with each sweep. Before the object goes it is.
        if !pass.is_deleting() && self.mirror.users.look_in(pass.session.epoch, gone) == Some(true) {
            return User::namesake(self, pass).unwrap_or(Account::Absent { fresh: false });
        }
        let spec = &pass.object.spec;
        let known = self.mirror.users.look_in(pass.session.epoch, |known| {
            let account = match (bound, pass.object.remote_id()) {
                (Some(id), _) | (None, Some(id)) => known.by_id(id),
                (None, None) => known.by_identity(&spec.user_name, spec.external_id.as_deref()),
            };
            (account, known.begun)
        });
        let Some((account, begun)) = known else { return Account::Unknown };
        match account {
            // Whom the account belongs to may have changed since the list was read: it is looked at before it is taken.
            Known::Found(resource) if bound.is_none() && came_after(&pass.object, begun) => {
                resource.id().map_or(Account::Unknown, |id| Account::Listed(id.to_owned()))
            }
            Known::Found(resource) => Account::Found { resource, fresh: false },
            Known::Listed(id) => Account::Listed(id),
            Known::Absent => Account::Absent { fresh: false },
            Known::Contradictory(message) => Account::Contradictory(message),
            Known::Unknown => Account::Unknown,
        }
    }

    pub(in crate::provisioner) fn manager(&self, user: &ScimUser, server: &str) -> Manager {
        let reference = user.spec.attributes.enterprise.as_ref().and_then(|enterprise| enterprise.manager.as_ref());
        let Some(name) = reference.and_then(|manager| manager.user_ref.as_ref()).map(|user_ref| &user_ref.name) else {
            return Manager::None;
        };
        let Some(manager) = self.directory.named(&user.namespace().unwrap_or_default(), name) else {
            return Manager::Gone(name.clone());
        };
        if connection_of(&manager) != self.key {
            return Manager::Foreign(name.clone());
        }
        let delegated = self.directory.delegated(&user.namespace().unwrap_or_default(), &self.key);
        // What a status says to be somebody's account may be anybody's.
        let id = manager.status.as_ref().and_then(|status| status.id_at(server)).filter(|id| {
            let refused = |known: &UserMirror| {
                known.identity(id).map(|(name, emails)| delegated.refuses_identity(Some(name), emails))
            };
            !delegated.is_bounded() || self.mirror.users.look(refused) == Some(None)
        });
        id.map_or_else(|| Manager::Waiting(name.clone()), |id| Manager::Id(id.to_owned()))
    }
}

/// The claims of an object that is ahead of its stored status are judged by that status.
fn as_recorded(pass: &UserPass) -> ScimUser {
    ScimUser { status: Some(pass.status.clone()), ..(*pass.object).clone() }
}

/// The object was made after that; the API server cuts its time to whole seconds.
fn came_after(user: &ScimUser, begun: Option<Timestamp>) -> bool {
    let made = user.creation_timestamp().map(|made| made.0);
    made.zip(begun).is_some_and(|(made, begun)| begun.duration_since(made) < SignedDuration::from_secs(1))
}

/// The write that a read is only to prepare, as far as the last look tells.
pub(super) fn write_after_read(facts: &Facts) -> Option<Operation> {
    let Account::Found { resource, fresh: false } = &facts.account else { return None };
    let account = Account::Found { resource: resource.clone(), fresh: true };
    match decide(&Facts { account, ..facts.clone() }) {
        Step::Send(operation) => Some(*operation),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i08_what_a_list_showed_before_the_object_was_made_is_looked_at_again() {
        let at = |second| Timestamp::from_second(second).unwrap_or_default();
        let made = serde_json::json!({
            "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimUser",
            "metadata": {"name": "bob", "creationTimestamp": at(100).to_string()},
            "spec": {"connectionRef": {"name": "c"}, "userName": "bob"},
        });
        let user: ScimUser = serde_json::from_value(made).expect("a user");
        assert!(came_after(&user, Some(at(90))) && came_after(&user, Some(at(100))));
        assert!(!came_after(&user, Some(at(101))) && !came_after(&user, None));
    }
}
