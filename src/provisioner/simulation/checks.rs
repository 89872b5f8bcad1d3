//! What must hold at every step of a history.

use std::collections::BTreeSet;

use kube::ResourceExt;

use super::outside::Outside;
use super::quirks::Doubles;
use super::setup::PROTECTED;
use super::site::{Answer, is_active, name_of};
use crate::api::{
    Action, AdoptionPolicy, DeletionPolicy, OperationType, RELEASE, ScimUser, ScimUserSpec, ScimUserStatus, Uid,
};
use crate::directory::{full_name, has_finalizer, is_deleting};
use crate::plan::{Account, Declared, Departure, Facts, Operation, Path, Request, Step, Verdict};
use crate::scim::{Attributes, Resource, fold};

impl Outside {
    /// The deletion policy that is in force for an object.
    fn deletion(&self, spec: &ScimUserSpec) -> DeletionPolicy {
        match (self.policy.deletion, spec.deletion_policy) {
            (_, Some(DeletionPolicy::Retain)) | (DeletionPolicy::Retain, _) => DeletionPolicy::Retain,
            (DeletionPolicy::Deactivate, _) | (_, Some(DeletionPolicy::Deactivate)) => DeletionPolicy::Deactivate,
            _ => DeletionPolicy::Delete,
        }
    }

    pub fn declared(&self, spec: &ScimUserSpec) -> Declared {
        Declared::new(spec, None, &self.policy.profile, self.time())
    }

    /// What is decided must have been declared, as far as the operator has heard.
    pub fn check_step(&mut self, uid: &Uid, facts: &Facts, step: &Step) {
        let Step::Send(operation) = step else { return };
        match self.rests_on(&facts.account) {
            Some(version) => _ = self.observed.informed.insert(uid.clone(), version),
            None => _ = self.observed.informed.remove(uid),
        }
        let object = &facts.object;
        let leaves = object.deleting && !object.release;
        let declared = match operation.kind {
            OperationType::Deactivate => {
                (leaves && self.deletion(object.spec) == DeletionPolicy::Deactivate)
                    || (!object.deleting && self.declared(object.spec).active == Some(false))
            }
            OperationType::Delete => leaves && self.deletion(object.spec) == DeletionPolicy::Delete,
            _ => true,
        };
        if !declared {
            self.complain(format!("i10: {} was not declared: {:?}", object.full_name, operation.kind));
        }
        if let Some(path) = self.overwrites(uid, facts, operation) {
            self.complain(format!("i09: {path} was changed by others, and is overwritten under Report"));
        }
    }

    /// An attribute that is declared as it was when it was last carried out, and is sent nevertheless.
    fn overwrites(&self, uid: &Uid, facts: &Facts, operation: &Operation) -> Option<Path> {
        let (account, carried_out) = self.book.carried_out.get(uid)?;
        let asked = self.policy.repair.attributes || facts.object.requested;
        let update = matches!(operation.kind, OperationType::Update | OperationType::Reactivate);
        if asked || !update || facts.object.status.id.as_ref() != Some(account) {
            return None;
        }
        let declared = self.declared(facts.object.spec).attributes;
        let same = |path: &&Path| declared.contains_key(path) && declared.get(path) == carried_out.get(path);
        operation.attributes.iter().find(same).cloned()
    }

    /// How things stand when nothing is left to be sent.
    pub fn note_rest(&mut self, user: &ScimUser, status: &ScimUserStatus, verdict: &Verdict) {
        let uid = Uid::of(&user.metadata);
        if let (Some(_), Some(id)) = (&verdict.applied, &status.id) {
            let left = verdict.details.ignored.as_deref().unwrap_or_default();
            let mut now = self.declared(&user.spec).attributes;
            now.retain(|path, _| !left.iter().any(|ignored| ignored.path == *path));
            self.book.carried_out.insert(uid, (id.clone(), now));
        }
    }

    /// The version of the account that the plan rests on, if that is the newest.
    fn rests_on(&self, account: &Account) -> Option<String> {
        let Account::Found { resource, .. } = account else { return None };
        let newest = self.site.get(resource.id()?)?;
        (newest.version() == resource.version()).then(|| newest.version().map(str::to_owned))?
    }

    /// No removal is owed for the object's account any more.
    pub fn excuse(&mut self, uid: &Uid, id: Option<&String>) {
        self.book.excused.extend(id.cloned());
        for accounts in [&self.book.made, &self.book.taken] {
            self.book.excused.extend(accounts.get(uid).into_iter().flatten().cloned());
        }
        let known = self.cluster.objects.get(uid).and_then(id_of).map(str::to_owned);
        self.book.excused.extend(known);
    }

    /// An operation is about to be sent.
    pub fn sends(&mut self, uid: &Uid, operation: &Operation) {
        // Until it is at rest again, what others did can't be told from what this did.
        if let Some((_, values)) = self.book.carried_out.get_mut(uid) {
            values.retain(|path, _| !operation.attributes.contains(path));
        }
        self.observed.sent.insert(uid.clone(), operation.clone());
    }

    /// The server carries it out, and what it did is looked at.
    pub fn carry_out(&mut self, uid: &Uid, request: &Request) -> Answer {
        if let Some(id) = request.target().filter(|id| self.other_site.server.accounts.contains_key(*id)) {
            self.complain(format!("i06: {id} of another server is written to"));
        }
        if let Some((guard, at, key)) = self.observed.admitted.get(uid).cloned() {
            self.count(guard, at, &key);
        }
        if let Request::Delete { id } = request {
            self.check_groups_left(id);
        }
        match self.cluster.objects.get(uid) {
            None => self.complain("i28: something is sent for an object that is gone"),
            Some(user) if !has_finalizer(user) => self.complain("i07: something is sent before the finalizer is set"),
            Some(_) => {}
        }
        let target = request.target().map(str::to_owned);
        let before = target.as_ref().and_then(|id| self.site.get(id));
        let known: BTreeSet<String> = self.site.server.accounts.keys().cloned().collect();
        let answer = self.site.apply(request);
        let after = target.as_ref().and_then(|id| self.site.get(id));
        // What the server refuses is asked again, later and later (promise I21).
        let accepted = matches!(answer, Answer::Shown(_) | Answer::Done);
        self.book.count(uid, accepted);
        self.say(|| format!("  server: {request:?}"));
        if let Some(made) = self.site.server.accounts.keys().find(|id| !known.contains(*id)).cloned() {
            self.check_creation(uid, &made);
        }
        if let (Some(id), Some(before)) = (target, before) {
            let after = after.map(|after| after.0);
            self.check_change(uid, request, &id, (&before.0, after.as_ref()), accepted);
        }
        answer
    }

    /// A status is about to be written: an object that is bound at another server from now on owes nothing where it was
    /// bound before.
    pub fn note_server(&mut self, uid: &Uid, status: &ScimUserStatus) {
        let known = self.cluster.objects.get(uid).and_then(|user| user.status.as_ref());
        let left = known.filter(|known| known.bound_to != status.bound_to).and_then(|known| known.id.clone());
        // Renamed since the server gave out new ids, an object finds whoever has its new name, and no more its own.
        let lost = known.and_then(|known| self.book.renumbered.get(known.id.as_ref()?)).cloned();
        let lost = lost.filter(|now| status.id.as_ref().is_some_and(|id| id != now && self.book.now(id) != now));
        self.book.excused.extend(left.into_iter().chain(lost));
    }

    /// A status is about to be written: whoever is recorded as made was made.
    pub fn check_record(&mut self, uid: &Uid, status: &ScimUserStatus) {
        let Some(id) = &status.id else { return };
        let made = status.last_operation.as_ref().is_some_and(|last| last.type_ == OperationType::Create);
        let known = |accounts: &std::collections::BTreeMap<Uid, Vec<String>>| {
            accounts.get(uid).is_some_and(|accounts| accounts.contains(id))
        };
        // It says that it made whom it shows, and nothing tells that they were there.
        let lies = self.setup.quirks.doubles == Doubles::PassedForNew
            && self
                .site
                .get(id)
                .is_some_and(|account| status.user_name.as_deref().map(fold) == Some(name_of(&account.0)));
        let forged = self.book.forged.get(uid) == Some(id);
        if made && !lies && !forged && !known(&self.book.made) && !known(&self.book.taken) {
            self.complain("i07: an account that was there passes for one that was made");
        }
    }

    fn check_creation(&mut self, uid: &Uid, id: &str) {
        let earlier = self.book.made.get(uid).into_iter().flatten();
        let bound = |other: &&String| self.cluster.objects.values().any(|user| id_of(user) == Some(other.as_str()));
        let left = earlier
            .filter(|other| self.site.get(other).is_some() && !self.book.excused.contains(*other))
            .find(|other| !bound(other) || self.cluster.objects.get(uid).and_then(id_of) == Some(other.as_str()));
        if let Some(other) = left.filter(|_| self.setup.unique).cloned()
            && !self.book.is_hidden_from(uid, &other)
        {
            self.complain(format!("i07: {uid} gets a second account, {id} beside {other}"));
        }
        let name = self.site.server.accounts.get(id).map(name_of).unwrap_or_default();
        let namesake = self.cluster.objects.values().find(|other| {
            let account = id_of(other).and_then(|other| self.site.server.accounts.get(other));
            Uid::of(&other.metadata) != *uid
                && !is_deleting(other)
                && !self.is_forged(other)
                && account.is_some_and(|account| name_of(account) == name)
        });
        if let Some(other) = namesake.map(full_name) {
            self.complain(format!("i08: {id} is made beside the account of the same name that {other} holds"));
        }
        self.book.ours.insert(id.to_owned());
        self.book.made.entry(uid.clone()).or_default().push(id.to_owned());
    }

    fn check_change(
        &mut self,
        uid: &Uid,
        request: &Request,
        id: &str,
        (before, after): (&Attributes, Option<&Attributes>),
        accepted: bool,
    ) {
        let uid = uid.clone();
        let Some(operation) = self.observed.sent.get(&uid).cloned() else {
            return self.complain("i04: a request is sent that was not told of");
        };
        if let Some(holder) = self.honest_holder(&uid, id) {
            self.complain(format!("i08: the account {id} of {holder} is written to for {uid}"));
        }
        let declared = self.cluster.objects.get(&uid).map(|user| fold(&user.spec.user_name));
        if self.is_swapped(id) && declared != Some(name_of(before)) {
            self.complain(format!("i31: {id} shows somebody else by now, and is written to for {uid}"));
        }
        let removal = is_active(before) && after.is_none_or(|after| !is_active(after));
        let renamed = after.is_some_and(|after| name_of(after) != name_of(before));
        if (removal || after.is_none()) && !operation.removes() {
            self.complain(format!("i10: {:?} takes access away", operation.kind));
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
        let unsaved = self.observed.unsaved.get(&uid).and_then(|status| status.id.as_deref());
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
        let informed = self.observed.informed.get(&uid).map(String::as_str);
        let drops = &self.site.server.drops;
        let of =
            |path: &Path, name: &str| matches!(path, Path::Attribute { schema: Some(schema), .. } if schema == name);
        let dropped = |path: &Path| drops.iter().any(|name| path.name() == *name || of(path, name));
        let tells =
            drops.is_empty() || operation.attributes.iter().all(|path| !dropped(path) && path.name() != "title");
        // Whoever is invited is asked to be active, and isn't before they accept; and whose object goes, not to be.
        let goes =
            self.cluster.objects.get(&uid).is_some_and(is_deleting) && operation.kind == OperationType::Deactivate;
        // What a creation made whose answer was lost was never written by an object that knew its id: how the server words it
        // is learnt by that.
        let at_rest = self.book.carried_out.get(&uid).is_some_and(|(known, _)| known == id);
        let words =
            !at_rest && self.setup.quirks.shouts && operation.attributes.iter().all(|path| path.name() == "title");
        let asks = words || goes || operation.kind == OperationType::Reactivate && self.site.invited.contains(id);
        if unchanged && tells && !asks && informed.is_some() && informed == known {
            self.complain(format!("i01: {:?} changes nothing: {request:?}", operation.kind));
        }
    }

    /// No two objects are bound to one account, but who hands it over; and no account passes from a living object to
    /// another one.
    pub fn check_owners(&mut self) {
        let mut owners = std::collections::BTreeMap::new();
        let mut twice = None;
        let forged: BTreeSet<&Uid> = self.book.forged.keys().collect();
        let honest = |user: &&ScimUser| !forged.contains(&Uid::of(&user.metadata));
        for user in self.cluster.objects.values().filter(|user| !is_deleting(user)).filter(honest) {
            let Some(id) = id_of(user) else { continue };
            let uid = Uid::of(&user.metadata);
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

    /// The account has another id than the object knows, and its name alone tells that it is the object's: nobody else has it
    /// or declares it, and a name suffices.
    fn is_told_by_name(&self, user: &ScimUser, id: &str) -> bool {
        let name = fold(&user.spec.user_name);
        let mut named = self.site.server.accounts.iter().filter(|(_, account)| name_of(account) == name);
        let only = named.next().is_some_and(|(only, _)| only == id) && named.next().is_none();
        let mut others = self.cluster.objects.values().filter(|other| other.metadata.uid != user.metadata.uid);
        let declared = others.any(|other| {
            let shown = other.status.as_ref().and_then(|status| status.user_name.as_deref());
            id_of(other) == Some(id) || fold(&other.spec.user_name) == name || shown.map(fold).as_ref() == Some(&name)
        });
        only && !declared && self.policy.adoption == AdoptionPolicy::Adopt
    }

    /// The object goes: its account is left as it is only where that was declared, and handed over only to an object that
    /// is bound to it on record.
    pub fn check_departure(&mut self, user: &ScimUser, status: &ScimUserStatus, departure: &Departure) {
        let uid = Uid::of(&user.metadata);
        let names = [Some(&user.spec.user_name), status.user_name.as_ref(), status.id.as_ref()];
        let names = names.into_iter().flatten().map(String::as_str);
        let account = status.id.as_deref().and_then(|id| self.site.server.accounts.get(id));
        let emails = account.and_then(|account| account.get("emails")?.as_array()).into_iter().flatten();
        let identities = names.chain(emails.filter_map(|email| email.get("value")?.as_str()));
        let protected = self.policy.protected.matches(identities).is_some();
        let may = self.policy.actions.contains(&Action::Deprovision);
        let retained = self.deletion(&user.spec) == DeletionPolicy::Retain;
        let connection = &self.cluster.connection;
        let released = user.wants_release() || connection.annotations().contains_key(RELEASE);
        if released || retained || protected || !may || self.book.rejected.contains(&uid) || self.is_forged(user) {
            return self.excuse(&uid, status.id.as_ref());
        }
        match departure {
            Departure::Done => {
                let now = status.id.as_ref().and_then(|id| self.book.renumbered.get(id)).cloned();
                self.book.excused.extend(now.filter(|id| !self.is_told_by_name(user, id)));
                // Of a lost creation that sent another externalId than the one declared now, nobody can tell whose it is.
                let declared = user.spec.external_id.as_deref();
                let another = |id: &&String| {
                    let account = self.site.get(id);
                    let shown = account.as_ref().and_then(Resource::external_id);
                    declared.is_some() && shown.is_some() && shown != declared && !self.book.holders.contains_key(*id)
                };
                let lost: Vec<String> =
                    self.book.made.get(&uid).into_iter().flatten().filter(another).cloned().collect();
                self.book.excused.extend(lost);
            }
            // Gone at the server, and one that has its name may be somebody else's.
            Departure::LeftAsIs if status.id.as_ref().is_none_or(|id| self.site.get(id).is_none()) => {}
            Departure::LeftAsIs => self.complain(format!("i15: the account of {} is left", full_name(user))),
            Departure::HandedOver(successor) => {
                let now = status.id.as_deref().map(|id| self.book.now(id));
                // Deleted meanwhile, it carries out the removal itself.
                let bound = self.cluster.objects.values().any(|other| {
                    // A forged record passes for its own, before it has the finalizer.
                    full_name(other) == *successor
                        && (has_finalizer(other) || self.is_forged(other))
                        && (id_of(other) == status.id.as_deref() || id_of(other) == now)
                });
                if !bound || status.id.is_none() {
                    self.complain(format!("i08: {} is let go, and {successor} has not its account", full_name(user)));
                }
            }
        }
    }
}

/// The account at this server that an object is recorded as bound to.
pub fn id_at<'a>(user: &'a ScimUser, server: &str) -> Option<&'a str> {
    id_of(user).filter(|_| user.status.as_ref().and_then(|status| status.bound_to.as_deref()) == Some(server))
}

pub fn id_of(user: &ScimUser) -> Option<&str> {
    user.status.as_ref()?.id.as_deref()
}

/// The reason of its Ready condition.
pub fn reason_of(status: &ScimUserStatus) -> &str {
    let ready = status.conditions.iter().flatten().find(|condition| condition.type_ == "Ready");
    ready.map_or("", |ready| ready.reason.as_str())
}
