//! Decisions about groups.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::api::{
    AdoptionPolicy, GroupDeletionPolicy, GroupDrift, GroupRef, Member, OperationType, Reason, RemoteId, ScimGroupSpec,
    ScimGroupStatus,
};
use crate::plan::guards::GuardName;
use crate::plan::tests::driver::policy;
use crate::plan::{Account, ClaimedName, Claims, Creations, Departure, Path, Policy, Request};
use crate::scim::{MemberRemoval, Op, Profile, Resource};

mod first;
mod going;
mod kept;
mod limits;
mod lost;
mod members;
mod names;
mod replaced;

fn id(n: u8) -> RemoteId {
    RemoteId::from(format!("id-{n}"))
}

/// A group as a decision sees it, in parts that a test may change.
struct Case {
    spec: ScimGroupSpec,
    status: ScimGroupStatus,
    policy: Policy,
    membership: Membership,
    group: Account,
    deleting: bool,
    finalizer: bool,
    claimed: Option<&'static str>,
    claims: Claims,
    kept: KeptMembers,
    departed: BTreeSet<RemoteId>,
    removals_wait: bool,
    apart: bool,
    not_its_own: Option<(Reason, String)>,
    must_be_seen: bool,
    bounded: bool,
    undelegated: bool,
    room: Option<usize>,
    drift: Option<GroupDrift>,
    creations: Creations,
    elsewhere: Option<String>,
    unseen: BTreeSet<RemoteId>,
    created: Option<Timestamp>,
    contested: bool,
}

impl Case {
    /// Bound, and as declared, with these members.
    fn bound(members: &[u8]) -> Self {
        let policy = policy(Profile::generic());
        let mut membership = Membership::default();
        membership.observe(members.iter().map(|n| id(*n)));
        for n in members {
            membership.enter(&Standing::In(id(*n)));
        }
        let status = ScimGroupStatus {
            observed_generation: Some(1),
            id: Some("g".into()),
            bound_to: Some(policy.server.clone()),
            ..ScimGroupStatus::default()
        };
        let spec = ScimGroupSpec { display_name: "Platform".into(), ..ScimGroupSpec::default() };
        Self {
            spec,
            status,
            policy,
            membership,
            group: shown("Platform"),
            deleting: false,
            finalizer: true,
            claimed: Some("Platform"),
            claims: Claims::default(),
            kept: KeptMembers::default(),
            departed: BTreeSet::new(),
            removals_wait: false,
            apart: false,
            not_its_own: None,
            must_be_seen: false,
            bounded: false,
            undelegated: false,
            room: None,
            drift: None,
            creations: Creations::default(),
            elsewhere: None,
            unseen: BTreeSet::new(),
            created: None,
            contested: false,
        }
    }

    fn unbound(group: Account) -> Self {
        Self { status: ScimGroupStatus::default(), finalizer: false, claimed: None, group, ..Self::bound(&[]) }
    }

    fn decide(&self) -> GroupStep {
        let nobody = BTreeSet::new();
        decide_group(&GroupFacts {
            object: GroupObject {
                full_name: "identity/platform",
                spec: &self.spec,
                status: &self.status,
                generation: 1,
                created: self.created,
                deleting: self.deleting,
                has_finalizer: self.finalizer,
                claimed: self.claimed.map(|name| ClaimedName::new(name, Some(&self.policy.server), true)),
                release: false,
                remote_id: None,
                requested: false,
            },
            policy: &self.policy,
            group: self.group.clone(),
            claims: self.claims.clone(),
            creations: self.creations.clone(),
            elsewhere: self.elsewhere.clone(),
            not_its_own: self.not_its_own.clone(),
            must_be_seen: self.must_be_seen,
            bounded: self.bounded,
            undelegated: self.undelegated,
            members: Members {
                membership: &self.membership,
                kept: &self.kept,
                departed: &self.departed,
                unseen: &self.unseen,
                sent: &nobody,
                resting: &crate::plan::groups::resting(
                    &self.status,
                    &self.spec,
                    &crate::plan::Tried::default(),
                    Timestamp::UNIX_EPOCH,
                ),
                rejected: &RejectedParts::default(),
                room: self.room,
                unfound: &Unfound::default(),
                foreign: &[],
                waiting_for: &[],
                absent: &[],
            },
            written: false,
            removals_wait: self.removals_wait,
            apart: self.apart,
            whole: None,
            shown_partly: false,
            hidden_members: HiddenMembers::None,
            seen: crate::scim::ObservedQuirks::default(),
            shows_members: true,
            never_empty: false,
            split: &crate::plan::Split::default(),
            drift: self.drift.as_ref(),
            contested: self.contested,
            name_sent: None,
            unsupported: None,
            now: Timestamp::UNIX_EPOCH,
        })
    }

    fn sends(&self) -> GroupOperation {
        match self.decide() {
            GroupStep::Send(operation) => *operation,
            other => panic!("sends nothing: {other:?}"),
        }
    }

    fn reason(&self) -> Option<Reason> {
        match self.decide() {
            GroupStep::Settle(verdict) => verdict.reason,
            other => panic!("does something: {other:?}"),
        }
    }
}

fn shown(name: &str) -> Account {
    let value = json!({"id": "g", "displayName": name});
    Account::Found { resource: Resource(value.as_object().cloned().unwrap_or_default()), fresh: true }
}

#[test]
fn i01_a_group_as_declared_is_left_alone() {
    assert_eq!(Case::bound(&[1, 2]).reason(), Some(Reason::Synced));
}

#[test]
fn a_group_is_created_empty() {
    let operation = Case::unbound(Account::Absent { fresh: true }).sends();
    let Request::Create(body) = operation.request else { panic!("no creation") };
    assert_eq!(body.keys().collect::<Vec<_>>(), ["displayName"]);
}

#[test]
fn a_group_that_was_there_is_refused_unless_adoption_is_declared() {
    let mut case = Case::unbound(shown("Platform"));
    case.policy.group_adoption = AdoptionPolicy::Refuse;
    assert_eq!(case.reason(), Some(Reason::AdoptionRefused));
    case.policy.group_adoption = AdoptionPolicy::Adopt;
    assert!(matches!(case.decide(), GroupStep::Bind(binding) if binding.how == OperationType::Adopt));
    // A finalizer alone claims no group.
    case.policy.group_adoption = AdoptionPolicy::Refuse;
    case.finalizer = true;
    assert_eq!(case.reason(), Some(Reason::AdoptionRefused));
}

#[test]
fn i04_whom_the_server_takes_twice_and_never_shows_it_does_not_keep() {
    let mut members = Membership::default();
    members.enter(&Standing::In(id(1)));
    members.observe([]);
    members.added(&[id(1)]);
    assert_eq!(members.observe([]), (vec![id(1)], vec![]), "once, somebody else may have been quicker");
    members.added(&[id(1)]);
    assert_eq!((members.observe([]), members.take_dropped()), ((vec![], vec![]), vec![id(1)]));
    // Seen in meanwhile, it is lost as anybody is.
    members.added(&[id(1)]);
    members.observe([id(1)]);
    assert_eq!(members.observe([]), (vec![id(1)], vec![]));
    assert!(members.take_dropped().is_empty());
}

#[test]
fn i05_a_groups_name_is_the_same_however_its_letters_are_composed() {
    let mut case = Case { group: shown("Zo\u{eb}"), ..Case::bound(&[]) };
    case.spec.display_name = "Zoe\u{308} ".into();
    assert_eq!(case.reason(), Some(Reason::Synced));
}

#[test]
fn i06_a_rename_is_an_update_of_the_same_id() {
    let case = Case { group: shown("Plattform"), ..Case::bound(&[]) };
    // Shown as drift first, since the spec was carried out already.
    let case = Case { status: ScimGroupStatus { observed_generation: Some(0), ..case.status.clone() }, ..case };
    let operation = case.sends();
    assert_eq!(operation.attributes, [Path::core("displayName")]);
    assert!(matches!(operation.request, Request::Patch { id, .. } if id == "g"));
}

#[test]
fn i32_a_group_that_status_alone_names_is_left_alone() {
    for deleting in [false, true] {
        let mut case = Case::bound(&[1, 2]);
        case.deleting = deleting;
        case.policy.group_deletion = GroupDeletionPolicy::Delete;
        case.membership.leave(&Standing::In(id(1)));
        case.must_be_seen = true;
        let group = std::mem::replace(&mut case.group, Account::Unknown);
        assert!(matches!(case.decide(), GroupStep::Read(_)), "it is read first");
        case.group = group;
        case.not_its_own = Some((Reason::Conflict, "n/other has it".into()));
        assert_eq!(case.reason(), Some(Reason::Conflict));
    }
}

#[test]
fn i18_whoever_merely_vanished_stays_for_a_while() {
    let mut case = Case::bound(&[1, 2]);
    case.membership.vanish(&id(1), Timestamp::UNIX_EPOCH);
    case.membership.leave(&Standing::In(id(1)));
    assert_eq!(case.reason(), Some(Reason::Synced));
    case.membership.expire(Timestamp::UNIX_EPOCH);
    assert_eq!(case.sends().change.removed, [id(1)]);
}

#[test]
fn i19_no_more_are_put_in_than_the_server_takes_and_whoever_goes_goes_at_once() {
    let mut case = Case::bound(&[1, 2]);
    for n in 3..8 {
        case.membership.enter(&Standing::In(id(n)));
    }
    case.room = Some(2);
    assert_eq!(case.sends().change.added, [id(3), id(4)]);
    case.room = Some(0);
    let GroupStep::Settle(verdict) = case.decide() else { panic!("more than the server takes") };
    assert_eq!((verdict.reason, verdict.executed), (Some(Reason::RateLimited), false));
    assert!(verdict.message.contains("5 are still to be put in"), "{}", verdict.message);
    case.membership.leave(&Standing::In(id(1)));
    assert_eq!((case.sends().change.removed, case.sends().change.added), (vec![id(1)], vec![]));
    assert_eq!((Profile::github().members_an_hour, Profile::generic().members_an_hour), (Some(1000), None));
}

#[test]
fn additive_takes_out_only_whom_it_brought_in() {
    let mut case = Case::bound(&[1, 2]);
    case.membership.set_source(Source::Additive);
    case.membership.leave(&Standing::In(id(1)));
    case.membership.leave(&Standing::In(id(2)));
    assert_eq!(case.reason(), Some(Reason::Synced));
    case.membership.own(&id(2));
    assert_eq!(case.sends().change.removed, [id(2)]);
}

#[test]
fn deleting_the_object_deletes_the_group_only_where_that_is_declared() {
    let mut case = Case { deleting: true, ..Case::bound(&[1]) };
    assert!(matches!(case.decide(), GroupStep::RemoveFinalizer(verdict) if verdict.departure == Departure::LeftAsIs));
    case.policy.group_deletion = GroupDeletionPolicy::Delete;
    let operation = case.sends();
    assert_eq!((operation.kind, operation.guard), (OperationType::Delete, Some(GuardName::Groups)));
    case.spec.deletion_policy = Some(GroupDeletionPolicy::Retain);
    assert!(matches!(case.decide(), GroupStep::RemoveFinalizer(verdict) if verdict.departure == Departure::LeftAsIs));
}

#[test]
fn one_change_in_a_large_group_is_one_small_request() {
    let mut membership = Membership::default();
    let all: Vec<RemoteId> = (0..10_000).map(|n| RemoteId::from(format!("id-{n}"))).collect();
    membership.observe(all.clone());
    for id in &all {
        membership.enter(&Standing::In(id.clone()));
    }
    membership.enter(&Standing::In("new".into()));
    let change = chunk(membership.extra(), membership.missing(), &Profile::generic(), false);
    assert_eq!((change.added, change.removed), (vec![RemoteId::from("new")], vec![]));
}

/// The references are counted: one of two that lead to the same account may go.
#[test]
fn a_member_declared_twice_stays_while_one_reference_does() {
    let mut membership = Membership::default();
    membership.observe([id(1)]);
    membership.enter(&Standing::In(id(1)));
    membership.enter(&Standing::In(id(1)));
    membership.leave(&Standing::In(id(1)));
    assert!(membership.extra().is_empty());
    let counts: BTreeMap<_, _> =
        BTreeMap::from([("declared", membership.declared()), ("present", membership.present())]);
    assert_eq!(counts, BTreeMap::from([("declared", 1), ("present", 1)]));
}

#[test]
fn members_that_vanished_are_shown_before_they_are_put_back_under_a_new_spec_too() {
    let mut case = Case::bound(&[1, 2]);
    assert_eq!(case.membership.observe([id(1)]), (vec![id(2)], vec![]));
    case.drift = Some(GroupDrift { lost: 1, ..GroupDrift::default() });
    for generation in [1, 0] {
        case.status.observed_generation = Some(generation);
        let GroupStep::Settle(shown) = case.decide() else { panic!("repaired before it was shown") };
        assert!(shown.details.again && shown.details.drift == case.drift, "{shown:?}");
        assert_eq!(shown.executed, generation == 1, "what is declared is yet to be done");
    }
    case.status.drift.clone_from(&case.drift);
    assert_eq!(case.sends().change.added, [id(2)]);
}

#[test]
fn a_member_that_a_probe_does_not_find_is_put_in_again() {
    let mut case = Case::bound(&[]);
    case.membership.set_source(Source::Ledger);
    case.membership.enter(&Standing::In(id(1)));
    case.membership.added(&[id(1), id(2)]);
    assert_eq!(case.membership.lose(&[id(1), id(2)]), [id(1)], "who isn't declared is no loss");
    assert_eq!((case.membership.missing().len(), case.membership.extra().len()), (1, 0));
    assert_eq!(case.sends().change.added, [id(1)]);
}

#[test]
fn groups_within_groups_are_refused_where_the_server_has_none() {
    let inner = Member { group_ref: Some(GroupRef { name: "inner".into() }), ..Member::default() };
    let mut case = Case::bound(&[1]);
    case.spec.members = Some(vec![inner]);
    assert_eq!(case.reason(), Some(Reason::Synced));
    case.policy.profile = Profile::aws_identity_center();
    assert_eq!(case.reason(), Some(Reason::NotSupported));
}

#[test]
fn i09_under_report_a_groups_name_is_written_only_if_it_was_declared_since() {
    let mut case = Case::bound(&[1]);
    case.policy.repair.attributes = false;
    let GroupStep::Settle(verdict) = case.decide() else { panic!("at rest") };
    case.status.applied_attributes = verdict.applied.map(|applied| applied.text());
    case.group = shown("Changed by others");
    // Whatever else was declared, and however the last pass ended.
    for generation in [None, Some(0), Some(1)] {
        case.status.observed_generation = generation;
        let GroupStep::Settle(verdict) = case.decide() else { panic!("nothing is sent: {generation:?}") };
        assert_eq!(verdict.reason, Some(Reason::Drifted));
        let applied = verdict.applied.map(|applied| applied.text());
        assert_eq!(applied, case.status.applied_attributes);
    }
    // A refusal was recorded for this generation, and what it declares is owed still.
    case.spec.display_name = "Declared anew".into();
    let GroupStep::Send(operation) = case.decide() else { panic!("it is owed") };
    assert_eq!(operation.attributes, [Path::core("displayName")]);
}
