//! Looking at accounts, by id and by what identifies them.

use jiff::Timestamp;
use kube::ResourceExt;

use super::directory::{has_finalizer, is_deleting};
use super::limiter::{Priority, RequestKind};
use super::snapshot::{Known, contradiction};
use super::worker::{Pass, Stop};
use super::{Provisioner, lock};
use crate::api::{ClaimedAccount, ScimUserSpec};
use crate::plan::{Account, Binding};
use crate::scim::{Class, Error, Kind, MatchBy, Resource, composed, fold};

impl Provisioner {
    /// Reads the account with this id.
    pub(super) async fn read_account(&self, pass: &mut Pass, id: &str) -> Result<(), Stop> {
        let uid = pass.user.uid().unwrap_or_default();
        let deadline = self.turn(pass, RequestKind::Read, Priority::Write).await?;
        let answer = pass.session.client.get(Kind::Users, id, deadline).await;
        pass.account = Some(match answer {
            Ok(resource) => {
                lock(&self.memory).seen(&uid);
                self.learn_account(pass, &resource);
                Account::Found { resource, fresh: true }
            }
            Err(error) if error.class() == Class::NotFound => self.not_found(pass, &uid, id, &error).await?,
            Err(error) => return Err(self.failed(pass, &error)),
        });
        Ok(())
    }

    /// A 404 says nothing before the collection itself answers properly, and then only the second time.
    pub(super) async fn not_found(&self, pass: &Pass, uid: &str, id: &str, error: &Error) -> Result<Account, Stop> {
        self.collection_answers(pass, error).await?;
        if lock(&self.memory).missing(uid, Timestamp::now()) {
            self.forget_account(pass, id);
            Ok(self.namesake(pass).unwrap_or(Account::Absent { fresh: true }))
        } else {
            Ok(Account::Missing)
        }
    }

    /// A 404 is the object's only where the collection itself is there; else it is the connection's (promise I12).
    pub(super) async fn collection_answers(&self, pass: &Pass, error: &Error) -> Result<(), Stop> {
        let deadline = self.turn(pass, RequestKind::Read, Priority::Write).await?;
        let Err(probe) = pass.session.client.probe(deadline).await else { return Ok(()) };
        self.doubt();
        Err(if probe.class() == Class::NotFound { Self::try_later(error) } else { self.failed(pass, &probe) })
    }

    /// The account that has the userName now, where the bound one is gone: none is created beside it.
    pub(super) fn namesake(&self, pass: &Pass) -> Option<Account> {
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
        let profile = &pass.session.policy.profile;
        let wanted = identity(&spec, profile.match_by);
        let mut found: Vec<Resource> = Vec::new();
        let mut by_name = Some(wanted.clone());
        if let Some(claimed) = unrecorded(pass) {
            let sent = claimed.email.as_ref().unwrap_or(&claimed.user_name);
            let hits = self.ask_for(pass, "userName", sent).await?;
            if let Some(account) = self.what_was_claimed(pass, &claimed, &hits) {
                self.learn_account(pass, account);
                pass.account = Some(Account::Found { resource: account.clone(), fresh: true });
                return Ok(());
            }
            if fold(sent) == fold(&wanted) {
                (found, by_name) = (hits, None);
            }
        }
        let by_external_id = spec.external_id.filter(|_| profile.filters.iter().any(|filter| filter == "externalId"));
        for (attribute, value) in [("userName", by_name), ("externalId", by_external_id)] {
            let Some(value) = value else { continue };
            for hit in self.ask_for(pass, attribute, &value).await? {
                if !found.iter().any(|known| known.id() == hit.id()) {
                    found.push(hit);
                }
            }
        }
        for resource in &found {
            self.learn_account(pass, resource);
        }
        pass.account = Some(match found.len() {
            0 => Account::Absent { fresh: true },
            1 => Account::Found { resource: found.remove(0), fresh: true },
            _ => Account::Contradictory(contradiction(1)),
        });
        Ok(())
    }

    /// The account that was claimed, unless somebody else holds it by now.
    pub(super) fn what_was_claimed<'a>(
        &self,
        pass: &Pass,
        claimed: &ClaimedAccount,
        hits: &'a [Resource],
    ) -> Option<&'a Resource> {
        let same = |hit: &Resource| hit.user_name().is_some_and(|name| fold(name) == fold(&claimed.user_name));
        let held = |hit: &Resource| {
            self.claims(pass, &pass.session.policy.server, hit.id()).holder.is_some_and(|holder| holder.has_account)
        };
        let mut free = hits.iter().filter(|hit| same(hit) && !held(hit));
        // Among namesakes none is certain to be ours.
        free.next().filter(|_| free.next().is_none())
    }

    /// The accounts that have this value.
    pub(super) async fn ask_for(&self, pass: &Pass, attribute: &str, value: &str) -> Result<Vec<Resource>, Stop> {
        let deadline = self.turn(pass, RequestKind::Read, Priority::Write).await?;
        match pass.session.client.find(Kind::Users, attribute, value, deadline).await {
            Ok(hits) => Ok(hits),
            Err(error) => {
                if error.class() == Class::NotFound {
                    self.collection_answers(pass, &error).await?;
                }
                Err(self.failed(pass, &error))
            }
        }
    }
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
