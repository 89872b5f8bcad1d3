//! Members on record by their ids alone, whom no ScimUser stands for any more: beside each id is the userName that was shown
//! under it. Where the server gave out new ids, that tells who they are; nobody is taken out by an id that is somebody
//! else's by now (promises I6, I31).

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::runtime::events::EventType;
use serde_json::{Map, Value, json};

use super::followed::Record;
use super::{GroupPass, GroupStop};
use crate::api::{Membership as Declared, RemoteId};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::mirror::Mirror as _;
use crate::provisioner::schedule::queue::Outcome;
use crate::scim::fold;

/// The longest name that goes on record.
const LONGEST_NAME: usize = 512;

/// So many ids are on record of what a group brought in.
const MOST_BROUGHT: usize = 5_000;

/// A member on record whom the server shows otherwise than by their name.
struct Odd {
    id: String,
    /// The userName that the server shows under the id.
    shown: Option<String>,
    /// The ids that it shows under the name.
    named: Vec<String>,
    /// Everybody was listed.
    complete: bool,
}

impl<E: Effects> Provisioner<E> {
    /// The userNames of these accounts, as far as the server has shown them.
    pub(super) fn names_of<'a>(&self, ids: impl Iterator<Item = &'a str>) -> Map<String, Value> {
        self.mirror.users.look(|known| {
            let name = |id: &str| known.identity(id).map(|(name, _)| (id.to_owned(), name.to_owned()));
            let named = ids.filter_map(name).filter(|(_, name)| name.chars().count() <= LONGEST_NAME);
            named.map(|(id, name)| (id, json!(name))).collect()
        })
    }

    /// Whoever is on record by their ids alone is named; of those of whom nothing is on record any more, the name is
    /// forgotten.
    pub(super) async fn name_members(&self, pass: &mut GroupPass) {
        self.refresh(pass);
        let recorded = pass.object.status.clone().unwrap_or_default();
        let known = recorded.member_names.unwrap_or_default();
        let owned: BTreeSet<&str> = pass.status.brought_in.iter().flatten().map(String::as_str).collect();
        let mut names = self.names_of(owned.iter().copied().filter(|id| !known.contains_key(*id)));
        let stays = |id: &str| owned.contains(id) || recorded.leaving.as_ref().is_some_and(|all| all.contains_key(id));
        names.extend(known.keys().filter(|id| !stays(id)).map(|id| (id.clone(), Value::Null)));
        // Without it, they are taken for whoever the id shows.
        if !names.is_empty() && self.merge_members(&pass.object, json!({"memberNames": names})).await {
            self.refresh(pass);
        }
    }

    /// Whoever is on record has another id by now, or is nobody of whom the server tells: the record follows them, or is
    /// dropped, and that is told.
    pub(super) async fn follow_ids(&self, pass: &mut GroupPass) -> Result<(), GroupStop> {
        let status = pass.object.status.clone().unwrap_or_default();
        let Some(names) = status.member_names.filter(|names| !names.is_empty() && pass.status.id.is_some()) else {
            return Ok(());
        };
        let leaving = status.leaving.unwrap_or_default();
        let brought = pass.status.brought_in.clone().unwrap_or_default();
        let odd = self.shown_otherwise(pass, &names, &brought, &leaving);
        if odd.is_empty() {
            return Ok(());
        }
        let (renamed, odd): (Vec<Odd>, Vec<Odd>) = odd.into_iter().partition(|odd| self.is_renamed(pass, odd));
        let renamed: Map<String, Value> =
            renamed.into_iter().filter_map(|odd| Some((odd.id, json!(odd.shown?)))).collect();
        // A name that isn't noted now is noted by the next pass.
        if !renamed.is_empty() && self.merge_members(&pass.object, json!({"memberNames": renamed})).await {
            self.refresh(pass);
        }
        let (moved, lost) = self.found_again(pass, &names, odd);
        if moved.is_empty() && lost.is_empty() {
            return Ok(());
        }
        let record = Record { brought: &brought, leaving: &leaving, names: &names };
        self.move_record(pass, &record, &moved, &lost).await?;
        if !lost.is_empty() {
            self.tell_of_lost(pass, lost.len()).await;
        }
        Ok(())
    }

    /// Who is on record, and isn't shown by their name.
    fn shown_otherwise(
        &self,
        pass: &GroupPass,
        names: &BTreeMap<String, String>,
        brought: &[String],
        leaving: &BTreeMap<String, Time>,
    ) -> Vec<Odd> {
        let brought: BTreeSet<&String> = brought.iter().collect();
        let odd = self.mirror.users.look_in(pass.session.epoch, |known| {
            let recorded = names.iter().filter(|(id, _)| brought.contains(id) || leaving.contains_key(*id));
            let odd = recorded.filter_map(|(id, name)| {
                let shown = known.identity(id).map(|(name, _)| name.to_owned());
                (shown.as_deref().map(fold) != Some(fold(name))).then(|| Odd {
                    id: id.clone(),
                    shown,
                    named: known.named(name),
                    complete: known.is_complete(),
                })
            });
            odd.collect()
        });
        odd.unwrap_or_default()
    }

    /// It is the same person under another name: a ScimUser that is bound to the account declares it, or the object names
    /// this account, and nobody has the former name.
    fn is_renamed(&self, pass: &GroupPass, odd: &Odd) -> bool {
        let (Some(shown), id) = (&odd.shown, RemoteId::from(odd.id.as_str())) else { return false };
        match self.directory.bound_to(&self.key, pass.server(), &id) {
            Some(user) => fold(&user.spec.user_name) == fold(shown),
            None => odd.complete && odd.named.is_empty() && self.declares(pass, &id),
        }
    }

    fn declares(&self, pass: &GroupPass, id: &RemoteId) -> bool {
        self.directory.membership(&pass.uid(), |members| members.is_declared(id)) == Some(true)
    }

    /// Who has another id by now, and who has none that is certain. An id that shows somebody else is no proof: its person may
    /// have another name, and somebody new the former one.
    fn found_again(
        &self,
        pass: &GroupPass,
        names: &BTreeMap<String, String>,
        odd: Vec<Odd>,
    ) -> (Vec<(String, String)>, Vec<String>) {
        let known: BTreeSet<String> = names.values().map(|name| fold(name)).collect();
        let has_others_id = |odd: &Odd| odd.shown.as_ref().is_some_and(|shown| known.contains(&fold(shown)));
        let at_large = self.notes.were_renumbered(self.effects.now())
            || self.group_notes.bound_anew_at(&pass.uid()).is_some()
            || odd.iter().any(has_others_id);
        let (mut moved, mut lost) = (Vec::new(), Vec::new());
        for odd in odd.into_iter().filter(|odd| odd.complete && !self.declares(pass, &odd.id.as_str().into())) {
            match &odd.named[..] {
                [only] if odd.shown.is_none() || at_large => moved.push((odd.id, only.clone())),
                _ if odd.shown.is_some() => lost.push(odd.id),
                _ => {}
            }
        }
        (moved, lost)
    }

    /// Carries out what follows from that. Whatever is written stands beside what was, until all of it is: whenever the
    /// process dies, the next pass comes to the same.
    async fn move_record(
        &self,
        pass: &mut GroupPass,
        record: &Record<'_>,
        moved: &[(String, String)],
        lost: &[String],
    ) -> Result<(), GroupStop> {
        let followed = record.follow(moved, lost);
        self.directory.membership(&pass.uid(), |members| {
            for old in moved.iter().map(|(old, _)| old).chain(lost) {
                members.forget_id(&old.as_str().into());
            }
            for (old, new) in moved {
                let new = RemoteId::from(new.as_str());
                if let Some(since) = record.leaving.get(old) {
                    members.vanish(&new, since.0);
                }
                members.own(&new);
            }
        });
        let both = |brought: Vec<String>| (!brought.is_empty()).then_some(brought);
        let mut saved = true;
        if followed.beside.len() <= MOST_BROUGHT {
            pass.status.brought_in = both(followed.beside);
            saved = self.save_group(&pass.object, &pass.status).await.is_ok();
        }
        saved = saved
            && self
                .merge_members(&pass.object, json!({"leaving": followed.leaving, "memberNames": followed.names}))
                .await;
        if saved {
            pass.status.brought_in = both(followed.brought);
            saved = self.save_group(&pass.object, &pass.status).await.is_ok()
                && self
                    .merge_members(&pass.object, json!({"leaving": followed.olds, "memberNames": followed.olds}))
                    .await;
        }
        self.refresh(pass);
        if saved { Ok(()) } else { Err(GroupStop::WithoutStatus(Outcome::Retry)) }
    }

    /// So many members on record can't be told from others any more.
    pub(super) async fn tell_of_lost(&self, pass: &GroupPass, count: usize) {
        // Where nobody else stays in, neither do they.
        if pass.object.spec.membership == Declared::Exact {
            return;
        }
        let note = format!(
            "under the ids of {count} members whom this object put in, or who are about to leave, the server shows another \
             userName by now, and it isn't certain whose they are: they count as put in by others from now on; once they aren't \
             declared any more, take them out at the server"
        );
        self.tell(pass, EventType::Warning, "NewIds", &note).await;
    }

    /// Of those who are to be taken out: who is on record by a name, and isn't shown yet.
    pub(super) fn to_be_shown(&self, pass: &GroupPass) -> Vec<RemoteId> {
        let names = pass.object.status.as_ref().and_then(|status| status.member_names.as_ref());
        let Some(names) = names.filter(|names| !names.is_empty()) else { return Vec::new() };
        let leave = self.directory.membership(&pass.uid(), |members| {
            let leaves = |id: &&RemoteId| names.contains_key(id.as_str());
            members.extra().iter().filter(leaves).cloned().collect::<Vec<RemoteId>>()
        });
        let mut leave = leave.unwrap_or_default();
        self.mirror.users.look(|known| {
            let shown = |id: &RemoteId| known.identity(id.as_str()).is_some() || known.sightings.is_gone(id.as_str());
            leave.retain(|id| !shown(id));
        });
        leave
    }
}
