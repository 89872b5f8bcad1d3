//! Members on record by their ids alone, whom no ScimUser stands for any more: beside each id is the userName that was shown
//! under it. Where the server gave out new ids, that tells who they are; nobody is taken out by an id that is somebody
//! else's by now (promises I6, I31).

use std::collections::BTreeSet;

use kube::runtime::events::EventType;
use serde_json::{Map, Value, json};

use super::{GroupPass, GroupStop};
use crate::api::RemoteId;
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::mirror::Mirror as _;
use crate::provisioner::schedule::queue::Outcome;
use crate::scim::fold;

impl<E: Effects> Provisioner<E> {
    /// The userNames of these accounts, as far as the server has shown them.
    pub(super) fn names_of<'a>(&self, ids: impl Iterator<Item = &'a str>) -> Map<String, Value> {
        self.mirror.users.look(|known| {
            let name = |id: &str| known.identity(id).map(|(name, _)| (id.to_owned(), json!(name)));
            ids.filter_map(name).collect()
        })
    }

    /// Whoever is on record by their ids alone is named; of those who were `removed`, and of whom nothing is on record any
    /// more, the name is forgotten.
    pub(super) async fn name_members(&self, pass: &mut GroupPass, removed: &[RemoteId]) {
        self.refresh(pass);
        let recorded = pass.object.status.clone().unwrap_or_default();
        let known = recorded.member_names.unwrap_or_default();
        let owned: BTreeSet<&str> = pass.status.brought_in.iter().flatten().map(String::as_str).collect();
        let mut names = self.names_of(owned.iter().copied().filter(|id| !known.contains_key(*id)));
        let stays = |id: &str| owned.contains(id) || recorded.leaving.as_ref().is_some_and(|all| all.contains_key(id));
        let gone = removed.iter().map(RemoteId::as_str).filter(|id| known.contains_key(*id) && !stays(id));
        names.extend(gone.map(|id| (id.to_owned(), Value::Null)));
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
        let declared = self.directory.membership(&pass.uid(), |members| {
            names.keys().filter(|id| members.is_declared(&id.as_str().into())).cloned().collect::<BTreeSet<_>>()
        });
        let declared = declared.unwrap_or_default();
        let found = self.mirror.users.look_in(pass.session.epoch, |known| {
            let (mut moved, mut lost) = (Vec::new(), Vec::new());
            for (id, name) in names.iter().filter(|(id, _)| !declared.contains(*id)) {
                let shown = known.identity(id).map(|(name, _)| fold(name));
                match &known.named(name)[..] {
                    _ if shown.as_ref() == Some(&fold(name)) => {}
                    [only] if shown.is_some() || known.is_complete() => moved.push((id.clone(), only.clone())),
                    _ if shown.is_some() && known.is_complete() => lost.push(id.clone()),
                    _ => {}
                }
            }
            (moved, lost)
        });
        let Some((moved, lost)) = found.filter(|(moved, lost)| !(moved.is_empty() && lost.is_empty())) else {
            return Ok(());
        };
        let leaving = status.leaving.unwrap_or_default();
        let (mut left, mut named) = (Map::new(), Map::new());
        let mut owned = pass.status.brought_in.take().unwrap_or_default();
        for (old, new) in moved.iter().map(|(old, new)| (old, Some(new))).chain(lost.iter().map(|old| (old, None))) {
            let since = leaving.get(old);
            let brought = owned.iter().any(|id| id == old);
            owned.retain(|id| id != old && Some(id) != new);
            self.directory.membership(&pass.uid(), |members| {
                members.forget_id(&old.as_str().into());
                let Some(new) = new.map(|new| RemoteId::from(new.as_str())) else { return };
                if let Some(since) = since {
                    members.vanish(&new, since.0);
                }
                members.own(&new);
            });
            if since.is_some() {
                left.insert(old.clone(), Value::Null);
            }
            named.insert(old.clone(), Value::Null);
            let Some(new) = new else { continue };
            if brought {
                owned.push(new.clone());
            }
            left.extend(since.map(|since| (new.clone(), json!(since))));
            named.insert(new.clone(), json!(names[old]));
        }
        pass.status.brought_in = (!owned.is_empty()).then_some(owned);
        let saved = self.save_group(&pass.object, &pass.status).await.is_ok()
            && self.merge_members(&pass.object, json!({"leaving": left, "memberNames": named})).await;
        self.refresh(pass);
        if !saved {
            return Err(GroupStop::WithoutStatus(Outcome::Retry));
        }
        if !lost.is_empty() {
            self.tell_of_lost(pass, lost.len()).await;
        }
        Ok(())
    }

    /// So many members on record can't be told from others any more.
    pub(super) async fn tell_of_lost(&self, pass: &GroupPass, count: usize) {
        let note = format!(
            "under the ids of {count} members whom this object put in, or who are about to leave, the server shows somebody else \
             by now, or nobody knows: they count as put in by others from now on; once they aren't declared any more, take \
             them out at the server"
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
