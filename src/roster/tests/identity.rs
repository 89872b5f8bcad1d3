//! Whose object is whose is told by what is recorded, and what can't be told makes nobody leave.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::changes::{changes, then};
use super::*;

const HEADER: &str = "id,name,start,deleted\n";

/// People by externalId, or by `key`; a row without a date can't be told to be in scope.
fn dated(key: Option<&str>) -> ScimRosterSpec {
    let mut fields = json!({
        "scope": "before(row.start, \"2030-01-01\")",
        "mappings": [
            {"target": "userName", "value": "row.name"}, {"target": "externalId", "value": "row.id"},
            {"target": "active", "value": "!row.deleted"},
        ],
    });
    if let Some(key) = key {
        fields["key"] = json!(key);
    }
    spec(fields)
}

fn table(rows: &[&str]) -> String {
    format!("{HEADER}{}\n", rows.join("\n"))
}

#[test]
fn i10_a_rejected_row_keeps_the_object_whatever_it_is_called() {
    let before = table(&["1,ada,2020-01-01,0", "2,grace,2020-01-01,0"]);
    let renamed = table(&["1,countess,2020-01-01,0", "2,grace,2020-01-01,0"]);
    let (users, _) = then(&dated(None), &before, Vec::new());
    let (users, looked) = then(&dated(None), &renamed, users);
    assert_eq!((looked.gone.len(), users.len()), (0, 2));
    assert!(users[0].metadata.name.as_deref().is_some_and(|name| name.starts_with("ada-")), "the object is the same");
    // A date was blanked, a status, a key; and the key's expression is another meanwhile.
    for row in ["1,countess,,0", "1,countess,2020-01-01,perhaps", "1,,2020-01-01,0"] {
        for key in [None, Some("row.id"), Some("row.name")] {
            let (left, looked) = then(&dated(key), &table(&[row, "2,grace,2020-01-01,0"]), users.clone());
            assert_eq!(
                (looked.gone.len(), looked.rejected.len(), left.len()),
                (0, 1, 2),
                "{row} by {key:?}: {looked:?}"
            );
        }
    }
    // Said plainly, she is out of scope.
    let (left, looked) = then(&dated(None), &table(&["1,countess,2031-01-01,0", "2,grace,2020-01-01,0"]), users);
    assert_eq!((looked.gone.len(), left.len()), (1, 1));
}

#[test]
fn i10_a_row_without_a_key_may_be_anybodys() {
    let by_id = dated(Some("row.id"));
    let (users, _) = then(&by_id, &table(&["1,ada,2020-01-01,0", "2,grace,2020-01-01,0"]), Vec::new());
    let (_, looked) = then(&by_id, &table(&[",countess,2020-01-01,0", "2,grace,2020-01-01,0"]), users.clone());
    assert_eq!((looked.gone.len(), looked.unidentified), (0, 1));
    // A newcomer whose name isn't there yet is nobody of those who are known by their keys.
    let (_, looked) = then(&by_id, &table(&["3,,2020-01-01,0", "2,grace,2020-01-01,0"]), users);
    assert_eq!((looked.gone.len(), looked.unidentified), (1, 0), "{looked:?}");
}

#[test]
fn i10_an_assignment_that_can_not_be_told_is_not_a_no() {
    let assigned = |fields: Value| {
        let mut all = json!({"assigned": ["ada"], "mappings": [{"target": "userName", "value": "row.name"}]});
        all["key"] = fields;
        spec(all)
    };
    let (users, _) = then(&assigned(json!("row.id")), "id,name\n1,ada\n", Vec::new());
    let (_, looked) = then(&assigned(json!("row.id")), "id,name\n1,\n2,eve\n", users);
    assert_eq!((looked.gone.len(), looked.rejected.len()), (0, 1), "{looked:?}");
}

#[test]
fn i08_an_object_keeps_its_person_when_names_are_shifted() {
    let by_id = dated(Some("row.id"));
    let (users, _) =
        then(&by_id, &table(&["1,ada,2020-01-01,0", "2,grace,2020-01-01,0", "3,eve,2020-01-01,0"]), Vec::new());
    let of = |users: &[std::sync::Arc<crate::api::ScimUser>], id: &str| {
        let user = users.iter().find(|user| user.spec.external_id.as_deref() == Some(id)).expect("one of this id");
        (user.metadata.name.clone(), user.spec.user_name.clone())
    };
    let shifted = table(&["1,grace,2020-01-01,0", "2,eve,2020-01-01,0", "3,alan,2020-01-01,0", "4,ada,2020-01-01,0"]);
    let (after, looked) = then(&by_id, &shifted, users.clone());
    assert_eq!((looked.gone.len(), after.len()), (0, 4));
    for (id, name) in [("1", "grace"), ("2", "eve"), ("3", "alan")] {
        assert_eq!(of(&after, id), (of(&users, id).0, name.to_owned()));
    }
    // Another expression whose values happen to be alike is another key.
    let badges = spec(json!({"key": "row.badge", "mappings": [{"target": "userName", "value": "row.name"}]}));
    let (after, looked) = then(&badges, "badge,name\n2,ada\n1,grace\n3,eve\n", users.clone());
    assert_eq!((looked.gone.len(), after.len()), (0, 3));
    for (user, before) in after.iter().zip(&users) {
        assert_eq!((&user.metadata.name, &user.spec.user_name), (&before.metadata.name, &before.spec.user_name));
    }
    // And a newcomer doesn't get the name that was made of somebody's older key.
    let (more, looked) = then(&badges, "badge,name\n2,ada\n1,grace\n3,eve\n4,alan\n", after);
    assert_eq!((looked.gone.len(), more.len()), (0, 4));
}

#[test]
fn i06_one_column_sorted_alone_gives_nobody_the_external_id_of_somebody_else() {
    let (users, _) = then(&dated(None), &table(&["1,ada,2020-01-01,0", "2,grace,2020-01-01,0"]), Vec::new());
    let (after, looked) = then(&dated(None), &table(&["2,ada,2020-01-01,0", "1,grace,2020-01-01,0"]), users.clone());
    assert_eq!((looked.gone.len(), looked.rejected.len(), &after), (0, 2, &users));
    assert!(looked.rejected[0].reason.contains("was one column sorted alone"), "{looked:?}");
    // Another externalId under a userName that was given up is another person.
    let (after, looked) = then(&dated(Some("row.id")), &table(&["7,ada,2020-01-01,0", "2,grace,2020-01-01,0"]), users);
    assert_eq!((looked.gone.len(), after.len()), (1, 2));
}

/// Another key is another person, whatever else was given to them; a leaver's account is nobody's inheritance.
#[test]
fn i31_whoever_has_another_key_never_gets_the_scim_user_of_a_leaver() {
    let by = |mappings: Value| spec(json!({"key": "row.id", "mappings": mappings}));
    let name = json!({"target": "userName", "value": "row.name"});
    for by_id in [by(json!([name])), by(json!([name, {"target": "externalId", "value": "row.name"}]))] {
        let (users, _) = then(&by_id, "id,name\n1,ada\n", Vec::new());
        let (after, looked) = then(&by_id, "id,name\n7,ada\n2,grace\n", users.clone());
        assert_eq!((looked.gone.len(), looked.rejected.len(), after.len()), (1, 1, 1), "{looked:?}");
        let reason = &looked.rejected[0].reason;
        assert!(reason.contains("for another person") && reason.contains("roster-key-"), "{reason}");
        // Under deletion it is waited for, and once it is gone there is one for the newcomer.
        let mut going = crate::api::ScimUser::clone(&users[0]);
        going.metadata.deletion_timestamp = serde_json::from_value(json!("2026-11-29T00:00:00Z")).expect("an instant");
        let (_, waits) = changes(&by_id, "id,name\n7,ada\n2,grace\n", vec![std::sync::Arc::new(going)]);
        assert!(waits.waits && waits.rejected.is_empty() && waits.apply.len() == 1, "{waits:?}");
        let (last, _) = then(&by_id, "id,name\n7,ada\n2,grace\n", after);
        assert_eq!(last.len(), 2);
    }
    // Whoever says that it is the same person takes the key off.
    let by_id = by(json!([name]));
    let (users, _) = then(&by_id, "id,name\n1,ada\n", Vec::new());
    let mut same = crate::api::ScimUser::clone(&users[0]);
    same.metadata.annotations.as_mut().expect("annotations").remove(crate::api::ROSTER_KEY);
    let (after, looked) = then(&by_id, "id,name\n7,ada\n", vec![std::sync::Arc::new(same)]);
    assert_eq!((looked.gone.len(), looked.rejected.len(), &after[0].metadata.name), (0, 0, &users[0].metadata.name));
    // A spreadsheet that took zeros, or gave parts, made nobody another.
    let (users, _) = then(&by_id, "id,name\n00017,ada\n", Vec::new());
    for key in ["17", "17.0", "0017", "17.00", "\"17,0\""] {
        let (after, looked) = then(&by_id, &format!("id,name\n{key},countess\n"), users.clone());
        assert_eq!((looked.gone.len(), looked.rejected.len()), (0, 0), "{key}: {looked:?}");
        assert_eq!(after[0].metadata.name, users[0].metadata.name);
    }
}

/// A spreadsheet shows thousands apart, and parts of numbers that have none.
#[test]
fn i31_a_number_in_another_format_is_the_same_key() {
    let by_id = spec(json!({"key": "row.id", "mappings": [
        {"target": "userName", "value": "row.name"}, {"target": "externalId", "value": "row.id"},
    ]}));
    let sheet = |id: &str| format!("id;name\n{id};ada@example.com\n7;grace@example.com\n");
    let all =
        ["12345", "12,345", "12.345", "12 345", "12'345", "12345.00", "12345,00", "12,345.00", "12.345,00", "012345"];
    for (before, after) in all.iter().flat_map(|one| all.iter().map(move |other| (one, other))) {
        let (users, _) = then(&by_id, &sheet(before), Vec::new());
        let (_, looked) = then(&by_id, &sheet(after), users);
        assert!(looked.gone.is_empty(), "{before} and {after}: {looked:?}");
        let rejected = usize::from(before != after);
        assert_eq!(looked.rejected.len(), rejected, "{before} and {after}: {looked:?}");
        assert!(looked.rejected.iter().all(|row| row.reason.contains("rewrites numbers")), "{looked:?}");
    }
    // Another number is another person.
    let (users, _) = then(&by_id, &sheet("12345"), Vec::new());
    for other in ["123,45", "12,3450", "1.2345", "12345.10", "12346"] {
        let (_, looked) = then(&by_id, &sheet(other), users.clone());
        assert_eq!(looked.gone.len(), 1, "{other}: {looked:?}");
    }
}

/// The externalId says that it is the same person, and the key that it isn't: a person is asked.
#[test]
fn i31_where_key_and_external_id_disagree_nobody_is_deleted_unasked() {
    let by_mail = spec(json!({"key": "row.mail", "mappings": [
        {"target": "userName", "value": "row.mail"}, {"target": "externalId", "value": "row.badge"},
    ]}));
    let (users, _) = then(&by_mail, "mail,badge\nada@example.com,17\n", Vec::new());
    let (_, looked) = changes(&by_mail, "mail,badge\ncountess@example.com,17\n", users);
    assert_eq!((looked.gone.len(), looked.unsure.len(), looked.rejected.len()), (1, 1, 1), "{looked:?}");
    assert!(looked.apply.is_empty() && looked.rejected[0].reason.contains("its externalId"), "{looked:?}");
}

/// `N/A` isn't the name of a person, and gives nobody's account away.
#[test]
fn i06_what_stands_for_no_external_id_is_nobodys() {
    let by_mail = spec(json!({"mappings": [
        {"target": "userName", "value": "row.mail"}, {"target": "externalId", "value": "row.badge"},
    ]}));
    for none in ["N/A", "NULL", "-", "0", "00000000-0000-0000-0000-000000000000"] {
        let (users, _) = then(&by_mail, &format!("mail,badge\nbob@example.com,{none}\n"), Vec::new());
        assert_eq!(users[0].spec.external_id, None, "{none}");
        let (after, looked) = then(&by_mail, &format!("mail,badge\neve@example.com,{none}\n"), users.clone());
        assert_eq!((looked.gone.len(), after.len()), (1, 1), "{none}");
        assert_ne!(after[0].metadata.name, users[0].metadata.name, "{none}");
    }
    // One externalId for two: neither is written.
    let (users, _) = then(&by_mail, "mail,badge\nbob@example.com,1\neve@example.com,2\n", Vec::new());
    let shared = "mail,badge\nbob@example.com,2\neve@example.com,2\nada@example.com,3\n";
    let (after, looked) = then(&by_mail, shared, users.clone());
    assert_eq!((looked.gone.len(), looked.rejected.len(), after.len()), (0, 2, 3), "{looked:?}");
    assert!(looked.rejected[0].reason.contains("row 3 has the same externalId"), "{looked:?}");
    assert!(users.iter().all(|user| after.contains(user)), "they keep what they have");
}

/// The key's expression and a userName change in one commit, and no externalId tells whose the row is.
#[test]
fn i31_who_is_renamed_while_the_key_changes_is_not_taken_for_gone() {
    let by = |key: Option<&str>| {
        let mut fields = json!({"mappings": [{"target": "userName", "value": "row.name"}]});
        if let Some(key) = key {
            fields["key"] = json!(key);
        }
        spec(fields)
    };
    let (users, _) = then(&by(None), "id,name\n1,ada\n2,grace\n3,eve\n", Vec::new());
    let (_, looked) = changes(&by(Some("row.id")), "id,name\n1,countess\n2,grace\n", users.clone());
    let unsure: Vec<_> = looked.unsure.iter().map(|name| name.split('-').next().unwrap_or_default()).collect();
    assert_eq!((looked.gone.len(), unsure), (2, vec!["ada", "eve"]));
    // By the same key as before, whoever isn't there any more is gone.
    let (_, looked) = changes(&by(None), "id,name\n1,countess\n2,grace\n", users);
    assert_eq!((looked.gone.len(), looked.unsure.len()), (2, 0));
}

/// A manager whose own row can't be used is still who they are.
#[test]
fn i10_a_rejected_row_is_still_a_manager() {
    let roster = spec(json!({"mappings": [
        {"target": "userName", "value": "row.name"}, {"target": "manager", "value": "row.boss"},
        {"target": "active", "value": "row.active"},
    ]}));
    let (users, _) = then(&roster, "name,boss,active\nada,grace,1\ngrace,,1\n", Vec::new());
    let (after, looked) = then(&roster, "name,boss,active\nada,grace,1\ngrace,,x\n", users.clone());
    assert_eq!((looked.rejected.len(), after), (1, users));
}

#[derive(Clone, Debug)]
struct Fate {
    renamed: bool,
    leaves: bool,
    broken: Option<usize>,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = (prop::bool::weighted(0.3), prop::bool::weighted(0.2), prop::option::weighted(0.4, 0..4_usize));
    prop::collection::vec(fate.prop_map(|(renamed, leaves, broken)| Fate { renamed, leaves, broken }), 1..8)
}

fn key() -> impl Strategy<Value = Option<&'static str>> {
    prop::sample::select(vec![None, Some("row.id"), Some("row[\"id\"]"), Some("row.name")])
}

/// Everybody's rows after so many renames; with errors or without.
fn rows(fates: &[Fate], renames: &[&[Fate]], broken: Option<&str>) -> String {
    let mut text = HEADER.to_owned();
    for (n, fate) in fates.iter().enumerate().filter(|(_, fate)| !fate.leaves) {
        let times = renames.iter().filter(|fates| fates.get(n).is_some_and(|fate| fate.renamed)).count();
        let mut cells = [n.to_string(), format!("user{n}-{times}"), "2020-01-01".to_owned(), "0".to_owned()];
        if let (Some(cell), Some(key)) = (fate.broken, broken) {
            // Without an id a row says that it has none, unless that is its key.
            cells[if key == "row.name" { cell.max(1) } else { cell }] = String::new();
        }
        text += &(cells.join(",") + "\n");
    }
    // Somebody is always there.
    text + "99,somebody,2020-01-01,0\n"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn i10_a_row_with_an_error_never_makes_anybody_leave(
        first in fates(), second in fates(), third in fates(), keys in (key(), key(), key()),
    ) {
        let (users, _) = then(&dated(keys.0), &rows(&first, &[], None), Vec::new());
        let (users, _) = then(&dated(keys.1), &rows(&second, &[&second], None), users);
        let whole = then(&dated(keys.2), &rows(&third, &[&second, &third], None), users.clone()).1;
        let broken = then(&dated(keys.2), &rows(&third, &[&second, &third], Some(keys.2.unwrap_or("row.name"))), users).1;
        let leave: BTreeSet<_> = whole.gone.iter().collect();
        prop_assert!(broken.gone.iter().all(|name| leave.contains(name)), "{broken:?}, and whole {whole:?}");
    }
}

/// Somebody makes a person of another's manifest, with the roster's label and key still in it.
#[test]
fn i10_a_copied_scim_user_takes_nobodys_row() {
    let by_id = spec(json!({"key": "row.id", "mappings": [{"target": "userName", "value": "row.name"}]}));
    let sheet = "id,name\n1,ada\n2,grace\n";
    let (users, _) = then(&by_id, sheet, Vec::new());
    let ada = users.iter().find(|user| user.spec.user_name == "ada").expect("ada's");
    // Called before and after the original, and the original by another name than its key would give now.
    for (copied, called) in [("aaa", None), ("zzz", None), ("aaa", Some("mmm")), ("zzz", Some("mmm"))] {
        let mut original = crate::api::ScimUser::clone(ada);
        original.metadata.name = called.map(str::to_owned).or(original.metadata.name);
        let mut copy = crate::api::ScimUser::clone(ada);
        copy.metadata.name = Some(copied.to_owned());
        copy.metadata.uid = Some(format!("uid-of-{copied}"));
        copy.spec.user_name = "bob".to_owned();
        let others = users.iter().filter(|user| user.spec.user_name != "ada").cloned();
        let all: Vec<_> = others.chain([original.clone(), copy].map(std::sync::Arc::new)).collect();
        let (_, looked) = changes(&by_id, sheet, all);
        let gone: Vec<&str> = looked.gone.iter().map(|gone| gone.name.as_str()).collect();
        assert_eq!((gone, looked.apply.len()), (vec![copied], 0), "{called:?} {looked:?}");
        assert!(looked.unsure.contains(copied), "a person is asked: {looked:?}");
    }
}

/// The department of somebody who left can't be a label, or a date of theirs can't be read.
#[test]
fn i17_a_leaver_is_deactivated_whatever_else_the_row_says() {
    let roster = spec(json!({
        "key": "row.id",
        "mappings": [
            {"target": "userName", "value": "row.name"}, {"target": "active", "value": "row.active"},
            {"target": "access.notBefore", "value": "row.start"}, {"target": "title", "value": "row.team"},
        ],
        "labels": {"team": "row.team"},
    }));
    let sheet = |row: &str| format!("id,name,active,start,team\n{row}\n2,grace,true,2020-01-01,eng\n");
    let (users, _) = then(&roster, &sheet("1,ada,true,2020-01-01,eng"), Vec::new());
    for row in ["1,ada,false,2020-01-01,Former staff (int.)", "1,ada,false,one day,eng"] {
        let (after, looked) = then(&roster, &sheet(row), users.clone());
        assert_eq!((looked.rejected.len(), looked.gone.len(), after.len()), (1, 0, 2), "{row}: {looked:?}");
        assert!(looked.rejected[0].reason.ends_with("deactivated all the same"), "{looked:?}");
        let ada = after.iter().find(|user| user.spec.user_name == "ada").expect("ada's");
        let before = users.iter().find(|user| user.spec.user_name == "ada").expect("ada's");
        assert_eq!(ada.spec.active, Some(false), "{row}");
        assert_eq!(ada.spec, crate::api::ScimUserSpec { active: Some(false), ..before.spec.clone() });
        assert_eq!(ada.metadata.labels, before.metadata.labels);
        // It is written once.
        let (_, again) = changes(&roster, &sheet(row), after);
        assert_eq!((again.apply.len(), again.rejected.len()), (0, 1), "{again:?}");
    }
    // Of whoever stays, and of a newcomer, nothing is written.
    for row in ["1,ada,true,2020-01-01,Staff (int.)", "3,eve,false,one day,eng"] {
        let (_, looked) = changes(&roster, &sheet(row), users.clone());
        assert_eq!((looked.apply.len(), looked.rejected.len()), (0, 1), "{row}: {looked:?}");
    }
}
