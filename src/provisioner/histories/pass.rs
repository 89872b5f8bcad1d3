//! The worker in miniature: the provisioner's own pass, cut into the pieces between which others may act.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;

use super::setup::SERVER;
use super::site::Answer;
use super::world::{Fault, World};
use crate::api::{
    ClaimedAccount, OperationType, RECONCILE_REQUESTED_AT, Reason, ScimUser, ScimUserStatus, UserHold, UserState,
};
use crate::plan::guards::{Admission, Candidate, GuardName};
use crate::plan::{
    Account, Binding, Delegated, Facts, Manager, Object, Operation, Path, Read, Request, Step, Verdict, after_binding,
    at_server, bound_status, decide, next_window_edge, status_ahead,
};
use crate::provisioner::directory::{has_finalizer, is_deleting, same_plan};
use crate::provisioner::queue::{Lane, Outcome, Ticket};
use crate::provisioner::snapshot::{Known, contradiction};
use crate::provisioner::worker::own_error_pause;
use crate::scim::fold;
use crate::status::{Recorded, record, whole_seconds};

/// Steps of one pass.
const MOST_STEPS: usize = 12;

/// What comes next in a pass; between two of these a crash may come, or another worker.
#[derive(Debug)]
pub enum Next {
    Plan,
    Take(Step),
    /// The ledger is written before what it counts goes on.
    SaveLedger(Box<Next>),
    /// Nobody else takes the name meanwhile.
    Reserve(Step),
    Bind(Binding),
    Unbind,
    Finalize(Box<Operation>),
    Request(Box<Operation>),
    Hear(Box<Operation>, Answer),
    Settle(Box<Verdict>, Outcome),
    LetGo,
}

/// One pass over one object.
pub struct Pass {
    pub ticket: Ticket,
    pub user: Arc<ScimUser>,
    pub status: ScimUserStatus,
    pub account: Option<Account>,
    pub written: BTreeSet<Path>,
    pub recorded: Recorded,
    pub next: Next,
    /// The version of the account that the plan rests on, where that was the server's newest.
    pub informed: Option<String>,
    /// The guard that gave leave, when, and for what.
    pub admitted: Option<(GuardName, i64, String)>,
    /// Attributes whose write has its leave already.
    leave: Vec<Path>,
    /// The finalizer was set in this very pass: nothing was ever sent before it.
    finalizer_is_new: bool,
    looked_up: bool,
    read_again: bool,
    steps: usize,
}

/// What leave is asked for: the operation, the account, the attributes, the guard.
type Wanted = (OperationType, Option<String>, Vec<Path>, Option<GuardName>);

impl Pass {
    fn new(ticket: Ticket, user: Arc<ScimUser>, status: ScimUserStatus) -> Self {
        Self {
            ticket,
            user,
            status,
            account: None,
            written: BTreeSet::new(),
            recorded: Recorded::default(),
            next: Next::Plan,
            informed: None,
            admitted: None,
            leave: Vec::new(),
            finalizer_is_new: false,
            looked_up: false,
            read_again: false,
            steps: 0,
        }
    }

    /// A pass that is only asked what it would do.
    pub fn probe(user: Arc<ScimUser>) -> Self {
        let ticket =
            Ticket { uid: user.uid().unwrap_or_default().into(), lane: Lane::Drift, attempt: 0, for_status: false };
        let status = user.status.clone().unwrap_or_default();
        Self::new(ticket, user, status)
    }

    pub fn generation(&self) -> i64 {
        self.user.metadata.generation.unwrap_or_default()
    }
}

impl World {
    /// A worker has a ticket.
    pub fn begin(&mut self, ticket: Ticket) {
        let Some(user) = self.operator.directory.get(&ticket.uid) else {
            let uid = ticket.uid.clone();
            self.forget(&uid);
            return self.finish(&ticket, Outcome::Done);
        };
        if ticket.for_status {
            self.say_pending(&user);
            return self.finish(&ticket, Outcome::Paused);
        }
        let unsaved = self.operator.memory.unsaved(&ticket.uid).cloned();
        let status = unsaved.or_else(|| user.status.clone()).unwrap_or_default();
        if status.observed_generation != user.metadata.generation && ticket.attempt == 0 {
            self.operator.memory.new_generation(&ticket.uid);
        }
        let asked = user.annotations().get(RECONCILE_REQUESTED_AT).cloned();
        let answered = asked.filter(|asked| status.last_handled_reconcile_at.as_ref() != Some(asked));
        self.say(|| format!("  generation {:?}, asked {answered:?}", user.metadata.generation));
        let mut pass = Pass::new(ticket, user, status);
        pass.recorded.answered = answered;
        self.operator.flight.push(pass);
    }

    fn say_pending(&mut self, user: &Arc<ScimUser>) {
        let status = user.status.clone().unwrap_or_default();
        if status.observed_generation == user.metadata.generation && !is_deleting(user) {
            return;
        }
        let state = if is_deleting(user) { UserState::Deleting } else { UserState::Pending };
        let verdict = Verdict {
            reason: Some(Reason::Pending),
            message: "queued".into(),
            state: Some(state),
            ..Verdict::default()
        };
        let generation = user.metadata.generation.unwrap_or_default();
        let new = record(&status, generation, &verdict, &Recorded::default(), self.time());
        self.save(user, &new);
    }

    fn finish(&mut self, ticket: &Ticket, outcome: Outcome) {
        let now = self.instant();
        self.say(|| format!("  {} ends: {outcome:?}", ticket.uid));
        self.operator.queue.finish(&ticket.uid, outcome, 0.5, now);
    }

    /// One pass takes its next piece.
    pub fn advance(&mut self, number: usize) -> bool {
        if self.operator.flight.is_empty() {
            return false;
        }
        let mut pass = self.operator.flight.swap_remove(number % self.operator.flight.len());
        match self.piece(&mut pass) {
            Some(outcome) => {
                if pass.status.id.is_none() || self.operator.memory.unsaved(&pass.ticket.uid).is_none() {
                    self.operator.directory.release(&pass.ticket.uid);
                }
                self.finish(&pass.ticket.clone(), outcome);
            }
            None => self.operator.flight.push(pass),
        }
        true
    }

    fn piece(&mut self, pass: &mut Pass) -> Option<Outcome> {
        match std::mem::replace(&mut pass.next, Next::Plan) {
            Next::Plan => {
                pass.steps += 1;
                if pass.steps > MOST_STEPS {
                    self.complain("i04: the plan does not converge");
                    return Some(Outcome::Retry);
                }
                let step = self.plan(pass);
                self.check_step(pass, &step);
                pass.next = Next::Take(step);
            }
            Next::Take(step) => return self.step(pass, step),
            Next::SaveLedger(next) => {
                self.save_gate();
                pass.next = *next;
            }
            Next::Reserve(step) => return self.reserve(pass, step),
            Next::Bind(binding) => return self.bind(pass, &binding),
            Next::Unbind => return self.unbind(pass),
            Next::Finalize(operation) => {
                let deleting = is_deleting(&pass.user);
                let recorded = pass.user.status.as_ref();
                if let Some(ahead) = status_ahead(recorded, &pass.status, SERVER, deleting, &operation) {
                    return self.write_ahead(pass, ahead, operation);
                }
                let creates = operation.kind == OperationType::Create;
                let claimed =
                    if creates { Some(claim(&pass.user.spec.user_name)) } else { pass.user.claimed_account() };
                self.add_finalizer(pass, claimed.as_ref())?;
                pass.next = Next::Request(operation);
            }
            Next::Request(operation) => {
                let answer = self.request(pass, &operation);
                pass.next = Next::Hear(operation, answer);
            }
            Next::Hear(operation, answer) => return self.hear(pass, &operation, answer),
            Next::Settle(verdict, outcome) => return Some(self.settle(pass, &verdict, outcome)),
            Next::LetGo => return Some(self.let_go(pass)),
        }
        None
    }

    /// The plan for an object as everything stands now.
    pub fn plan(&self, pass: &Pass) -> Step {
        self.with_facts(pass, self.time(), decide)
    }

    fn with_facts<T>(&self, pass: &Pass, now: Timestamp, decision: impl FnOnce(&Facts) -> T) -> T {
        let account = pass.account.clone().unwrap_or_else(|| self.known(pass));
        let found = match &account {
            Account::Found { resource, .. } => resource.id().map(str::to_owned),
            _ => None,
        };
        let mut user = (*pass.user).clone();
        user.status = Some(pass.status.clone());
        let contested = self.operator.memory.contested(&pass.ticket.uid, now);
        let claimed = pass.user.claimed_account();
        decision(&Facts {
            object: Object {
                full_name: "n/a",
                spec: &pass.user.spec,
                status: &pass.status,
                generation: pass.generation(),
                deleting: is_deleting(&pass.user),
                has_finalizer: has_finalizer(&pass.user),
                claimed: claimed.as_ref().map(|claimed| &*claimed.user_name),
                release: pass.user.wants_release(),
                remote_id: None,
                requested: pass.recorded.answered.is_some(),
            },
            policy: &self.policy,
            claims: self.operator.directory.claims(&user, SERVER, found.as_deref()),
            manager: Manager::None,
            not_allowed: None,
            delegated: Delegated::Whole,
            unlisted: &[],
            account,
            written: &pass.written,
            contested: &contested,
            now,
            clock_trusted: true,
        })
    }

    /// What is known without asking.
    pub fn known(&self, pass: &Pass) -> Account {
        let known = if let Some(id) = &pass.status.id {
            self.operator.snapshot.by_id(id)
        } else {
            if has_finalizer(&pass.user) && pass.user.claimed_account().is_some() {
                return Account::Unknown;
            }
            let spec = &pass.user.spec;
            self.operator.snapshot.by_identity(&spec.user_name, spec.external_id.as_deref())
        };
        match known {
            Known::Found(resource) => Account::Found { resource, fresh: false },
            Known::Absent => Account::Absent { fresh: false },
            Known::Contradictory(message) => Account::Contradictory(message),
            Known::Listed(id) => Account::Listed(id),
            Known::Unknown => Account::Unknown,
        }
    }

    fn step(&mut self, pass: &mut Pass, step: Step) -> Option<Outcome> {
        self.say(|| format!("  {} {}", pass.ticket.uid, brief(&step)));
        match step {
            Step::Read(Read::Get(id)) => return self.read(pass, &id),
            Step::Read(Read::Find) => return self.find(pass),
            Step::Bind(binding) => return self.ask_leave_to_bind(pass, binding),
            Step::Unbind(_) => {
                let wanted = (OperationType::Handover, pass.status.id.clone(), Vec::new(), None);
                return self.ask_leave(pass, wanted, Next::Unbind);
            }
            Step::Send(operation) => {
                let leave = std::mem::take(&mut pass.leave);
                if !leave.is_empty() && operation.attributes.iter().all(|path| leave.contains(path)) {
                    pass.next = Next::Finalize(operation);
                    return None;
                }
                let target = operation.request.target().map(str::to_owned);
                let wanted = (operation.kind, target, operation.attributes.clone(), operation.guard);
                let next = match operation.request {
                    Request::Create(_) => Next::Reserve(Step::Send(operation)),
                    _ if pass.status.id.is_none() => Next::Reserve(Step::Send(operation)),
                    _ => Next::Finalize(operation),
                };
                return self.ask_leave(pass, wanted, next);
            }
            Step::Settle(verdict) => {
                let outcome = self.outcome_of(pass, &verdict);
                if verdict.executed {
                    self.withdraw(&pass.ticket.uid);
                }
                pass.next = Next::Settle(verdict, outcome);
            }
            Step::LetGo(verdict) => {
                if self.may_stay(pass, &verdict) {
                    self.excuse(pass);
                }
                if let Some(id) = pass.status.id.as_ref().filter(|_| verdict.message.starts_with("handed over")) {
                    self.operator.directory.hand_over(SERVER, id);
                }
                pass.next = Next::LetGo;
            }
        }
        None
    }

    fn withdraw(&mut self, uid: &str) {
        self.operator.gate.withdraw(uid);
        self.operator.held.remove(uid);
        *self.book.done.entry(uid.to_owned()).or_default() += 1;
    }

    /// Leave to take over an account, together with the write that would follow at once.
    fn ask_leave_to_bind(&mut self, pass: &mut Pass, binding: Binding) -> Option<Outcome> {
        let then = self.with_facts(pass, self.time(), |facts| after_binding(facts, &binding));
        let removes = then.as_ref().is_some_and(|then| then.kind == OperationType::Deactivate);
        let kind = if removes { OperationType::Deactivate } else { binding.how };
        let attributes = then.as_ref().map(|then| then.attributes.clone()).unwrap_or_default();
        pass.leave.clone_from(&attributes);
        let wanted = (kind, Some(binding.id.clone()), attributes, then.and_then(|then| then.guard));
        self.ask_leave(pass, wanted, Next::Reserve(Step::Bind(binding)))
    }

    /// The gate, before anything is done.
    fn ask_leave(&mut self, pass: &mut Pass, wanted: Wanted, next: Next) -> Option<Outcome> {
        let (kind, remote_id, attributes, guard) = wanted;
        let uid = pass.ticket.uid.clone();
        let mut candidate = Candidate {
            uid: uid.clone(),
            server: SERVER.to_owned(),
            generation: pass.generation(),
            operation: kind.as_str(),
            remote_id,
            attributes: attributes.iter().map(Path::to_string).collect(),
            guard,
            moved: false,
            deleted: is_deleting(&pass.user),
            held: None,
            held_before: None,
        };
        let digest = candidate.digest();
        candidate.held = pass.status.hold.as_ref().filter(|hold| hold.digest == digest).map(|hold| hold.id.clone());
        let current = pass.status.observed_generation == Some(pass.generation());
        let same = pass.status.hold.as_ref().filter(|hold| current && hold.operation == kind);
        candidate.held_before = same.map(|hold| hold.id.clone());
        let now = self.time();
        let admission = self.operator.gate.admit(candidate, 0, now);
        self.say(|| format!("  {uid} {admission:?}"));
        self.check_admission(pass, kind, guard, &admission);
        let held = |id: Option<String>| {
            let hold = id.map(|id| UserHold { id, operation: kind, digest: digest.clone() });
            let planned = self.settings.plan;
            Box::new(Verdict {
                reason: Some(if planned { Reason::Planned } else { Reason::Held }),
                message: "held".into(),
                state: Some(if planned { UserState::Planned } else { UserState::Held }),
                executed: !planned,
                hold,
                ..Verdict::default()
            })
        };
        match admission {
            Admission::Go if self.operator.gate.unsaved().is_some() => pass.next = Next::SaveLedger(Box::new(next)),
            Admission::Go => pass.next = next,
            Admission::Wait(wait) => return Self::break_off(pass, Outcome::After(wait)),
            Admission::Queued(wait) => {
                let verdict = Verdict {
                    reason: Some(Reason::Pending),
                    message: "queued".into(),
                    state: Some(UserState::Pending),
                    ..Verdict::default()
                };
                pass.next = Next::Settle(Box::new(verdict), Outcome::After(wait));
            }
            Admission::Held { id, .. } => pass.next = Next::Settle(held(id), Outcome::Done),
            Admission::Rejected { id } => pass.next = Next::Settle(held(Some(id)), Outcome::Done),
            Admission::LetGoUntouched => {
                self.excuse(pass);
                pass.next = Next::LetGo;
            }
        }
        None
    }

    /// No removal is owed for the object's account any more.
    fn excuse(&mut self, pass: &Pass) {
        self.book.excused.extend(pass.status.id.clone());
        for accounts in [&self.book.made, &self.book.taken] {
            self.book.excused.extend(accounts.get(&*pass.ticket.uid).into_iter().flatten().cloned());
        }
    }

    fn reserve(&mut self, pass: &mut Pass, step: Step) -> Option<Outcome> {
        let directory = &self.operator.directory;
        let reserve = |name: &str| directory.reserve(SERVER, name, &pass.ticket.uid);
        let found = if let Step::Bind(binding) = &step {
            reserve(&binding.user_name)
        } else {
            let claimed = pass.user.claimed_account().filter(|_| pass.status.id.is_none());
            claimed.is_none_or(|claimed| reserve(&claimed.user_name))
        };
        if !found || !reserve(&pass.user.spec.user_name) {
            return Self::break_off(pass, Outcome::After(Duration::from_secs(1)));
        }
        if self.plan(pass) == step {
            pass.next = match step {
                Step::Bind(binding) => Next::Bind(binding),
                Step::Send(operation) => Next::Finalize(operation),
                _ => Next::Plan,
            };
        } else {
            pass.leave.clear();
        }
        None
    }

    /// Without a word in status, unless something took effect before.
    fn break_off(pass: &mut Pass, outcome: Outcome) -> Option<Outcome> {
        if pass.recorded.operation.is_none() {
            return Some(outcome);
        }
        pass.next = Next::Settle(Box::default(), outcome);
        None
    }

    fn read(&mut self, pass: &mut Pass, id: &str) -> Option<Outcome> {
        match self.strikes(&[Fault::Refused, Fault::Lost, Fault::Missing]) {
            Some(Fault::Missing) => return self.not_found(pass, id),
            Some(_) => return Self::try_later(pass),
            None => {}
        }
        let Some(resource) = self.site.get(id) else { return self.not_found(pass, id) };
        self.operator.memory.seen(&pass.ticket.uid);
        self.shown(pass, resource);
        None
    }

    /// The server showed the account.
    fn shown(&mut self, pass: &mut Pass, resource: crate::scim::Resource) {
        self.operator.snapshot.learn(&resource);
        pass.account = Some(Account::Found { resource, fresh: true });
    }

    fn not_found(&mut self, pass: &mut Pass, id: &str) -> Option<Outcome> {
        if self.site.get(id).is_some() {
            self.book.denied.insert(id.to_owned());
        }
        pass.account = Some(if self.operator.memory.missing(&pass.ticket.uid, self.time()) {
            self.operator.snapshot.forget(id);
            self.namesake(pass).unwrap_or(Account::Absent { fresh: true })
        } else {
            Account::Missing
        });
        None
    }

    /// The account that has the userName now, where the bound one is gone.
    fn namesake(&self, pass: &Pass) -> Option<Account> {
        if pass.status.id.is_none() || is_deleting(&pass.user) {
            return None;
        }
        let spec = &pass.user.spec;
        match self.operator.snapshot.by_identity(&spec.user_name, spec.external_id.as_deref()) {
            Known::Found(resource) => Some(Account::Found { resource, fresh: false }),
            _ => None,
        }
    }

    fn find(&mut self, pass: &mut Pass) -> Option<Outcome> {
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

    fn bind(&mut self, pass: &mut Pass, binding: &Binding) -> Option<Outcome> {
        self.add_finalizer(pass, Some(&claim(&binding.user_name)))?;
        self.operator.directory.taken_over(SERVER, &binding.id);
        self.book.ours.insert(binding.id.clone());
        self.book.taken.entry(pass.ticket.uid.to_string()).or_default().push(binding.id.clone());
        pass.recorded.operation = Some((binding.how, Vec::new(), None));
        pass.status = bound_status(&pass.status, binding, SERVER, whole_seconds(self.time()));
        None
    }

    fn unbind(&mut self, pass: &mut Pass) -> Option<Outcome> {
        self.add_finalizer(pass, None)?;
        if let Some(id) = pass.status.id.take() {
            self.operator.directory.hand_over(SERVER, &id);
            // Should the successor vanish before it has taken over, nobody is asked to remove it.
            self.book.excused.insert(id);
        }
        pass.status.bound_to = None;
        pass.status.user_name = None;
        pass.status.managed_attributes = None;
        pass.status.active = None;
        pass.status.last_applied_active = None;
        pass.recorded.operation = Some((OperationType::Handover, Vec::new(), None));
        pass.account = None;
        None
    }

    fn outcome_of(&mut self, pass: &Pass, verdict: &Verdict) -> Outcome {
        let uid = &pass.ticket.uid;
        match verdict.reason {
            Some(Reason::Pending) => Outcome::After(Duration::from_secs(61)),
            Some(Reason::Rejected) => Outcome::Retry,
            Some(Reason::Conflict) => Outcome::After(own_error_pause(self.operator.memory.rejected(uid))),
            _ => {
                self.operator.memory.accepted(uid);
                let edge = next_window_edge(&pass.user.spec, self.time());
                self.operator.windows.set(uid, edge);
                Outcome::Done
            }
        }
    }

    /// What the operation must find in status, should the process die before its answer.
    fn write_ahead(&mut self, pass: &mut Pass, ahead: ScimUserStatus, operation: Box<Operation>) -> Option<Outcome> {
        pass.status = ahead;
        let outcome = self.settle(pass, &Verdict::default(), Outcome::Done);
        if outcome != Outcome::Done {
            return Some(outcome);
        }
        let status = Some(pass.status.clone());
        pass.user = Arc::new(ScimUser { status, ..(*pass.user).clone() });
        pass.next = Next::Finalize(operation);
        None
    }

    /// None where the object is gone, or has a newer spec than the one that was planned for.
    fn add_finalizer(&mut self, pass: &mut Pass, claimed: Option<&ClaimedAccount>) -> Option<()> {
        if !has_finalizer(&pass.user) || pass.user.claimed_account().as_ref() != claimed {
            if let Some(user) = self.cluster.set_finalizer(&pass.ticket.uid, true, claimed) {
                self.learn(&user);
                let known = same_plan(&user, &pass.user);
                pass.user = Arc::new(user);
                pass.finalizer_is_new = pass.status.id.is_none();
                if !known {
                    pass.leave.clear();
                    self.take_back_finalizer(pass);
                    return None;
                }
            } else {
                pass.next = Next::Settle(Box::default(), Outcome::Done);
                return None;
            }
        }
        Some(())
    }

    /// Nothing was sent for the object yet, so it claims nothing.
    fn take_back_finalizer(&mut self, pass: &mut Pass) {
        if std::mem::take(&mut pass.finalizer_is_new)
            && let Some(user) = self.cluster.set_finalizer(&pass.ticket.uid, false, None)
        {
            self.learn(&user);
            pass.user = Arc::new(user);
        }
    }

    /// Sends it; a fault may come before or after it takes effect.
    fn request(&mut self, pass: &Pass, operation: &Operation) -> Answer {
        let get = !matches!(operation.request, Request::Create(_));
        if !get {
            self.book.asked.insert((pass.ticket.uid.to_string(), fold(&pass.user.spec.user_name)));
        }
        let kinds = [Fault::Refused, Fault::Lost, Fault::Missing];
        match self.strikes(if get { &kinds } else { &kinds[..2] }) {
            Some(Fault::Refused) => Answer::Broken,
            Some(Fault::Missing) => Answer::NotFound,
            fault => {
                let answer = self.carry_out(pass, operation);
                if fault.is_none() { answer } else { Answer::Broken }
            }
        }
    }

    /// What may have taken effect all the same is looked at before anything rests on it.
    fn unsee(&mut self, operation: &Operation) {
        if let (true, Some(id)) = (operation.removes(), operation.request.target()) {
            self.operator.snapshot.unsee(id);
        }
    }

    fn hear(&mut self, pass: &mut Pass, operation: &Operation, answer: Answer) -> Option<Outcome> {
        self.say(|| format!("  {} hears {answer:?}", pass.ticket.uid));
        if matches!(answer, Answer::Broken) {
            self.unsee(operation);
        }
        match (answer, &operation.request) {
            (Answer::Shown(resource), request) => {
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
                let id = id.clone();
                let outcome = self.not_found(pass, &id);
                if pass.account == Some(Account::Missing) && matches!(operation.request, Request::Delete { .. }) {
                    pass.account = Some(Account::Absent { fresh: true });
                }
                return outcome;
            }
            (Answer::Broken, _) => return Self::try_later(pass),
            (Answer::Conflict, _) => self.own_error(pass, Reason::Conflict),
            (Answer::NotFound | Answer::Precondition | Answer::Rejected, _) => self.own_error(pass, Reason::Rejected),
        }
        None
    }

    fn took_effect(&mut self, pass: &mut Pass, operation: &Operation, shown: Option<bool>) {
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

    fn try_later(pass: &mut Pass) -> Option<Outcome> {
        let verdict = Verdict {
            reason: Some(Reason::Pending),
            message: "it is tried again".into(),
            state: Some(UserState::Pending),
            ..Verdict::default()
        };
        pass.next = Next::Settle(Box::new(verdict), Outcome::Retry);
        None
    }

    fn own_error(&mut self, pass: &mut Pass, reason: Reason) {
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

    fn settle(&mut self, pass: &mut Pass, verdict: &Verdict, outcome: Outcome) -> Outcome {
        let status = record(&pass.status, pass.generation(), verdict, &pass.recorded, self.time());
        if self.save(&pass.user, &status) { outcome } else { Outcome::Retry }
    }

    /// Writes the status if it differs; what the API server refuses is kept and tried again alone.
    fn save(&mut self, user: &Arc<ScimUser>, status: &ScimUserStatus) -> bool {
        if user.status.as_ref() == Some(status) {
            return true;
        }
        let uid = user.uid().unwrap_or_default();
        if self.strikes(&[Fault::Status]).is_some() {
            self.operator.memory.keep_unsaved(&uid, status.clone());
            return false;
        }
        if let Some(written) = self.cluster.set_status(&uid, status) {
            self.say(|| {
                format!(
                    "  {uid} status {:?} {:?} {:?} {}",
                    status.id,
                    status.observed_generation,
                    status.state,
                    reason_of(status)
                )
            });
            self.learn(&written);
            self.operator.memory.saved(&uid);
            self.check_owners();
        }
        true
    }

    fn let_go(&mut self, pass: &mut Pass) -> Outcome {
        if let Some(user) = self.cluster.set_finalizer(&pass.ticket.uid, false, None) {
            self.learn(&user);
        }
        self.withdraw(&pass.ticket.uid);
        Outcome::Done
    }
}

/// The reason of its Ready condition.
pub fn reason_of(status: &ScimUserStatus) -> &str {
    let ready = status.conditions.iter().flatten().find(|condition| condition.type_ == "Ready");
    ready.map_or("", |ready| ready.reason.as_str())
}

fn brief(step: &Step) -> String {
    match step {
        Step::Settle(verdict) => format!("Settle {:?} {}", verdict.reason, verdict.message),
        other => format!("{other:?}"),
    }
}

fn claim(user_name: &str) -> ClaimedAccount {
    ClaimedAccount { user_name: user_name.to_owned(), email: None }
}
