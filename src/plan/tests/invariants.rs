//! I10: over facts of any kind, nobody loses anything that was not declared.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use super::driver::policy;
use super::merging::{profiles, specs};
use crate::api::{Action, AdoptionPolicy, DeletionPolicy, OperationType, Reason, ScimUserStatus, UserState};
use crate::plan::{
    Account, Claims, Facts, Holder, HolderState, Manager, Object, Path, Policy, Repair, Request, Step, Successor,
    decide,
};
use crate::scim::Resource;

fn accounts() -> impl Strategy<Value = Account> {
    let active = select(vec![json!(true), json!(false), json!("False"), Value::Null]);
    let found = (select(vec!["ada", "ADA", "bob"]), active, any::<bool>()).prop_map(|(name, active, fresh)| {
        let json = json!({"id": "id-1", "userName": name, "active": active, "title": "x", "emails": [{"value": "x"}]});
        Account::Found { resource: Resource(json.as_object().unwrap().clone()), fresh }
    });
    prop_oneof![
        4 => found,
        1 => any::<bool>().prop_map(|fresh| Account::Absent { fresh }),
        1 => Just(Account::Unknown),
        1 => Just(Account::Missing),
        1 => Just(Account::Contradictory("two".into())),
    ]
}

fn statuses() -> impl Strategy<Value = ScimUserStatus> {
    let states = option::of(select(vec![UserState::Active, UserState::Inactive, UserState::DeactivatedAtServer]));
    let bools = || option::of(any::<bool>());
    let managed = subsequence(vec!["title", "active", "userName", "emails[type eq \"\"]", "name.givenName"], 0..=5);
    (any::<bool>(), select(vec!["here", "elsewhere"]), states, bools(), bools(), managed, option::of(0..3i64)).prop_map(
        |(bound, server, state, active, applied, managed, generation)| ScimUserStatus {
            id: bound.then(|| "id-1".into()),
            bound_to: bound.then(|| server.into()),
            state,
            active,
            last_applied_active: applied,
            managed_attributes: Some(managed.into_iter().map(str::to_owned).collect()),
            observed_generation: generation,
            ..ScimUserStatus::default()
        },
    )
}

fn policies() -> impl Strategy<Value = Policy> {
    let actions = subsequence(vec![Action::Create, Action::Update, Action::Deprovision], 0..=3);
    let adoption = select(vec![AdoptionPolicy::Adopt, AdoptionPolicy::Refuse]);
    let deletion = select(vec![DeletionPolicy::Delete, DeletionPolicy::Deactivate, DeletionPolicy::Retain]);
    let repair =
        any::<[bool; 3]>().prop_map(|[attributes, deactivated, deleted]| Repair { attributes, deactivated, deleted });
    (profiles(), actions, adoption, deletion, repair, any::<bool>()).prop_map(
        |(profile, actions, adoption, deletion, repair, allow_irreversible_delete)| Policy {
            actions,
            adoption,
            deletion,
            group_adoption: AdoptionPolicy::Refuse,
            group_deletion: crate::api::GroupDeletionPolicy::Retain,
            allow_irreversible_delete,
            repair,
            ..policy(profile)
        },
    )
}

fn claims() -> impl Strategy<Value = Claims> {
    let name = || "ns/other".to_owned();
    let states = select(vec![
        HolderState::Keeps,
        HolderState::Renames,
        HolderState::InRing(vec![name()]),
        HolderState::Leaves,
        HolderState::HandsOver,
    ]);
    let holder =
        (states, any::<bool>()).prop_map(move |(state, has_account)| Holder { name: name(), has_account, state });
    let successor = any::<(bool, bool)>().prop_map(move |(bound, held)| Successor {
        name: name(),
        uid: "successor".into(),
        bound,
        held,
        unserved: None,
    });
    let elder = option::weighted(0.2, Just(name()));
    (option::weighted(0.2, holder), elder, option::weighted(0.2, successor))
        .prop_map(|(holder, elder, successor)| Claims { holder, elder, successor, rival: None })
}

/// Whether a request turns an account off that is on.
fn turns_off(request: &Request, account: &Account) -> bool {
    let shown_off = matches!(account, Account::Found { resource, .. } if resource.active() == Some(false));
    let off = Some(&Value::Bool(false));
    match request {
        Request::Create(body) => body.get("active") == off,
        Request::Patch { operations, .. } => operations
            .iter()
            .any(|operation| operation.path.as_deref() == Some("active") && operation.value != Some(Value::Bool(true))),
        // A PUT says again what the server shows.
        Request::Put { body, .. } => body.get("active") == off && !shown_off || !body.contains_key("active"),
        Request::Delete { .. } => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn i10_nothing_is_removed_that_was_not_declared(
        declared in specs(), active in select(vec![None, Some(true)]), status in statuses(), policy in policies(),
        account in accounts(), claims in claims(), flags in any::<[bool; 5]>(),
        written in subsequence(vec!["title", "active", "userName"], 0..=3),
    ) {
        let spec = crate::api::ScimUserSpec { active, suspend: flags[4], ..declared };
        let written: BTreeSet<Path> = written.into_iter().map(Path::core).collect();
        let facts = Facts {
            object: Object {
                full_name: "team/ada",
                spec: &spec,
                status: &status,
                generation: 2,
                created: None,
                deleting: false,
                has_finalizer: flags[0],
                claimed: None,
            release: flags[1],
                remote_id: flags[2].then_some("id-1"),
                requested: flags[3],
            },
            policy: &policy,
            account: account.clone(),
            claims,
            not_allowed: None,
            delegated: crate::plan::Delegated::Whole,
            creations: crate::plan::Creations::default(),
            elsewhere: None,
            manager: Manager::None,
            unlisted: &[],
            written: &written,
            before: None,
            split: &crate::plan::Split::default(),
            tried: &crate::plan::Tried::default(),
            contested: &BTreeSet::new(),
            now: Timestamp::UNIX_EPOCH,
            clock_trusted: true,
        };
        match decide(&facts) {
            Step::Send(operation) => {
                prop_assert!(!turns_off(&operation.request, &account), "{operation:?}");
                prop_assert!(!spec.suspend);
                // An id of another server is never used (promise I6).
                prop_assert!(!facts.bound_elsewhere() || operation.kind == OperationType::Create);
            }
            Step::RemoveFinalizer(_) => prop_assert!(false, "only what is being deleted is let go"),
            Step::Settle(verdict) if spec.suspend => prop_assert_eq!(verdict.reason, Some(Reason::Suspended)),
            _ => {}
        }
    }
}
