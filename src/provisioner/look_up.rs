//! Looking at accounts, by id and by what identifies them.

use kube::ResourceExt;

use super::directory::{full_name, has_finalizer, is_deleting};
use super::effects::Effects;
use super::failure::waiting;
use super::limiter::{Priority, RequestKind};
use super::listing::{Gap, GapIn};
use super::queue::Outcome;
use super::snapshot::{Known, contradiction};
use super::worker::{LOOK_AGAIN, Pass, Stop};
use super::{Provisioner, lock};
use crate::api::{ClaimedAccount, Reason, ScimUserSpec};
use crate::plan::{Account, Binding, Request};
use crate::scim::{Class, Error, Kind, MatchBy, Resource, Start, composed, fold};

/// What somebody is told whom only the whole list can find.
pub(super) const SEARCHED_IN_LIST: &str =
    "a search by filter proves nothing at this server, so it is looked for in the whole list, which is asked for now";

/// A resource that a search found.
#[derive(Clone, Debug)]
pub(super) enum Hit {
    /// As the server showed it just now.
    Shown(Resource),
    /// In the list, under this id.
    Listed(String),
}

impl Hit {
    /// Its id.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Shown(resource) => resource.id(),
            Self::Listed(id) => Some(id),
        }
    }
}

impl<E: Effects> Provisioner<E> {
    /// Reads the account with this id.
    pub(super) async fn read_account(&self, pass: &mut Pass, id: &str) -> Result<(), Stop> {
        let deadline = self.turn(pass, RequestKind::Read, Priority::Write).await?;
        let answer = self.effects.get(&pass.session.client, Kind::Users, id, false, deadline).await;
        pass.account = Some(match answer {
            Ok(resource) => {
                self.learn_account(pass, &resource);
                Account::Found { resource, fresh: true }
            }
            Err(error) if error.class() == Class::NotFound => self.not_found(pass, id, &error).await?,
            Err(error) => return Err(self.failed(pass, &error)),
        });
        Ok(())
    }

    /// A 404 to a read says nothing before the collection itself answers properly, and then only the second time.
    async fn not_found(&self, pass: &Pass, id: &str, error: &Error) -> Result<Account, Stop> {
        self.collection_answers(pass, error).await?;
        {
            let mut snapshot = lock(&self.snapshot);
            if !snapshot.is_of(pass.session.epoch) || !snapshot.missing(id, self.effects.now()) {
                return Ok(Account::Missing);
            }
            snapshot.forget(id);
        }
        Ok(self.namesake(pass).unwrap_or(Account::Absent { fresh: true }))
    }

    /// A 404 to a write says nothing of the account: it is read by its id (promise I12).
    pub(super) async fn look_at_refused(
        &self,
        pass: &mut Pass,
        id: &str,
        request: &Request,
        error: &Error,
    ) -> Result<(), Stop> {
        self.read_account(pass, id).await?;
        match (&pass.account, request) {
            // What was wanted. Whoever declares the name next must not find it here.
            (Some(Account::Missing), Request::Delete { .. }) => {
                self.forget_account(pass, id);
                pass.account = Some(Account::Absent { fresh: true });
                Ok(())
            }
            (Some(Account::Found { .. }), _) => {
                self.note_failure(&full_name(&pass.user), error);
                let (reason, what) = match request {
                    Request::Patch { .. } => (
                        Reason::NotSupported,
                        "it seems to have no PATCH for users: set spec.dialect.writeUsers of the connection to Put",
                    ),
                    Request::Put { .. } => (
                        Reason::NotSupported,
                        "it seems to have no PUT for users: set spec.dialect.writeUsers of the connection to Patch",
                    ),
                    _ => {
                        (Reason::Rejected, "it doesn't delete users, or not this one: deletionPolicy may be Deactivate")
                    }
                };
                let message = format!("{}, and still shows the account {id:?}; {what}", error.without_advice());
                Err(self.own_error(pass, reason, message))
            }
            _ => Ok(()),
        }
    }

    /// A 404 is the object's only where the collection itself is there; else it is the connection's (promise I12).
    pub(super) async fn collection_answers(&self, pass: &Pass, error: &Error) -> Result<(), Stop> {
        let deadline = self.turn(pass, RequestKind::Read, Priority::Write).await?;
        match self.effects.page(&pass.session.client, Kind::Users, &Start::Index(1), 1, deadline).await {
            Ok(page) if page.is_hollow() => {
                let gap = Gap::Hollow(page.total.unwrap_or_default());
                Err(Self::looked_for_later(pass, format!("{}; {}", error.without_advice(), GapIn(&gap, Kind::Users))))
            }
            Ok(_) => Ok(()),
            Err(probe) => {
                self.doubt();
                Err(if probe.class() == Class::NotFound {
                    Self::try_later(pass, error)
                } else {
                    self.failed(pass, &probe)
                })
            }
        }
    }

    /// The account that has the userName now, where the bound one is gone: none is created beside it.
    fn namesake(&self, pass: &Pass) -> Option<Account> {
        if pass.status.id.is_none() || is_deleting(&pass.user) {
            return None;
        }
        let spec = &pass.user.spec;
        match lock(&self.snapshot).by_identity(&spec.user_name, spec.external_id.as_deref()) {
            Known::Found(resource) => Some(Account::Found { resource, fresh: false }),
            Known::Listed(id) => Some(Account::Listed(id)),
            _ => None,
        }
    }

    /// Looks for the account by what identifies it: first for what was claimed without a record of what came of it, which
    /// may have another name than the one declared now.
    pub(super) async fn find_account(&self, pass: &mut Pass) -> Result<(), Stop> {
        pass.creations.searched = true;
        let spec = pass.user.spec.clone();
        let wanted = identity(&spec, pass.session.policy.profile.match_by);
        let mut found: Vec<Hit> = Vec::new();
        let mut by_name = Some(wanted.clone());
        if let Some(claimed) = unrecorded(pass) {
            let sent = claimed.email.as_ref().unwrap_or(&claimed.user_name);
            let hits = self.search(pass, "userName", sent).await?;
            if let Some(account) = self.what_was_claimed(pass, &claimed, &hits).cloned() {
                self.take_hit(pass, account);
                return Ok(());
            }
            if fold(sent) == fold(&wanted) {
                (found, by_name) = (hits, None);
            }
        }
        let filters = &pass.session.policy.profile.filters;
        let kept = filters.is_empty() || filters.iter().any(|filter| filter == "externalId");
        for (attribute, value) in [("userName", by_name), ("externalId", spec.external_id.filter(|_| kept))] {
            let Some(value) = value else { continue };
            for hit in self.search(pass, attribute, &value).await? {
                if !found.iter().any(|known| known.id() == hit.id()) {
                    found.push(hit);
                }
            }
        }
        for hit in &found {
            if let Hit::Shown(resource) = hit {
                self.learn_account(pass, resource);
            }
        }
        match found.len() {
            0 => pass.account = Some(Account::Absent { fresh: true }),
            1 => self.take_hit(pass, found.remove(0)),
            _ => pass.account = Some(Account::Contradictory(contradiction(1))),
        }
        Ok(())
    }

    fn take_hit(&self, pass: &mut Pass, hit: Hit) {
        pass.account = Some(match hit {
            Hit::Shown(resource) => {
                self.learn_account(pass, &resource);
                Account::Found { resource, fresh: true }
            }
            Hit::Listed(id) => Account::Listed(id),
        });
    }

    /// The account that was claimed, unless somebody else holds it by now.
    fn what_was_claimed<'a>(&self, pass: &Pass, claimed: &ClaimedAccount, hits: &'a [Hit]) -> Option<&'a Hit> {
        let same = |hit: &Hit| match hit {
            Hit::Shown(resource) => resource.user_name().is_some_and(|name| fold(name) == fold(&claimed.user_name)),
            Hit::Listed(_) => true,
        };
        let held = |hit: &Hit| {
            self.claims(pass, &pass.session.policy.server, hit.id()).holder.is_some_and(|holder| holder.has_account)
        };
        let mut free = hits.iter().filter(|hit| same(hit) && !held(hit));
        // Among namesakes none is certain to be ours.
        free.next().filter(|_| free.next().is_none())
    }

    /// The accounts that have this value: by a filter, and where that proves nothing, in the whole list (promise I11).
    async fn search(&self, pass: &Pass, attribute: &str, value: &str) -> Result<Vec<Hit>, Stop> {
        if !pass.session.policy.profile.filters.iter().any(|filter| filter == attribute) {
            return self.search_list(pass, attribute, value);
        }
        let deadline = self.turn(pass, RequestKind::Read, Priority::Write).await?;
        match self.effects.find(&pass.session.client, Kind::Users, attribute, value, deadline).await {
            Ok(found) if found.all || !found.hits.is_empty() => Ok(found.hits.into_iter().map(Hit::Shown).collect()),
            Ok(_) => self.search_list(pass, attribute, value),
            Err(error) if refuses_filter(error.class(), attribute) => {
                self.note_failure(&full_name(&pass.user), &error);
                self.search_list(pass, attribute, value)
            }
            Err(error) => {
                if error.class() == Class::NotFound {
                    self.collection_answers(pass, &error).await?;
                }
                Err(self.failed(pass, &error))
            }
        }
    }

    /// The same by a complete listing that began after this was asked.
    fn search_list(&self, pass: &Pass, attribute: &str, value: &str) -> Result<Vec<Hit>, Stop> {
        let uid = pass.user.uid().unwrap_or_default();
        let asked_before = {
            let mut snapshot = lock(&self.snapshot);
            let asked_before = snapshot.sightings.is_searching(&uid);
            if snapshot.is_of(pass.session.epoch) && snapshot.sightings.search(&uid) {
                let ids = if attribute == "externalId" { snapshot.linked(value) } else { snapshot.named(value) };
                return Ok(ids.into_iter().map(Hit::Listed).collect());
            }
            asked_before
        };
        if !asked_before {
            self.ask_for_sweep();
        }
        Err(Self::looked_for_later(pass, SEARCHED_IN_LIST.to_owned()))
    }

    /// It can't be told yet: it is looked at again in a minute, or as soon as the list is complete.
    fn looked_for_later(pass: &Pass, message: String) -> Stop {
        Stop::With(Box::new(waiting(pass, message)), Outcome::After(LOOK_AGAIN))
    }
}

/// The server doesn't look for accounts by this attribute. userName is what each must know; of another attribute a 5xx
/// says the same, for servers answer that too to what they can't filter by.
fn refuses_filter(class: Class, attribute: &str) -> bool {
    matches!(class, Class::Rejected | Class::Unsupported) || (class == Class::Transient && attribute != "userName")
}

/// The value by which the server looks accounts up.
pub(super) fn identity(spec: &ScimUserSpec, match_by: MatchBy) -> String {
    let email = spec.attributes.emails.iter().flatten().next().map(|email| email.value.clone());
    match match_by {
        MatchBy::UserName => composed(&spec.user_name),
        MatchBy::Email => email.unwrap_or_else(|| composed(&spec.user_name)),
    }
}

/// What identifies an account that is about to be taken.
pub(super) fn claimed_by(pass: &Pass, binding: &Binding) -> ClaimedAccount {
    let known = pass.user.claimed_account().filter(|claimed| fold(&claimed.user_name) == fold(&binding.user_name));
    known.unwrap_or_else(|| {
        let email = match &pass.account {
            Some(Account::Found { resource, .. }) => resource.emails().next().map(str::to_owned),
            _ => None,
        };
        let email = email.filter(|_| pass.session.policy.profile.match_by == MatchBy::Email);
        ClaimedAccount { user_name: binding.user_name.clone(), email }
    })
}

/// The account that a creation was sent for, or that was being taken, without a record of what came of it.
pub(super) fn unrecorded(pass: &Pass) -> Option<ClaimedAccount> {
    pass.user.claimed_account().filter(|_| pass.status.id.is_none() && has_finalizer(&pass.user))
}

/// What identifies the account that a creation is about to make.
pub(super) fn claimed_account(pass: &Pass) -> ClaimedAccount {
    let (spec, match_by) = (&pass.user.spec, pass.session.policy.profile.match_by);
    let email = (match_by == MatchBy::Email).then(|| identity(spec, match_by));
    ClaimedAccount { user_name: composed(&spec.user_name), email }
}
