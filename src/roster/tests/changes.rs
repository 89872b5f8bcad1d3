use std::sync::Arc;

use super::*;
use crate::api::{ConnectionRef, GENERATED, ROSTER_KEY, ROSTER_LABEL, ScimUser};

fn connection() -> ConnectionRef {
    serde_json::from_value(json!({"name": "datadog"})).expect("a connection")
}

fn sorted(users: Vec<Arc<ScimUser>>) -> Given {
    Given::sort(users, Ours { roster: "people", connection: &connection(), deletes: false })
}

/// A namespace as it is once everything was written.
fn written(spec: &ScimRosterSpec, text: &str) -> Vec<Arc<ScimUser>> {
    then(spec, text, Vec::new()).0
}

/// A namespace after a look at the table, and what was gone.
pub fn then(spec: &ScimRosterSpec, text: &str, users: Vec<Arc<ScimUser>>) -> (Vec<Arc<ScimUser>>, Looked) {
    then_of(spec, vec![csv("a", text)], users)
}

/// The same of several documents.
pub fn then_of(
    spec: &ScimRosterSpec,
    documents: Vec<Document>,
    users: Vec<Arc<ScimUser>>,
) -> (Vec<Arc<ScimUser>>, Looked) {
    then_where(false, spec, documents, users)
}

/// The same at a connection that `deletes`.
pub fn then_where(
    deletes: bool,
    spec: &ScimRosterSpec,
    documents: Vec<Document>,
    users: Vec<Arc<ScimUser>>,
) -> (Vec<Arc<ScimUser>>, Looked) {
    let connection = connection();
    let given = sorted(users.clone());
    let of = Ours { roster: "people", connection: &connection, deletes };
    let mut prepared = Prepared::new(spec, &[], documents, users, of).unwrap_or_else(|refused| panic!("{refused:?}"));
    let mut ours = given.ours;
    for at in prepared.changes.apply.clone() {
        let (name, key) = (prepared.name(at).to_owned(), prepared.key(at));
        let body = prepared.take_body(at).expect("a body");
        let mut labels = body.labels.clone();
        labels.insert(ROSTER_LABEL.to_owned(), json!("people"));
        let annotations = json!({GENERATED: body.digest(), ROSTER_KEY: key});
        let metadata = json!({"labels": labels, "annotations": annotations});
        let mut written = ScimUser::clone(&user(&name, &format!("uid-{at}"), metadata, body.spec));
        written.status = ours.get(&name).and_then(|known| known.status.clone());
        ours.insert(name, Arc::new(written));
    }
    let unidentified = usize::from(prepared.unidentified().is_some());
    let Changes { gone, rejected, .. } = prepared.changes;
    let gone = if unidentified == 0 { gone } else { Vec::new() };
    let gone: Vec<String> = gone.into_iter().map(|gone| gone.name).collect();
    ours.retain(|name, _| !gone.contains(name));
    (ours.into_values().collect(), Looked { gone, rejected, unidentified })
}

/// What a look at a table found.
#[derive(Debug)]
pub struct Looked {
    pub gone: Vec<String>,
    pub rejected: Vec<Rejected>,
    pub unidentified: usize,
}

pub fn user(name: &str, uid: &str, mut metadata: Value, spec: Value) -> Arc<ScimUser> {
    metadata["name"] = json!(name);
    metadata["uid"] = json!(uid);
    let kind =
        json!({"apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimUser", "metadata": metadata, "spec": spec});
    Arc::new(serde_json::from_value(kind).expect("a ScimUser"))
}

pub fn changes(spec: &ScimRosterSpec, text: &str, users: Vec<Arc<ScimUser>>) -> (Vec<String>, Changes) {
    let (recipe, table) = prepared(spec, vec![csv("a", text)]);
    let given = sorted(users);
    let people = recipe.people(&table, |key| given.is_in_use(&recipe.keys, key));
    let names = Names::of(&recipe.keys, &people, &given.known(&connection()), &given.others);
    let changes = Changes::of(&recipe, &table, &people, &names, &given);
    (changes.apply.iter().map(|at| called(&changes, &names, *at)).collect(), changes)
}

fn called(changes: &Changes, names: &Names, at: usize) -> String {
    changes.leaving.get(&at).map_or_else(|| names.names[at].clone(), |leaver| leaver.name.clone())
}

fn guide() -> ScimRosterSpec {
    spec(json!({"preset": "EntraDatadog"}))
}

#[test]
fn at_rest_nothing_is_written() {
    let users = written(&guide(), ENTRA);
    let (apply, found) = changes(&guide(), ENTRA, users);
    assert!(apply.is_empty() && found.gone.is_empty() && found.rejected.is_empty(), "{found:?}");
    assert_eq!(found.generated, 2);
}

#[test]
fn what_others_added_is_theirs_and_what_they_changed_is_written_again() {
    let users = written(&guide(), ENTRA);
    let mut added = ScimUser::clone(&users[0]);
    added.spec.attributes.nick_name = Some("Countess".to_owned());
    let mut changed = ScimUser::clone(&users[1]);
    changed.spec.active = Some(true);
    let name = changed.metadata.name.clone().expect("a name");
    let (apply, _) = changes(&guide(), ENTRA, vec![Arc::new(added), Arc::new(changed)]);
    assert_eq!(apply, [name]);
}

#[test]
fn a_changed_row_is_one_write_and_a_row_gone_is_named() {
    let users = written(&guide(), ENTRA);
    let promoted = ENTRA.replace("Countess", "Queen");
    let (apply, found) = changes(&guide(), &promoted, users.clone());
    assert_eq!((apply.len(), found.gone.len()), (1, 0));
    let fewer = ENTRA.split_inclusive('\n').take(2).collect::<String>();
    let (apply, found) = changes(&guide(), &fewer, users.clone());
    assert_eq!((apply.len(), found.gone.len(), found.generated), (0, 1, 1));
    assert_eq!(found.gone[0].uid, "uid-1");
    // A value taken away is one that others need not have put there.
    let (apply, _) = changes(&guide(), &ENTRA.replace("Countess", ""), users);
    assert_eq!(apply.len(), 1);
}

#[test]
fn a_bad_row_keeps_what_its_person_has() {
    let users = written(&guide(), ENTRA);
    let (apply, found) = changes(&guide(), &ENTRA.replace("TRUE", "perhaps"), users);
    assert!(apply.is_empty() && found.gone.is_empty(), "{found:?}");
    assert_eq!(found.rejected.len(), 1);
}

#[test]
fn objects_of_others_are_left_alone() {
    let users = written(&guide(), ENTRA);
    let plain = json!({"connectionRef": {"name": "datadog"}, "userName": "ADA@example.com"});
    let called = users[0].metadata.name.clone().expect("a name");
    for name in [&called, "ada"] {
        let by_hand = user(name, "uid", json!({}), plain.clone());
        let (apply, found) = changes(&guide(), ENTRA, vec![by_hand, users[1].clone()]);
        assert!(apply.is_empty() && found.gone.is_empty(), "{found:?}");
        assert!(found.rejected[0].reason.contains(&format!("the ScimUser {name} is not this roster's")), "{found:?}");
    }
    // At another connection it is another account, also where that has the same name.
    for elsewhere in [json!({"name": "jackson"}), json!({"kind": "ClusterScimConnection", "name": "datadog"})] {
        let other = json!({"connectionRef": elsewhere, "userName": "ada@example.com"});
        let (apply, found) = changes(&guide(), ENTRA, vec![user(&called, "uid", json!({}), other), users[1].clone()]);
        assert_eq!((apply.len(), found.rejected.len()), (1, 0));
        assert!(apply[0] != called && apply[0].starts_with("ada-"), "{apply:?}");
    }
}

/// The account is handed over once the other roster's object is gone, so a successor is there before.
#[test]
fn i08_whoever_moves_between_rosters_has_a_scim_user_of_each_meanwhile() {
    let users = written(&guide(), ENTRA);
    let called = users[0].metadata.name.clone().expect("a name");
    let plain = json!({"connectionRef": {"name": "datadog"}, "userName": "ada@example.com"});
    let going = json!({"deletionTimestamp": "2026-11-29T00:00:00Z"});
    for metadata in [json!({"labels": {ROSTER_LABEL: "contractors"}}), going] {
        let (apply, found) =
            changes(&guide(), ENTRA, vec![user(&called, "uid", metadata, plain.clone()), users[1].clone()]);
        assert_eq!((apply.len(), found.rejected.len()), (1, 0), "{found:?}");
        assert!(apply[0] != called && apply[0].starts_with("ada-"), "{apply:?}");
    }
}

#[test]
fn i06_who_is_renamed_keeps_the_object() {
    let by_id = |text: &str| {
        let spec = spec(json!({"key": "row.id", "mappings": [{"target": "userName", "value": "row.name"}]}));
        (spec, text.to_owned())
    };
    let (spec_by_id, before) = by_id("id,name\n1,ada@example.com\n2,grace@example.com\n");
    let users = written(&spec_by_id, &before);
    let name = users[0].metadata.name.clone().expect("a name");
    let (apply, found) = changes(&spec_by_id, "id,name\n1,countess@example.com\n2,grace@example.com\n", users.clone());
    assert_eq!((apply, found.gone.len()), (vec![name.clone()], 0));
    // Another key for the same people, and the same people under another key.
    let by_name = spec(json!({"mappings": [{"target": "userName", "value": "row.name"}]}));
    let (apply, found) = changes(&by_name, &before, users.clone());
    assert_eq!((apply.len(), found.gone.len(), found.generated), (2, 0, 2), "the new keys are recorded");
    let (recorded, _) = then(&by_name, &before, users.clone());
    let (apply, found) = changes(&by_name, &before, recorded);
    assert!(apply.is_empty() && found.gone.is_empty(), "{apply:?} {found:?}");
    // A newcomer with a name that somebody else gave up is somebody else.
    let swapped = "id,name\n1,countess@example.com\n2,grace@example.com\n3,ada@example.com\n";
    let (apply, found) = changes(&spec_by_id, swapped, users);
    assert_eq!((apply.len(), found.gone.len()), (2, 0));
    assert!(apply.contains(&name));
}

#[test]
fn who_is_renamed_is_found_by_the_external_id_too() {
    let spec = spec(json!({"mappings": [
        {"target": "userName", "value": "row.name"}, {"target": "externalId", "value": "row.id"},
    ]}));
    let users = written(&spec, "id,name\n1,ada@example.com\n");
    let name = users[0].metadata.name.clone().expect("a name");
    let (apply, found) = changes(&spec, "id,name\n1,countess@example.com\n", users);
    assert_eq!((apply, found.gone.len()), (vec![name], 0));
}
