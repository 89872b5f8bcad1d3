//! The planner of memberships against a model that computes everything anew.

use proptest::prelude::*;

use super::*;
use crate::api::RemoteId;

#[derive(Clone, Debug)]
enum Event {
    Enter(Standing),
    /// The nth reference that stands leaves.
    Leave(usize),
    Observe(BTreeSet<u8>),
    Added(BTreeSet<u8>),
    Removed(BTreeSet<u8>),
    Own(u8),
    Vanish(u8),
    Expire,
    Source(Source),
}

fn event() -> impl Strategy<Value = Event> {
    let some = || proptest::collection::btree_set(0..8_u8, 0..5);
    let standing = prop_oneof![
        Just(Standing::Waiting),
        (0..8_u8).prop_map(|n| Standing::In(id(n))),
        (0..8_u8).prop_map(|n| Standing::Going(id(n))),
    ];
    prop_oneof![
        4 => standing.prop_map(Event::Enter),
        3 => (0..9_usize).prop_map(Event::Leave),
        2 => some().prop_map(Event::Observe),
        2 => some().prop_map(Event::Added),
        2 => some().prop_map(Event::Removed),
        1 => (0..8_u8).prop_map(Event::Own),
        1 => (0..8_u8).prop_map(Event::Vanish),
        1 => Just(Event::Expire),
        1 => prop_oneof![Just(Source::Exact), Just(Source::Additive), Just(Source::Ledger)].prop_map(Event::Source),
    ]
}

/// Everything, from the beginning.
#[derive(Default)]
struct Model {
    references: Vec<Standing>,
    present: Option<BTreeSet<RemoteId>>,
    ours: BTreeSet<RemoteId>,
    vanished: BTreeSet<RemoteId>,
    absent: BTreeSet<RemoteId>,
    /// Put in by us, and shown by no reading since.
    unseen: BTreeSet<RemoteId>,
    source: Source,
}

impl Model {
    fn here(&self) -> Option<&BTreeSet<RemoteId>> {
        if self.source == Source::Ledger { Some(&self.ours) } else { self.present.as_ref() }
    }

    fn missing(&self) -> BTreeSet<RemoteId> {
        let Some(here) = self.here() else { return BTreeSet::new() };
        let wanted = self.references.iter().filter_map(|one| match one {
            Standing::In(id) if !here.contains(id) => Some(id.clone()),
            _ => None,
        });
        wanted.collect()
    }

    fn is_declared(&self, id: &RemoteId) -> bool {
        let leads = |one: &Standing| matches!(one, Standing::In(own) | Standing::Going(own) if own == id);
        self.references.iter().any(leads)
    }

    /// Ours no longer, where two readings in a row don't show who isn't declared any more.
    fn lapse(&mut self) {
        if self.source == Source::Ledger {
            return;
        }
        let mut shown = self.present.clone().unwrap_or_default();
        shown.extend(self.unseen.iter().cloned());
        let absent: BTreeSet<RemoteId> =
            self.ours.iter().filter(|id| !shown.contains(*id) && !self.is_declared(id)).cloned().collect();
        self.ours.retain(|id| !(absent.contains(id) && self.absent.contains(id)));
        self.absent = absent.difference(&self.absent).cloned().collect();
    }

    fn extra(&self) -> BTreeSet<RemoteId> {
        let stays = |id: &RemoteId| self.vanished.contains(id) || self.is_declared(id);
        let goes = |id: &&RemoteId| !stays(id) && (self.source == Source::Exact || self.ours.contains(*id));
        let unseen = self.unseen.iter().filter(|id| !stays(id)).cloned();
        self.here().into_iter().flatten().filter(goes).cloned().chain(unseen).collect()
    }
}

proptest! {
    #[test]
    fn what_is_owed_is_what_lies_between_however_it_came_about(events in proptest::collection::vec(event(), 0..60)) {
        let (mut membership, mut model) = (Membership::default(), Model::default());
        let ids = |some: &BTreeSet<u8>| some.iter().map(|n| id(*n)).collect::<Vec<_>>();
        for event in events {
            match event {
                Event::Enter(standing) => {
                    membership.enter(&standing);
                    if let Standing::In(id) = &standing {
                        model.vanished.remove(id);
                    }
                    model.references.push(standing);
                }
                Event::Leave(n) if n < model.references.len() => membership.leave(&model.references.remove(n)),
                Event::Leave(_) => {}
                Event::Observe(some) => {
                    membership.observe(ids(&some));
                    model.present = Some(ids(&some).into_iter().collect());
                    model.unseen.retain(|id| !ids(&some).contains(id));
                    model.lapse();
                }
                Event::Added(some) => {
                    membership.added(&ids(&some));
                    model.ours.extend(ids(&some));
                    model.unseen.extend(ids(&some));
                    model.absent.retain(|id| !ids(&some).contains(id));
                    if let Some(present) = &mut model.present {
                        present.extend(ids(&some));
                    }
                }
                Event::Removed(some) => {
                    membership.removed(&ids(&some));
                    for id in ids(&some) {
                        model.ours.remove(&id);
                        model.unseen.remove(&id);
                        model.vanished.remove(&id);
                        if let Some(present) = &mut model.present {
                            present.remove(&id);
                        }
                    }
                }
                Event::Own(n) => {
                    membership.own(&id(n));
                    model.ours.insert(id(n));
                }
                Event::Vanish(n) => {
                    membership.vanish(&id(n), Timestamp::UNIX_EPOCH);
                    if model.here().is_some_and(|here| here.contains(&id(n))) || model.present.is_none() {
                        model.vanished.insert(id(n));
                    }
                }
                Event::Expire => {
                    membership.expire(Timestamp::UNIX_EPOCH);
                    model.vanished.clear();
                }
                Event::Source(source) => {
                    membership.set_source(source);
                    model.source = source;
                }
            }
            prop_assert_eq!(membership.missing(), &model.missing());
            prop_assert_eq!(membership.extra(), &model.extra());
        }
    }

    /// Chunk by chunk the group becomes what is declared, each request within the server's limit, and none of them
    /// names `members` as a whole without saying whom.
    #[test]
    fn chunks_end_at_what_is_declared(
        wanted in proptest::collection::btree_set(0..60_u8, 0..40),
        present in proptest::collection::btree_set(0..60_u8, 0..40),
        most in 1..9_u32,
        by_values in any::<bool>(),
    ) {
        let member_removal = if by_values { MemberRemoval::Values } else { MemberRemoval::Filter };
        let profile = Profile { max_members_per_patch: most, member_removal, ..Profile::generic() };
        let mut membership = Membership::default();
        membership.observe(present.iter().map(|n| id(*n)));
        for n in &wanted {
            membership.enter(&Standing::In(id(*n)));
        }
        let owed = membership.missing().len() + membership.extra().len();
        let mut server: BTreeSet<RemoteId> = present.iter().map(|n| id(*n)).collect();
        let mut requests = 0;
        loop {
            let change = chunk(membership.extra(), membership.missing(), &profile, false);
            if change == Change::default() {
                break;
            }
            requests += 1;
            prop_assert!(change.added.len() + change.removed.len() <= most as usize);
            for operation in change.operations(&profile) {
                let path = operation.path.clone().unwrap_or_default();
                let named: Vec<RemoteId> = operation.value.iter().flat_map(|value| value.as_array().cloned().unwrap_or_default())
                    .map(|one| RemoteId::from(one["value"].as_str().unwrap_or_default()))
                    .collect();
                match operation.op {
                    Op::Add => {
                        prop_assert_eq!(path, "members");
                        server.extend(named);
                    }
                    Op::Remove if path == "members" => {
                        prop_assert!(by_values && !named.is_empty(), "a bare removal empties the group");
                        server.retain(|id| !named.contains(id));
                    }
                    Op::Remove => {
                        let one = path.strip_prefix("members[value eq \"").and_then(|rest| rest.strip_suffix("\"]"));
                        prop_assert!(one.is_some() && !by_values);
                        server.retain(|id| Some(id.as_str()) != one);
                    }
                    Op::Replace => prop_assert!(false, "members are never replaced"),
                }
            }
            membership.added(&change.added);
            membership.removed(&change.removed);
        }
        prop_assert_eq!(server, wanted.iter().map(|n| id(*n)).collect::<BTreeSet<_>>());
        prop_assert_eq!(requests, owed.div_ceil(most as usize));
    }
}

#[test]
fn i09_members_looked_up_anew_are_not_declared_anew() {
    let stands = |n: u8| Standing::In(id(n));
    let mut members = Membership::default();
    for n in [1, 2, 3] {
        members.enter(&stands(n));
    }
    let before = members.fingerprint();
    members.observe([id(1), id(2), id(3)]);
    let (lost, foreign) = members.observe([id(1), id(2), id(9)]);
    members.keep_as_is(lost.into_iter().chain(foreign));
    members.without_references();
    for n in [3, 1, 2] {
        members.enter(&stands(n));
    }
    assert_eq!(members.fingerprint(), before, "in whatever order they come");
    assert_eq!((members.missing().len(), members.extra().len()), (0, 0), "what others changed is left so");
    members.leave(&stands(3));
    assert_ne!(members.fingerprint(), before);
    members.enter(&stands(3));
    assert_eq!(members.missing().iter().cloned().collect::<Vec<_>>(), [id(3)], "declared anew, it is put in");
    // Of another run, nothing but the fingerprint is known.
    let mut members = Membership::default();
    members.enter(&stands(1));
    members.observe([id(9)]);
    members.keep_as_is(members.differing().into_iter().map(|(id, _)| id));
    assert_eq!((members.missing().len(), members.extra().len(), members.left()), (0, 0, (1, 1)));
}

#[test]
fn i18_a_group_that_is_too_large_for_its_record_says_so() {
    for (many, told) in [(5000, false), (5001, true)] {
        let mut case = Case::bound(&[]);
        let all: Vec<RemoteId> = (0..many).map(|n| RemoteId::from(format!("id-{n}"))).collect();
        case.membership.observe(all.iter().cloned());
        for id in &all {
            case.membership.enter(&Standing::In(id.clone()));
        }
        case.status.applied_attributes = Some(String::new());
        let GroupStep::Settle(verdict) = case.decide() else { panic!("it is as declared") };
        assert_eq!(verdict.reason, Some(Reason::Synced));
        assert_eq!(verdict.message.contains("isn't on record"), told, "{}", verdict.message);
        assert_eq!(case.membership.owned(None).is_some_and(|owned| owned.len() < 12), told);
    }
}

/// The same once it leaves others in it: who was put in before isn't known any more, whatever was recorded since.
#[test]
fn i18_a_group_that_was_too_large_for_its_record_says_so_when_it_leaves_others_in_it() {
    for (many, told) in [(5000, false), (5001, true)] {
        let mut case = Case::bound(&[]);
        let all: Vec<RemoteId> = (0..many).map(|n| RemoteId::from(format!("id-{n}"))).collect();
        case.membership.observe(all.iter().cloned());
        for id in &all {
            case.membership.enter(&Standing::In(id.clone()));
        }
        case.status.owned_members = case.membership.owned(None);
        case.spec.membership = crate::api::Membership::Additive;
        case.membership.set_source(Source::Additive);
        case.membership.know_owned(case.status.owned_members.as_deref(), []);
        case.membership.leave(&Standing::In(all[0].clone()));
        case.status.applied_attributes = Some(String::new());
        if !told {
            assert_eq!(case.membership.extra().len(), 1, "it is on record, and goes");
            case.membership.removed(&all[..1]);
        }
        let GroupStep::Settle(verdict) = case.decide() else { panic!("it is as declared") };
        assert_eq!(verdict.reason, Some(Reason::Synced));
        assert_eq!(verdict.message.contains("isn't on record who they were"), told, "{}", verdict.message);
        // It stays told after the next member goes, and until the group is exact and has nobody else in it.
        let recorded = case.status.owned_members.take();
        let recorded = without_removed(recorded.as_deref(), &all[..1]);
        assert_eq!(case.membership.exceeded_record(case.membership.owned(recorded.as_deref()).as_deref()), told);
        case.membership.set_source(Source::Exact);
        for id in &all[1..] {
            case.membership.leave(&Standing::In(id.clone()));
        }
        assert!(case.membership.owned(recorded.as_deref()).is_some(), "they are still in");
        case.membership.removed(&all);
        assert_eq!(case.membership.owned(recorded.as_deref()), None);
    }
}

/// Declared by now, or no more; the server shows nothing else.
#[test]
fn i09_what_no_longer_differs_is_no_drift() {
    let mut members = Membership::default();
    members.enter(&Standing::In(id(1)));
    members.observe([id(1)]);
    let (lost, foreign) = members.observe([id(9)]);
    members.keep_as_is(lost.into_iter().chain(foreign));
    assert_eq!(members.left(), (1, 1));
    members.enter(&Standing::In(id(9)));
    assert_eq!(members.left(), (1, 0), "it is declared");
    members.leave(&Standing::In(id(1)));
    assert_eq!(members.left(), (0, 0), "it is declared no more");
}
