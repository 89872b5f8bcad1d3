//! Everything outside of the operator: the cluster, the server, the time, the faults, and the book of what happened.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::alone::Heard;
use super::book::Book;
use super::cluster::Cluster;
use super::setup::Setup;
use super::site::Site;
use crate::api::{AdoptionPolicy, ScimGroup, ScimUserStatus, Uid};
use crate::directory::is_deleting;
use crate::plan::groups::GroupOperation;
use crate::plan::guards::GuardName;
use crate::plan::{Operation, Policy};
use crate::provisioner::schedule::limiter::Priority;
use crate::scim::{Ids, fold};

/// What befalls the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing takes effect: 429, 5xx, a reset.
    Refused,
    /// 500: nothing takes effect.
    Broken,
    /// It takes effect, and the answer is lost.
    Lost,
    /// 404, whatever is there.
    Missing,
    /// A look-up shows how things were a while ago.
    Stale,
    /// The API server refuses the next status.
    Status,
    /// 429: nothing takes effect.
    Throttled,
    /// 415: nothing takes effect.
    ContentType,
    /// 405: nothing takes effect.
    Method,
    /// 403: nothing takes effect.
    Forbidden,
    /// 403 without a word: nothing takes effect.
    Mute,
    /// The server asks for patience for so long that nobody waits for a turn.
    Turn,
}

/// How a listing goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    Whole,
    /// Breaks off.
    Truncated,
    /// A page is never shown.
    Gap,
    /// The first page comes twice.
    Repeated,
    /// Everything as it was a while ago.
    Stale,
    /// Nothing, in good shape.
    Empty,
    /// Fewer than it counts.
    Short,
    /// The first page again and again.
    Circling,
    /// One of the entries has no id.
    Unreadable,
}

/// Where a pass stands: between two of these a crash may come, or another pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// About to ask the server.
    Read,
    /// About to send a write.
    Request,
    /// The write took effect, or didn't; the answer isn't heard yet.
    Answer,
    /// About to write a finalizer or a claim.
    Claim,
    /// About to write a status.
    Status,
    /// About to write the connection.
    Connection,
}

/// What is known of the operator's passes, from without; a restart forgets it.
#[derive(Debug, Default)]
pub struct Observed {
    /// Whose pass goes on now.
    pub at_work: Option<Uid>,
    /// Where each stands.
    pub places: BTreeMap<Uid, Place>,
    /// The version of the account that the plan rests on, where that was the server's newest.
    pub informed: BTreeMap<Uid, String>,
    /// The guard that admitted it, when, and for what.
    pub admitted: BTreeMap<Uid, (GuardName, i64, String)>,
    /// Objects whose operation was held when they last asked, or when a person answered.
    /// For which generation and guard; none for any.
    pub held: BTreeMap<Uid, Option<(i64, Option<GuardName>, String)>>,
    /// What each sent last.
    pub sent: BTreeMap<Uid, Operation>,
    /// Statuses that the API server didn't take.
    pub unsaved: BTreeMap<Uid, ScimUserStatus>,
    /// What each sent last about a group, and what it rests on.
    pub group_sent: BTreeMap<Uid, (ScimGroup, GroupOperation)>,
    /// Up to which version everything was heard when the pass began.
    pub heard: BTreeMap<Uid, u64>,
    /// In which form the server was seen to write ids.
    pub ids: Ids,
}

/// Everything outside of the operator.
pub struct Outside {
    pub setup: Setup,
    pub policy: Policy,
    /// The server that the connection leads to.
    pub site: Site,
    /// The other one.
    pub other_site: Site,
    /// Which of them the first is.
    pub server: usize,
    pub cluster: Cluster,
    pub now: i64,
    pub fault: Option<Fault>,
    /// The object whose status takes no memberships.
    pub unrecorded: Option<String>,
    /// How the listing under way goes.
    pub listing: Listing,
    pub book: Book,
    /// Who asked the limiter for a turn, and how urgently.
    pub turns: Vec<(Uid, Priority)>,
    pub observed: Observed,
    pub broken: Option<String>,
    pub trace: Option<Vec<String>>,
    /// What each pass has heard and decided so far, in one number, where states are to be told apart.
    pub heard: Option<BTreeMap<String, u64>>,
    /// Whose turn it is to hear something.
    pub hearing: Option<String>,
    /// What is heard of users' passes, where somebody asks.
    pub passes: Option<Heard>,
}

/// The same in every world, so that states of several can be compared.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Outside {
    pub fn new(setup: Setup, traced: bool) -> Self {
        Self {
            policy: setup.policy(),
            site: setup.site(0),
            other_site: setup.site(1),
            server: 0,
            cluster: Cluster::new(setup.connection(), setup.second()),
            now: 1_000_000_000,
            fault: None,
            unrecorded: None,
            listing: Listing::Whole,
            book: Book::default(),
            turns: Vec::new(),
            observed: Observed::default(),
            broken: None,
            trace: traced.then(Vec::new),
            heard: None,
            hearing: None,
            passes: None,
            setup,
        }
    }

    /// Says what happens, where somebody listens.
    pub fn say(&mut self, what: impl FnOnce() -> String) {
        let hears = self.heard.as_mut().zip(self.hearing.as_ref());
        if self.trace.is_none() && hears.is_none() {
            return;
        }
        let what = what();
        if let Some((heard, pass)) = hears {
            let mut hash = DefaultHasher::new();
            let known = heard.entry(pass.clone()).or_default();
            (*known, &what).hash(&mut hash);
            *known = hash.finish();
        }
        if let Some(trace) = &mut self.trace {
            trace.push(what);
        }
    }

    /// A pass has ended, and with it whatever it has heard.
    pub fn hears_no_more(&mut self, pass: &str) {
        self.hearing = None;
        if let Some(heard) = &mut self.heard {
            heard.remove(pass);
        }
    }

    /// A promise is broken; the first one counts.
    pub fn complain(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.say(|| format!("BROKEN {what}"));
        self.broken.get_or_insert(what);
    }

    /// Each is the other one from now on.
    pub fn swap_servers(&mut self) {
        std::mem::swap(&mut self.site, &mut self.other_site);
        self.server = 1 - self.server;
    }

    /// The server's database is built anew.
    pub fn renumber(&mut self) {
        let ids = self.site.build_anew();
        // Nobody is removed by a name alone where that isn't enough to adopt anybody.
        let refuses = self.policy.adoption == AdoptionPolicy::Refuse;
        let lost = self.cluster.objects.values().filter(|user| {
            let shown = user.status.as_ref().and_then(|status| status.user_name.as_deref()).map(fold);
            refuses && (is_deleting(user) || shown != Some(fold(&user.spec.user_name)))
        });
        let lost: Vec<Uid> = lost.filter_map(|object| Uid::given(&object.metadata)).collect();
        for uid in lost {
            self.excuse(&uid, None);
            let made = self.book.made.get(&uid).cloned();
            self.book.lost.extend(made.into_iter().flatten());
        }
        self.book.renumber(&ids);
    }

    pub fn time(&self) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + self.now).unwrap_or_default()
    }

    /// The same instant on the queue's clock.
    pub fn instant(&self) -> Instant {
        *EPOCH + Duration::from_millis(u64::try_from(self.now).unwrap_or(0))
    }

    /// The fault, if it is one of these: it strikes once.
    pub fn strikes(&mut self, kinds: &[Fault]) -> Option<Fault> {
        let fault = self.fault.filter(|fault| kinds.contains(fault))?;
        self.fault = None;
        self.say(|| format!("  fault {fault:?}"));
        Some(fault)
    }
}

/// What the operator's effects and the story share.
pub type Shared = Arc<Mutex<Outside>>;

/// For a moment, never over an effect.
pub fn look(outside: &Shared) -> MutexGuard<'_, Outside> {
    outside.lock().unwrap_or_else(PoisonError::into_inner)
}
