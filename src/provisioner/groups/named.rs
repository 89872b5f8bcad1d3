//! Members that are named by a userName which no object declares: who they are the list of users tells, and where that
//! doesn't, a search for each of them, once a sweep.

use std::collections::{BTreeMap, BTreeSet};

use super::members::READ_SINGLY;
use super::{GroupPass, GroupStop};
use crate::api::RemoteId;
use crate::plan::groups::{Group, GroupVerdict, Unfound};
use crate::plan::{Account, User};
use crate::provisioner::Provisioner;
use crate::provisioner::connection::session::Session;
use crate::provisioner::connection::state::FirstSweep;
use crate::provisioner::effects::Effects;
use crate::provisioner::engine::{Kind as _, SearchRefused, is_of_the_search};
use crate::provisioner::mirror::Mirror;
use crate::provisioner::mirror::users::UserMirror;
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::scim::{Class, Error, Found, Kind, composed, fold};

const USER_NAME: &str = "userName";

impl<E: Effects> Provisioner<E> {
    /// What a refused search for a group means.
    pub(super) fn group_search_refused(&self, session: &Session, error: &Error) -> SearchRefused<Group> {
        match error.class() {
            Class::Rejected => SearchRefused::List,
            // What stands before the service refuses the letters of a filter.
            Class::Forbidden if !error.is_scim() => SearchRefused::List,
            // A server that is ill fails to list, too.
            Class::Transient if is_of_the_search(error) => SearchRefused::List,
            Class::NotFound | Class::Unsupported => SearchRefused::Stop(self.no_groups(session, error)),
            _ => SearchRefused::Failed,
        }
    }

    /// Their accounts, as far as they are known, come into the directory.
    pub(super) fn resolve_names(&self, pass: &GroupPass) {
        let names =
            pass.object.spec.members.iter().flatten().filter_map(|member| member.user_name.as_deref().map(fold));
        let resolved: BTreeMap<String, RemoteId> = self.mirror.users.look(|known| {
            let only = |name: &String| match &known.named(name)[..] {
                [only] => Some(RemoteId::from(only.as_str())),
                _ => None,
            };
            names.filter_map(|name| only(&name).map(|id| (name, id))).collect()
        });
        self.directory.resolve(&pass.uid(), resolved);
    }

    /// Those of whom it isn't known whether they have an account, and which.
    pub(super) fn unfound(&self, pass: &GroupPass) -> Unfound {
        let mut unfound = Unfound::default();
        let names = self.directory.undeclared_names(&pass.uid());
        if names.is_empty() {
            return unfound;
        }
        let searchable = User::may_filter(&pass.session, USER_NAME);
        let waits = self.awaits_list(pass);
        self.mirror.users.look(|known| {
            for (name, declared) in names {
                match (known.named(&name).len(), known.looked_for.get(&name)) {
                    (1, _) => {}
                    (2.., _) => unfound.several.push(declared),
                    _ if known.is_complete() => {}
                    _ if waits => unfound.unlisted.push(declared),
                    (_, Some(false)) => unfound.unsearchable.push(declared),
                    _ if !searchable => unfound.unsearchable.push(declared),
                    (_, None) => unfound.unsought.push(declared),
                    _ if !known.sightings.filter_is_heeded(USER_NAME) => unfound.unproven.push(declared),
                    _ => {}
                }
            }
        });
        unfound
    }

    /// Members that are declared by their ids and don't seem to be in, where the group shows some of whom nothing tells who they
    /// are: a server that names members by userName, and lists nobody, may mean these.
    pub(super) fn may_be_shown_by_name(&self, pass: &GroupPass) -> Vec<RemoteId> {
        if self.awaits_list(pass) || self.mirror.users.look(UserMirror::is_complete) {
            return Vec::new();
        }
        let members = self.directory.membership(&pass.uid(), |members| {
            let missing: Vec<RemoteId> = members.missing().iter().cloned().collect();
            let here: Vec<RemoteId> = if missing.is_empty() { Vec::new() } else { members.here().cloned().collect() };
            (missing, here)
        });
        let (missing, here) = members.unwrap_or_default();
        self.mirror.users.look(|known| {
            let strange = |id: &RemoteId| !known.shows(id.as_str());
            if here.iter().any(strange) { missing.into_iter().filter(strange).collect() } else { Vec::new() }
        })
    }

    /// Accounts were read, and the group shows one of them by its userName: it is read again.
    pub(super) fn reads_names_again(&self, pass: &mut GroupPass, read: &[RemoteId]) {
        let names: BTreeSet<String> = self.mirror.users.look(|known| {
            let name = |id: &RemoteId| known.identity(id.as_str()).map(|(name, _)| fold(name));
            read.iter().filter_map(name).collect()
        });
        let is_shown = self.directory.membership(&pass.uid(), |members| {
            let mut here = members.here();
            here.any(|id| names.contains(&fold(id.as_str())))
        });
        if !names.is_empty() && is_shown == Some(true) {
            pass.account = Some(Account::Unknown);
        }
    }

    /// Nothing that the server can be asked tells whose these members are: it shows nobody under what it names them by, and
    /// doesn't list its users.
    pub(super) fn can_tell_nobody(&self, pass: &GroupPass, unknown: &BTreeSet<RemoteId>) -> bool {
        !unknown.is_empty()
            && !self.awaits_list(pass)
            && self.mirror.users.look(|known| {
                let in_vain =
                    |id: &RemoteId| known.sightings.was_asked(id.as_str()) && !known.sightings.is_missing(id.as_str());
                !known.is_complete() && unknown.iter().all(in_vain)
            })
    }

    /// The server lists its users, and the first list is still to come.
    pub(super) fn awaits_list(&self, pass: &GroupPass) -> bool {
        pass.session.policy.profile.list_users && self.connection.state.first_sweep() != FirstSweep::Ended
    }

    /// Nothing else is owed, and somebody is to be looked for.
    pub(super) fn has_names_to_look_for(&self, pass: &GroupPass, verdict: &GroupVerdict) -> bool {
        let rests = verdict.details.members.is_some() && !verdict.details.again;
        rests && !self.to_be_looked_for(pass).is_empty()
    }

    /// Those that are to be looked for one by one: folded, and as they are declared.
    fn to_be_looked_for(&self, pass: &GroupPass) -> Vec<(String, String)> {
        if self.awaits_list(pass) || self.serves_removals_only() || !User::may_filter(&pass.session, USER_NAME) {
            return Vec::new();
        }
        let names = self.directory.undeclared_names(&pass.uid());
        let lists = pass.session.policy.profile.list_users;
        self.mirror.users.look(|known| {
            let due = |name: &String| {
                let unknown = !known.is_complete() && known.named(name).is_empty();
                (unknown || !lists) && !known.looked_for.contains_key(name)
            };
            names.into_iter().filter(|(name, _)| due(name)).collect()
        })
    }

    /// Whoever isn't known yet is looked for, once nothing else is owed. True where that was done.
    pub(super) async fn look_for_names(&self, pass: &mut GroupPass, verdict: &GroupVerdict) -> Result<bool, GroupStop> {
        let room = READ_SINGLY.saturating_sub(pass.own.looked_for);
        if room == 0 || !self.has_names_to_look_for(pass, verdict) {
            return Ok(false);
        }
        for (name, declared) in self.to_be_looked_for(pass).into_iter().take(room) {
            pass.own.looked_for += 1;
            self.look_for_name(pass, &name, &composed(&declared)).await?;
        }
        self.resolve_names(pass);
        Ok(true)
    }

    async fn look_for_name(&self, pass: &GroupPass, name: &str, declared: &str) -> Result<(), GroupStop> {
        let deadline = self.turn(pass, RequestKind::Read, Priority::Write).await?;
        let answer = self.find_all(&pass.session, Kind::Users, (USER_NAME, declared), deadline).await;
        let looked_for = |known: &mut UserMirror, heeded| _ = known.looked_for.insert(name.to_owned(), heeded);
        match answer {
            Ok(found) => {
                let others = self.mirror.users.change(pass.session.epoch, |known| {
                    looked_for(known, true);
                    named(known, name, &found)
                });
                for id in others.unwrap_or_default() {
                    self.look_at_former(pass, &id).await?;
                }
                if found.hits.is_empty() { self.prove_filter(pass).await } else { Ok(()) }
            }
            Err(error) => match User::search_refused(self, &pass.session, (USER_NAME, declared), &error) {
                SearchRefused::List => {
                    self.note_failure(&error);
                    self.mirror.users.change(pass.session.epoch, |known| looked_for(known, false));
                    Ok(())
                }
                _ => Err(self.failed(pass, &error)),
            },
        }
    }

    /// An account had the name when it was seen last, and a search doesn't show it: it may have another one, or be gone.
    async fn look_at_former(&self, pass: &GroupPass, id: &str) -> Result<(), GroupStop> {
        let deadline = self.turn(pass, RequestKind::Read, Priority::Write).await?;
        let answer = self.effects.get(&pass.session.client, Kind::Users, id, false, deadline).await;
        let now = self.effects.now();
        match answer {
            Ok(account) => _ = self.mirror.users.change(pass.session.epoch, |known| known.apply(&account)),
            Err(error) if error.class() == Class::NotFound => {
                self.mirror.users.change(pass.session.epoch, |known| {
                    if known.missing(id, now) {
                        known.forget(id);
                    }
                });
            }
            Err(error) => return Err(self.failed(pass, &error)),
        }
        Ok(())
    }

    /// A search that finds nobody proves nothing before it was seen to find somebody.
    async fn prove_filter(&self, pass: &GroupPass) -> Result<(), GroupStop> {
        let sample = self.mirror.users.look(|known| {
            let heeded = known.sightings.filter_is_heeded(USER_NAME);
            let sample = known.sample(USER_NAME, &User::finds_surely).or_else(|| known.sample(USER_NAME, &|_| true));
            sample.filter(|_| !heeded)
        });
        if let Some(sample) = sample {
            self.finds_known::<User, _>(pass, USER_NAME, &sample).await?;
        }
        Ok(())
    }
}

/// Applies what a search by userName found. Returns the accounts that had the name, as far as was known, and aren't among
/// them.
fn named(known: &mut UserMirror, name: &str, found: &Found) -> Vec<String> {
    let hits = || found.hits.iter().filter(|hit| hit.user_name().map(fold).as_deref() == Some(name));
    for hit in hits() {
        known.sightings.filter_found(USER_NAME);
        known.apply(hit);
    }
    let shown = |id: &String| hits().any(|hit| hit.id() == Some(id));
    known.named(name).into_iter().filter(|id| !shown(id)).collect()
}
