//! The worker in miniature: the provisioner's own pass, cut into the pieces between which others may act.

mod leave;
mod records;
mod requests;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;

use super::setup::SERVER;
use super::site::Answer;
use super::world::World;
use crate::api::{ClaimedAccount, OperationType, RECONCILE_REQUESTED_AT, Reason, ScimUser, ScimUserStatus, UserState};
use crate::plan::guards::GuardName;
use crate::plan::{
    Account, Binding, Claims, Creations, Delegated, Facts, Manager, Object, Operation, Path, Read, Request, Step,
    Verdict, decide, status_ahead,
};
use crate::provisioner::directory::{has_finalizer, is_deleting};
use crate::provisioner::queue::{Lane, Outcome, Ticket};
use crate::provisioner::snapshot::Known;
use crate::status::{Recorded, record, waits_already};

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
    /// What it came to know of creations, and what was known before the last one.
    creations: Creations,
    moment: u64,
    was_bound: bool,
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
            creations: Creations::default(),
            moment: 0,
            was_bound: false,
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
        let owes = status.observed_generation != user.metadata.generation || is_deleting(user);
        if !owes || waits_already(status.conditions.as_deref(), user.metadata.generation) {
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
            Next::Finalize(operation) => {
                let deleting = is_deleting(&pass.user);
                let recorded = pass.user.status.as_ref();
                if let Some(ahead) = status_ahead(recorded, &pass.status, &self.policy, deleting, &operation) {
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
            claims: Claims {
                rival: self.operator.directory.rival(
                    &user,
                    SERVER,
                    match &account {
                        Account::Found { resource, .. } => Some(resource),
                        _ => None,
                    },
                ),
                ..self.operator.directory.claims(&user, SERVER, found.as_deref())
            },
            creations: {
                let (earlier, made) = self.operator.memory.creations(&pass.ticket.uid, now);
                pass.creations.remember(earlier, made)
            },
            elsewhere: self.elsewhere(pass),
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

    /// Another account than the bound one that has its userName.
    fn elsewhere(&self, pass: &Pass) -> Option<String> {
        let id = pass.status.id.as_deref()?;
        let names = [Some(pass.user.spec.user_name.as_str()), pass.status.user_name.as_deref()];
        let mut names = names.into_iter().flatten();
        names.find_map(|name| self.operator.snapshot.namesake_of(id, name)).map(str::to_owned)
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
                    _ if pass.status.id.is_none() || is_deleting(&pass.user) => Next::Reserve(Step::Send(operation)),
                    _ => Next::Finalize(operation),
                };
                return self.ask_leave(pass, wanted, next);
            }
            Step::Settle(verdict) => {
                let waits = verdict.awaits.as_ref().is_some_and(|successor| !successor.held);
                if waits && self.operator.memory.is_overdue(&pass.ticket.uid, self.time()) {
                    self.operator.directory.give_up(&pass.user, SERVER);
                    return None;
                }
                if pass.creations.answered.is_some() && pass.status.id.is_none() {
                    self.take_back_finalizer(pass);
                }
                let outcome = self.outcome_of(pass, &verdict);
                if verdict.executed || verdict.awaits.is_some() {
                    self.withdraw(&pass.ticket.uid);
                }
                pass.next = Next::Settle(verdict, outcome);
            }
            Step::LetGo(verdict) => {
                self.check_departure(pass, &verdict.departure);
                pass.next = Next::LetGo;
            }
        }
        None
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
