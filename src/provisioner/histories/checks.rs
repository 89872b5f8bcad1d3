//! What must hold at every step of a history.

use kube::ResourceExt;

use super::pass::{Pass, reason_of};
use super::setup::{PROTECTED, SERVER};
use super::site::{Answer, is_active, name_of};
use super::world::World;
use crate::api::{DeletionPolicy, OperationType, ScimUser};
use crate::plan::guards::{Admission, GuardName};
use crate::plan::{Account, Declared, Departure, Operation, Path, Step, Verdict};
use crate::provisioner::directory::{full_name, has_finalizer, is_deleting};
use crate::scim::{Attributes, fold};

impl World {
    /// The deletion policy that is in force for an object.
    fn deletion(&self, user: &ScimUser) -> DeletionPolicy {
        match (self.policy.deletion, user.spec.deletion_policy) {
            (_, Some(DeletionPolicy::Retain)) | (DeletionPolicy::Retain, _) => DeletionPolicy::Retain,
            (DeletionPolicy::Deactivate, _) | (_, Some(DeletionPolicy::Deactivate)) => DeletionPolicy::Deactivate,
            _ => DeletionPolicy::Delete,
        }
    }

    pub fn declared(&self, user: &ScimUser) -> Declared {
        Declared::new(&user.spec, None, &self.policy.profile, self.time())
    }

    /// What is decided must have been declared, as far as the operator has heard.
    pub fn check_step(&mut self, pass: &mut Pass, step: &Step) {
        let Step::Send(operation) = step else { return };
        pass.informed = self.rests_on(pass);
        let user = &pass.user;
        let leaves = is_deleting(user) && !user.wants_release();
        let declared = match operation.kind {
            OperationType::Deactivate => {
                (leaves && self.deletion(user) == DeletionPolicy::Deactivate)
                    || (!is_deleting(user) && self.declared(user).active == Some(false))
            }
            OperationType::Delete => leaves && self.deletion(user) == DeletionPolicy::Delete,
            _ => true,
        };
        if !declared {
            self.complain(format!("i10: {} was not declared: {:?}", full_name(&pass.user), operation.kind));
        }
        if let Some(path) = self.overwrites(pass, operation) {
            self.complain(format!("i09: {path} was changed by others, and is overwritten under Report"));
        }
    }

    /// An attribute that is declared as it was when it was last carried out, and is sent nevertheless.
    fn overwrites(&self, pass: &Pass, operation: &Operation) -> Option<Path> {
        let (account, carried_out) = self.book.carried_out.get(&*pass.ticket.uid)?;
        let asked = self.policy.repair.attributes || pass.recorded.answered.is_some();
        let update = matches!(operation.kind, OperationType::Update | OperationType::Reactivate);
        if asked || !update || pass.status.id.as_ref() != Some(account) {
            return None;
        }
        let declared = self.declared(&pass.user).attributes;
        let same = |path: &&Path| declared.contains_key(path) && declared.get(path) == carried_out.get(path);
        operation.attributes.iter().find(same).cloned()
    }

    /// How things stand when nothing is left to be sent.
    pub fn note_rest(&mut self, pass: &Pass, verdict: &Verdict) {
        let uid = pass.ticket.uid.to_string();
        if let (Some(_), Some(id)) = (&verdict.applied, &pass.status.id) {
            let now = self.declared(&pass.user).attributes;
            self.book.carried_out.insert(uid, (id.clone(), now));
        }
    }

    /// The version of the account that the plan rests on, if that is the newest.
    fn rests_on(&self, pass: &Pass) -> Option<String> {
        let account = pass.account.clone().unwrap_or_else(|| self.known(pass));
        let Account::Found { resource, .. } = account else { return None };
        let newest = self.site.get(resource.id()?)?;
        (newest.version() == resource.version()).then(|| newest.version().map(str::to_owned))?
    }

    /// No guard lets more through than its limit, but what a person let go.
    pub fn check_admission(
        &mut self,
        pass: &mut Pass,
        kind: OperationType,
        guard: Option<GuardName>,
        admission: &Admission,
    ) {
        let uid = pass.ticket.uid.to_string();
        pass.admitted = None;
        match admission {
            Admission::Go => {}
            Admission::Held { .. } => {
                self.operator.held.insert(uid, Some((pass.generation(), guard)));
                return;
            }
            _ => {
                self.operator.held.remove(&uid);
                return;
            }
        }
        let done = self.book.done.get(&uid).copied().unwrap_or_default();
        let key = format!("{uid} {} {kind:?} {done}", pass.generation());
        // After a restart an approval is still known by the hold that the object's status names.
        let named = pass.status.hold.as_ref().is_some_and(|hold| self.cluster.approved.as_ref() == Some(&hold.id));
        let known = self.operator.held.remove(&uid);
        let was_held = named || known.is_some_and(|of| of.is_none_or(|of| of == (pass.generation(), guard)));
        if was_held && (guard.is_some() || self.settings.plan) {
            if self.cluster.approved.is_none() {
                self.complain(format!("i13: {key} was held and went without an approval"));
            }
            self.book.approved.insert(key);
            return;
        }
        if self.book.approved.contains(&key) {
            return;
        }
        if self.settings.plan {
            self.complain(format!("i13: {key} went under mode: Plan"));
        }
        pass.admitted = guard.map(|guard| (guard, self.now, key));
    }

    /// What got leave is sent: no window has more of it than the limit.
    fn count(&mut self, guard: GuardName, at: i64, key: &str) {
        let window = i64::try_from(self.setup.window * 1000).unwrap_or(i64::MAX);
        let let_go = self.book.let_go.entry(guard).or_default();
        let_go.retain(|(_, known)| known != key);
        let_go.push((at, key.to_owned()));
        let within = |end: i64| let_go.iter().filter(|(at, _)| *at > end - window && *at <= end).count();
        let gone = let_go.iter().map(|(end, _)| within(*end)).max().unwrap_or_default();
        let limit = self.settings.limits.get(&guard).map_or(u64::MAX, |limit| limit.of(0));
        if gone as u64 > limit {
            self.complain(format!("i13: {gone} {} within a window that allows {limit}", guard.as_str()));
        }
    }

    /// The server carries it out, and what it did is looked at.
    pub fn carry_out(&mut self, pass: &Pass, operation: &Operation) -> Answer {
        if let Some((guard, at, key)) = &pass.admitted {
            self.count(*guard, *at, key);
        }
        let uid = pass.ticket.uid.to_string();
        match self.cluster.objects.get(&uid) {
            None => self.complain("i28: something is sent for an object that is gone"),
            Some(user) if !has_finalizer(user) => self.complain("i07: something is sent before the finalizer is set"),
            Some(_) => {}
        }
        let target = operation.request.target().map(str::to_owned);
        let before = target.as_ref().and_then(|id| self.site.get(id));
        let answer = self.site.apply(&operation.request);
        let after = target.as_ref().and_then(|id| self.site.get(id));
        // What the server refuses is asked again, later and later (promise I21).
        let accepted = matches!(answer, Answer::Shown(_) | Answer::Done);
        self.book.writes += u64::from(accepted);
        self.say(|| format!("  server: {:?}", operation.request));
        if let (None, Answer::Shown(made)) = (&target, &answer) {
            let id = made.id().unwrap_or_default().to_owned();
            self.check_creation(&uid, &id);
        }
        if let (Some(id), Some(before)) = (target, before) {
            let after = after.map(|after| after.0);
            self.check_change(pass, operation, &id, (&before.0, after.as_ref()), accepted);
        }
        answer
    }

    fn check_creation(&mut self, uid: &str, id: &str) {
        let earlier = self.book.made.get(uid).into_iter().flatten();
        let bound = |other: &&String| self.cluster.objects.values().any(|user| id_of(user) == Some(other.as_str()));
        let left = earlier
            .filter(|other| self.site.get(other).is_some() && !self.book.excused.contains(*other))
            .find(|other| !bound(other) || self.cluster.objects.get(uid).and_then(id_of) == Some(other.as_str()));
        if let Some(other) = left.filter(|_| self.setup.unique).cloned()
            && !self.book.denied.contains(&other)
        {
            self.complain(format!("i07: {uid} gets a second account, {id} beside {other}"));
        }
        self.book.ours.insert(id.to_owned());
        self.book.made.entry(uid.to_owned()).or_default().push(id.to_owned());
    }

    fn check_change(
        &mut self,
        pass: &Pass,
        operation: &Operation,
        id: &str,
        (before, after): (&Attributes, Option<&Attributes>),
        accepted: bool,
    ) {
        let uid = pass.ticket.uid.to_string();
        let removal = is_active(before) && after.is_none_or(|after| !is_active(after));
        let renamed = after.is_some_and(|after| name_of(after) != name_of(before));
        if removal || after.is_none() {
            if !operation.removes() {
                self.complain(format!("i10: {:?} takes access away", operation.kind));
            }
            let holder = self.cluster.objects.values().find(|user| {
                id_of(user) == Some(id) && user.metadata.uid.as_deref() != Some(&uid) && !is_deleting(user)
            });
            if let Some(holder) = holder.map(full_name) {
                self.complain(format!("i08: an account that {holder} holds is taken away"));
            }
        }
        if !removal && !is_active(before) && after.is_some_and(is_active) {
            if operation.kind != OperationType::Reactivate {
                self.complain(format!("i22: {:?} gives access back", operation.kind));
            }
            self.site.deactivated_by_hand.remove(id);
        }
        if self.setup.protected && name_of(before) == PROTECTED && (removal || after.is_none() || renamed) {
            self.complain("i14: a protected account is touched");
        }
        let unsaved = self.operator.memory.unsaved(&uid).and_then(|status| status.id.as_deref());
        let own = unsaved == Some(id) || self.cluster.objects.get(&uid).and_then(id_of) == Some(id);
        let made = self.book.made.get(&uid).is_some_and(|made| made.iter().any(|made| made == id));
        // A creation without an answer leaves it open whether the account is what that made, and so does a crash right
        // before one.
        let claimed = self.cluster.objects.get(&uid).and_then(ScimUser::claimed_account);
        let asked = self.book.asked.contains(&(uid.clone(), name_of(before)));
        let open = (asked || self.book.restarts > 1)
            && claimed.is_some_and(|claimed| fold(&claimed.user_name) == fold(&name_of(before)));
        if renamed && !own && !made && !open {
            self.complain("i06: a first binding renames");
        }
        let unchanged = accepted && after == Some(before);
        let known = before.get("meta").and_then(|meta| meta.get("version")?.as_str());
        if unchanged && !self.setup.drops && pass.informed.is_some() && pass.informed.as_deref() == known {
            let request = &operation.request;
            self.complain(format!("i01: {:?} changes nothing: {request:?}", operation.kind));
        }
    }

    /// No two objects are bound to one account, but who hands it over; and no account passes from a living object to
    /// another one.
    pub fn check_owners(&mut self) {
        let mut owners = std::collections::BTreeMap::new();
        let mut twice = None;
        for user in self.cluster.objects.values().filter(|user| !is_deleting(user)) {
            let Some(id) = id_of(user) else { continue };
            let uid = user.uid().unwrap_or_default();
            let before = self.book.holders.insert(id.to_owned(), uid.clone());
            let living = before.filter(|before| *before != uid).and_then(|before| self.cluster.objects.get(&before));
            if let Some(other) = living.filter(|other| !is_deleting(other)) {
                twice = Some(format!("i08: {id} passes from {} to {}", full_name(other), full_name(user)));
            }
            if let Some(other) = owners.insert(id.to_owned(), full_name(user)) {
                twice = Some(format!("i08: {other} and {} are bound to {id}", full_name(user)));
            }
        }
        if let Some(twice) = twice {
            self.complain(twice);
        }
    }

    /// The object goes: its account is left as it is only where that was declared, and handed over only to an object that
    /// is bound to it on record.
    pub fn check_departure(&mut self, pass: &Pass, departure: &Departure) {
        let user = &pass.user;
        let protected = self.setup.protected
            && [Some(&user.spec.user_name), pass.status.user_name.as_ref()]
                .into_iter()
                .flatten()
                .any(|name| fold(name) == PROTECTED);
        if user.wants_release() || self.deletion(user) == DeletionPolicy::Retain || protected {
            return self.excuse(pass);
        }
        match departure {
            Departure::Done => {}
            Departure::LeftAsIs => self.complain(format!("i15: the account of {} is left", full_name(user))),
            Departure::HandedOver(successor) => {
                // Deleted meanwhile, it carries out the removal itself.
                let bound = self.cluster.objects.values().any(|other| {
                    full_name(other) == *successor && has_finalizer(other) && id_of(other) == pass.status.id.as_deref()
                });
                if !bound || pass.status.id.is_none() {
                    self.complain(format!("i08: {} is let go, and {successor} has not its account", full_name(user)));
                }
            }
        }
    }

    /// When everything has calmed down, the server shows what is declared.
    pub fn check_end(&mut self) {
        for user in self.cluster.objects.values().cloned().collect::<Vec<_>>() {
            if let Err(why) = self.check_object(&user) {
                let status = user.status.clone().unwrap_or_default();
                let account = status.id.as_deref().and_then(|id| self.site.get(id));
                let spec = serde_json::to_string(&user.spec).unwrap_or_default();
                self.complain(format!(
                    "{} {why}: {spec} {:?} {:?} {account:?}",
                    full_name(&user),
                    reason_of(&status),
                    status.id
                ));
            }
        }
        self.check_orphans();
    }

    fn check_object(&self, user: &ScimUser) -> Result<(), &'static str> {
        let status = user.status.clone().unwrap_or_default();
        let reason = reason_of(&status);
        if reason == "Held" {
            return Ok(());
        }
        if is_deleting(user) {
            return Err("i15: is still being deleted");
        }
        let declared = self.declared(user);
        let name = fold(&user.spec.user_name);
        let rivals = self.cluster.objects.values().any(|other| {
            other.metadata.uid != user.metadata.uid
                && (fold(&other.spec.user_name) == name
                    || other
                        .status
                        .as_ref()
                        .is_some_and(|status| status.user_name.as_deref().map(fold).as_ref() == Some(&name)))
        });
        // Whoever has the name is to give it up, and is looked at itself.
        let blocked = self.cluster.objects.values().any(|other| {
            let has = other.status.as_ref().and_then(|status| status.user_name.as_deref()).map(fold);
            other.metadata.uid != user.metadata.uid
                && has.as_ref() == Some(&name)
                && fold(&other.spec.user_name) != name
        });
        let fitting = self.site.find(&user.spec.user_name, user.spec.external_id.as_deref(), false);
        if reason == "Pending" && blocked {
            return Ok(());
        }
        let one = fitting.len() == 1 && name_of(&fitting[0].0) == name;
        let Some(id) = &status.id else {
            return match reason {
                "Conflict" if rivals || (!one && !fitting.is_empty()) => Ok(()),
                "AdoptionRefused" if one => Ok(()),
                _ if declared.active == Some(false) && fitting.is_empty() => Ok(()),
                _ => Err("i07: has no account"),
            };
        };
        let Some(account) = self.site.get(id) else {
            let left = reason == "DeletedAtServer" && !self.policy.repair.deleted;
            let by_hand = self.site.deleted_by_hand.contains(id);
            match reason {
                "Conflict" if by_hand && (rivals || (!one && !fitting.is_empty())) => return Ok(()),
                "AdoptionRefused" if by_hand && one => return Ok(()),
                _ => {}
            }
            return if by_hand && (left || declared.active == Some(false)) {
                Ok(())
            } else {
                Err("i09: its account is gone")
            };
        };
        let active = is_active(&account.0);
        let conflict = reason == "Conflict" && (rivals || fitting.iter().any(|other| other.id() != Some(id)));
        if conflict || reason == "Protected" {
            return Ok(());
        }
        let left = reason == "DeactivatedAtServer" && !self.policy.repair.deactivated;
        let by_hand = self.site.deactivated_by_hand.contains(id);
        match declared.active {
            Some(false) if active => return Err("i15: is active"),
            Some(true) if !(active || left && by_hand) => return Err("i16: is inactive"),
            _ => {}
        }
        if !active || reason == "Contested" || (reason == "Drifted" && !self.policy.repair.attributes) {
            return Ok(());
        }
        // Changed by hand between a write that answers nothing and its reading back, it looks as if it wasn't kept.
        let ignored = |path: &Path| {
            let path = path.to_string();
            status.ignored_attributes.iter().flatten().any(|ignored| ignored.path == path)
        };
        let lost = |path: &Path| (self.setup.drops && path.name() == "title") || (self.setup.silent && ignored(path));
        // Among several entries that fit, the one that says it counts.
        let shown = |path: &Path, value| {
            let says = |entry| crate::plan::says_the_same(path, value, entry);
            says(path.read(&account)) || path.entries(&account).any(|entry| says(Some(entry)))
        };
        let differs = declared.attributes.iter().any(|(path, value)| !lost(path) && !shown(path, value));
        if differs { Err("i03: its attributes differ") } else { Ok(()) }
    }

    /// What was ours and is declared no more has no access left.
    fn check_orphans(&mut self) {
        let kept = |id: &str, name: &str| {
            self.cluster
                .objects
                .values()
                .any(|user| id_of(user) == Some(id) || (id_of(user).is_none() && fold(&user.spec.user_name) == name))
        };
        let excused = |id: &str| {
            let book = &self.book;
            book.excused.contains(id) || book.denied.contains(id) || self.site.activated_by_hand.contains(id)
        };
        // Where names aren't unique, a lost creation among namesakes is certain to be nobody's.
        let alone = |id: &str, name: &str| {
            !self.site.server.accounts.iter().any(|(other, account)| other != id && name_of(account) == name)
        };
        let left = self.site.server.accounts.iter().find(|(id, account)| {
            is_active(account)
                // Protected by its name, whatever its object was called last.
                && !(self.setup.protected && name_of(account) == PROTECTED)
                && alone(id, &name_of(account))
                && self.book.ours.contains(*id)
                && !kept(id, &name_of(account))
                && !excused(id)
        });
        if let Some(id) = left.map(|(id, _)| id.clone()) {
            self.complain(format!("i15: {id} of {SERVER} is active, and no object declares it"));
        }
    }
}

fn id_of(user: &ScimUser) -> Option<&str> {
    user.status.as_ref()?.id.as_deref()
}
