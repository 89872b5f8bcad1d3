//! Requests, what they are answered with, and the faults that strike between.

use super::{Next, Pass};
use crate::api::{OperationType, Reason, UserState};
use crate::plan::{Account, Answered, CreationAnswer, Operation, Origin, Path, Request, Verdict, at_server, origin};
use crate::provisioner::directory::{has_finalizer, is_deleting};
use crate::provisioner::histories::setup::SERVER;
use crate::provisioner::histories::site::Answer;
use crate::provisioner::histories::world::{Fault, World};
use crate::provisioner::queue::Outcome;
use crate::provisioner::snapshot::{Known, contradiction};
use crate::provisioner::worker::own_error_pause;
use crate::scim::{Resource, fold};

impl World {
    pub(super) fn read(&mut self, pass: &mut Pass, id: &str) -> Option<Outcome> {
        match self.strikes(&[Fault::Refused, Fault::Lost, Fault::Missing]) {
            Some(Fault::Missing) => return self.not_found(pass, id),
            Some(_) => return Self::try_later(pass),
            None => {}
        }
        let Some(resource) = self.site.get(id) else { return self.not_found(pass, id) };
        self.shown(pass, resource);
        None
    }

    /// The server showed the account.
    pub(super) fn shown(&mut self, pass: &mut Pass, resource: Resource) {
        self.operator.snapshot.learn(&resource);
        pass.account = Some(Account::Found { resource, fresh: true });
    }

    pub(super) fn not_found(&mut self, pass: &mut Pass, id: &str) -> Option<Outcome> {
        if self.site.get(id).is_some() {
            self.book.denied.insert(id.to_owned());
        }
        let now = self.time();
        pass.account = Some(if self.operator.snapshot.missing(id, now) {
            self.operator.snapshot.forget(id);
            self.namesake(pass).unwrap_or(Account::Absent { fresh: true })
        } else {
            Account::Missing
        });
        None
    }

    /// The account that has the userName now, where the bound one is gone.
    pub(super) fn namesake(&self, pass: &Pass) -> Option<Account> {
        if pass.status.id.is_none() || is_deleting(&pass.user) {
            return None;
        }
        let spec = &pass.user.spec;
        match self.operator.snapshot.by_identity(&spec.user_name, spec.external_id.as_deref()) {
            Known::Found(resource) => Some(Account::Found { resource, fresh: false }),
            Known::Listed(id) => Some(Account::Listed(id)),
            _ => None,
        }
    }

    pub(super) fn find(&mut self, pass: &mut Pass) -> Option<Outcome> {
        pass.creations.searched = true;
        let fault = self.strikes(&[Fault::Refused, Fault::Lost, Fault::Stale]);
        if matches!(fault, Some(Fault::Refused | Fault::Lost)) {
            return Self::try_later(pass);
        }
        if fault.is_some() {
            // A look-up that doesn't show what was just made hides a lost creation from its own object.
            let made = self.book.made.get(&*pass.ticket.uid);
            self.book.denied.extend(made.into_iter().flatten().cloned());
        }
        let spec = pass.user.spec.clone();
        let unrecorded = pass.status.id.is_none() && has_finalizer(&pass.user);
        if let Some(created) = pass.user.claimed_account().filter(|_| unrecorded) {
            let mut hits = self.site.find(&created.user_name, None, fault.is_some());
            let mut user = (*pass.user).clone();
            user.status = Some(pass.status.clone());
            hits.retain(|hit| {
                let holder = self.operator.directory.claims(&user, SERVER, hit.id()).holder;
                !holder.is_some_and(|holder| holder.has_account)
            });
            if let [hit] = &*hits {
                self.operator.snapshot.learn(hit);
                pass.account = Some(Account::Found { resource: hit.clone(), fresh: true });
                return None;
            }
        }
        let mut found = self.site.find(&spec.user_name, spec.external_id.as_deref(), fault.is_some());
        for resource in &found {
            self.operator.snapshot.learn(resource);
        }
        if found.len() > 1 && is_deleting(&pass.user) {
            // Among namesakes its own is certain to be nobody's, even if it is alone a moment later.
            self.excuse(pass);
        }
        pass.account = Some(match found.len() {
            0 => Account::Absent { fresh: true },
            1 => Account::Found { resource: found.remove(0), fresh: true },
            _ => Account::Contradictory(contradiction(1)),
        });
        None
    }

    /// Sends it; a fault may come before or after it takes effect.
    pub(super) fn request(&mut self, pass: &mut Pass, operation: &Operation) -> Answer {
        // Until it is at rest again, what others did can't be told from what this did.
        if let Some((_, values)) = self.book.carried_out.get_mut(&*pass.ticket.uid) {
            values.retain(|path, _| !operation.attributes.contains(path));
        }
        let get = !matches!(operation.request, Request::Create(_));
        if !get {
            pass.moment = self.operator.snapshot.moment();
            self.operator.memory.creates(&pass.ticket.uid);
            self.book.asked.insert((pass.ticket.uid.to_string(), fold(&pass.user.spec.user_name)));
        }
        let kinds = [Fault::Refused, Fault::Lost, Fault::Missing];
        let answer = match self.strikes(if get { &kinds } else { &kinds[..2] }) {
            Some(Fault::Refused) => Answer::Broken,
            Some(Fault::Missing) => Answer::NotFound,
            fault => {
                let answer = self.carry_out(pass, operation);
                if fault.is_none() { answer } else { Answer::Broken }
            }
        };
        pass.creations.sent |= !get && matches!(answer, Answer::Shown(_) | Answer::Upserted(_) | Answer::Broken);
        answer
    }

    /// What may have taken effect all the same is looked at before anything rests on it.
    pub(super) fn unsee(&mut self, operation: &Operation) {
        if let (true, Some(id)) = (operation.removes(), operation.request.target()) {
            self.operator.snapshot.unsee(id);
        }
    }

    pub(super) fn hear(&mut self, pass: &mut Pass, operation: &Operation, answer: Answer) -> Option<Outcome> {
        self.say(|| format!("  {} hears {answer:?}", pass.ticket.uid));
        if matches!(answer, Answer::Broken) {
            self.unsee(operation);
        }
        match (answer, &operation.request) {
            (Answer::Upserted(resource), _) => self.upserted(pass, operation, resource),
            (Answer::Shown(resource), request) => {
                if matches!(request, Request::Create(_)) {
                    let (id, now) = (resource.id().unwrap_or_default(), self.time());
                    self.operator.memory.created(&pass.ticket.uid, id, None, now);
                }
                self.took_effect(pass, operation, resource.active());
                if matches!(request, Request::Create(_)) {
                    pass.status = at_server(&pass.status, SERVER);
                    pass.status.id = resource.id().map(str::to_owned);
                    pass.status.user_name = resource.user_name().map(str::to_owned);
                }
                self.shown(pass, resource);
            }
            (Answer::Done, Request::Delete { id }) => {
                self.took_effect(pass, operation, None);
                self.operator.snapshot.forget(id);
                pass.account = Some(Account::Absent { fresh: true });
            }
            (Answer::Done, _) => {
                self.took_effect(pass, operation, None);
                pass.account = Some(Account::Unknown);
            }
            (Answer::Conflict, Request::Create(_)) if !pass.looked_up => {
                pass.looked_up = true;
                // Nothing was made, so nothing is in doubt.
                self.take_back_finalizer(pass);
                let outcome = self.find(pass);
                if outcome.is_none() && matches!(pass.account, Some(Account::Absent { .. })) {
                    self.own_error(pass, Reason::Conflict);
                }
                return outcome;
            }
            (Answer::Precondition, _) if !pass.read_again => {
                pass.read_again = true;
                pass.account = Some(Account::Unknown);
            }
            (Answer::NotFound, Request::Patch { id, .. } | Request::Put { id, .. } | Request::Delete { id }) => {
                let (id, deletes) = (id.clone(), matches!(operation.request, Request::Delete { .. }));
                let outcome = self.read(pass, &id);
                match pass.account {
                    Some(Account::Missing) if deletes => {
                        self.operator.snapshot.forget(&id);
                        pass.account = Some(Account::Absent { fresh: true });
                    }
                    Some(Account::Found { .. }) if outcome.is_none() => self.own_error(pass, Reason::Rejected),
                    _ => {}
                }
                return outcome;
            }
            (Answer::Broken, _) => return Self::try_later(pass),
            (Answer::Conflict, _) => self.own_error(pass, Reason::Conflict),
            (Answer::NotFound | Answer::Precondition | Answer::Rejected, _) => self.own_error(pass, Reason::Rejected),
        }
        None
    }

    /// A creation was answered with an account, and doesn't say that it made it.
    fn upserted(&mut self, pass: &mut Pass, operation: &Operation, resource: Resource) {
        let mut user = (*pass.user).clone();
        user.status = Some(pass.status.clone());
        let id = resource.id().unwrap_or_default().to_owned();
        let holder = self.operator.directory.claims(&user, SERVER, Some(&id)).holder;
        let origin = origin(&CreationAnswer {
            resource: &resource,
            names: (&pass.user.spec.user_name, resource.user_name()),
            external_id: pass.user.spec.external_id.as_deref(),
            created: false,
            at: self.time(),
            known: self.operator.snapshot.knew(&id, pass.moment),
            listed: self.operator.snapshot.is_complete(),
            held: holder.is_some_and(|holder| holder.has_account),
        });
        let answered = match origin {
            Origin::Untold if pass.finalizer_is_new || pass.was_bound => Answered { id, existed: None },
            Origin::Existed(why) => Answered { id, existed: Some(why) },
            Origin::New | Origin::Untold => {
                if !self.book.made.get(&*pass.ticket.uid).is_some_and(|made| made.contains(&id)) {
                    self.complain("i07: an account that was there passes for one that was made");
                }
                self.took_effect(pass, operation, resource.active());
                pass.status = at_server(&pass.status, SERVER);
                pass.status.id = Some(id);
                pass.status.user_name = resource.user_name().map(str::to_owned);
                return self.shown(pass, resource);
            }
        };
        pass.finalizer_is_new = true;
        if answered.existed.is_some() {
            self.take_back_finalizer(pass);
        }
        pass.creations.answered = Some(answered);
        self.shown(pass, resource);
    }

    pub(super) fn took_effect(&mut self, pass: &mut Pass, operation: &Operation, shown: Option<bool>) {
        let uid = pass.ticket.uid.to_string();
        let now = self.time();
        self.operator.memory.accepted(&uid);
        let settled = pass.status.observed_generation == pass.user.metadata.generation;
        if settled && operation.kind == OperationType::Update {
            self.operator.memory.repaired(&uid, &operation.attributes, now);
        }
        let names = operation.attributes.iter().map(Path::to_string).collect();
        pass.recorded.took_effect(operation.kind, names, None, shown);
        pass.written.extend(operation.attributes.iter().cloned());
    }

    pub(super) fn try_later(pass: &mut Pass) -> Option<Outcome> {
        let verdict = Verdict {
            reason: Some(Reason::Pending),
            message: "it is tried again".into(),
            state: Some(UserState::Pending),
            ..Verdict::default()
        };
        pass.next = Next::Settle(Box::new(verdict), Outcome::Retry);
        None
    }

    pub(super) fn own_error(&mut self, pass: &mut Pass, reason: Reason) {
        let before = self.operator.memory.rejected(&pass.ticket.uid);
        let state = if is_deleting(&pass.user) { UserState::Deleting } else { UserState::Failed };
        let verdict = Verdict {
            reason: Some(reason),
            message: "refused".into(),
            state: Some(state),
            executed: true,
            ..Verdict::default()
        };
        pass.next = Next::Settle(Box::new(verdict), Outcome::After(own_error_pause(before)));
    }
}
