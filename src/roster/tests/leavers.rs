//! Whoever's row says that they have no access any more loses it, whatever else is wrong with the row (promise I17); and nobody
//! else does.

use std::sync::Arc;

use super::changes::{changes, then, then_of, user};
use super::*;
use crate::api::ScimUser;

const HEADER: &str = "id,name,active,until,title,team\n";

fn fields() -> Value {
    json!({
        "key": "row.id",
        "mappings": [
            {"target": "userName", "value": "row.name"}, {"target": "active", "value": "row.active"},
            {"target": "externalId", "value": "row.id"}, {"target": "title", "value": "row.title"},
            {"target": "access.notAfter", "value": "row.until"},
        ],
        "labels": {"team": "row.team"},
    })
}

fn sheet(rows: &[&str]) -> String {
    format!("{HEADER}{}\n00002,grace@example.com,True,,Officer,navy\n", rows.join("\n"))
}

const ADA: &str = "00017,ada@example.com,True,,Engineer,eng";

fn written(spec: &ScimRosterSpec) -> Vec<Arc<ScimUser>> {
    let (users, looked) = then(spec, &sheet(&[ADA]), Vec::new());
    assert!(users.len() == 2 && looked.rejected.is_empty(), "{looked:?}");
    users
}

fn ada(users: &[Arc<ScimUser>]) -> &ScimUser {
    users.iter().find(|user| user.spec.user_name == "ada@example.com").expect("ada's")
}

fn end_of(user: &ScimUser) -> Option<String> {
    Some(user.spec.access.as_ref()?.not_after.as_ref()?.0.to_string())
}

#[test]
fn i17_a_leaver_is_deactivated_whatever_their_row_is_rejected_for() {
    let spec = spec(fields());
    let users = written(&spec);
    let by_hand =
        user("ada", "uid", json!({}), json!({"connectionRef": {"name": "datadog"}, "userName": "ada@example.com"}));
    for (what, rows, others) in [
        ("an error of the spreadsheet", vec!["00017,ada@example.com,False,,#REF!,eng"], vec![]),
        ("a formula", vec!["00017,ada@example.com,False,,=A1&B1,eng"], vec![]),
        ("a number that was shortened", vec!["00017,ada@example.com,False,,1.2E+11,eng"], vec![]),
        ("a wrong encoding", vec!["00017,ada@example.com,False,,GrÃ¤fin,eng"], vec![]),
        ("letters that were lost", vec!["00017,ada@example.com,False,,Gr?fin,eng"], vec![]),
        ("a list", vec!["00017,ada@example.com,False,,System.String[],eng"], vec![]),
        ("no label", vec!["00017,ada@example.com,False,,Engineer,Staff (int.)"], vec![]),
        ("no date", vec!["00017,ada@example.com,False,soon,Engineer,eng"], vec![]),
        ("no key", vec!["#REF!,ada@example.com,False,,Engineer,eng"], vec![]),
        ("no userName", vec!["00017,#REF!,False,,Engineer,eng"], vec![]),
        ("zeros that were taken", vec!["17,ada@example.com,False,,Engineer,eng"], vec![]),
        ("groups of thousands", vec!["17.0,ada@example.com,False,,Engineer,eng"], vec![]),
        ("one written by hand", vec!["00017,ada@example.com,False,,Engineer,eng"], vec![by_hand]),
        ("two rows, both of a leaver", vec!["00017,ada@example.com,False,,#REF!,eng"; 2], vec![]),
    ] {
        let all = users.iter().cloned().chain(others.clone()).collect();
        let (after, looked) = then(&spec, &sheet(&rows), all);
        assert!(looked.gone.is_empty() && looked.rejected.len() == rows.len(), "{what}: {looked:?}");
        let told = |rejected: &Rejected| rejected.reason.ends_with("The account is deactivated all the same");
        assert!(looked.rejected.iter().all(told), "{what}: {looked:?}");
        let (before, after_all) = (ada(&users).clone(), after.clone());
        let ours = after.iter().find(|user| user.metadata.name == before.metadata.name).expect("ada's");
        let spec_of_leaver = crate::api::ScimUserSpec { active: Some(false), ..before.spec.clone() };
        assert_eq!(ours.spec, spec_of_leaver, "{what}: nothing else is written");
        let key =
            |user: &ScimUser| user.metadata.annotations.clone().unwrap_or_default()[crate::api::ROSTER_KEY].clone();
        assert_eq!((key(ours), &ours.metadata.labels), (key(&before), &before.metadata.labels), "{what}");
        // It is written once.
        let after_all = after_all.into_iter().chain(others).collect();
        let (_, again) = changes(&spec, &sheet(&rows), after_all);
        assert!(again.apply.is_empty() && again.gone.is_empty(), "{what}: {again:?}");
    }
}

/// The scope has an error, or the other part of the source has the column that it reads.
#[test]
fn i17_a_leaver_is_deactivated_though_nobody_can_tell_whether_they_count() {
    let mut scoped = fields();
    scoped["scope"] = json!("before(row.start, \"2030-01-01\")");
    let spec = spec(scoped);
    let header = "id,name,active,until,title,team,start\n";
    let first = format!("{header}{ADA},2020-01-01\n2,grace@example.com,True,,x,y,2020-01-01\n");
    let (users, _) = then(&spec, &first, Vec::new());
    let (after, looked) = then(
        &spec,
        &format!("{header}00017,ada@example.com,False,,x,eng,\n2,grace@example.com,True,,x,y,2020-01-01\n"),
        users.clone(),
    );
    assert_eq!((looked.rejected.len(), ada(&after).spec.active), (1, Some(false)), "{looked:?}");
    let parts = |active: &str| {
        vec![
            csv("p/1.csv", &format!("{header}2,grace@example.com,True,,x,y,2020-01-01\n")),
            csv("p/2.csv", &format!("{HEADER}00017,ada@example.com,{active},,x,eng\n")),
        ]
    };
    let (after, looked) = then_of(&spec, parts("False"), users.clone());
    assert_eq!((looked.rejected.len(), ada(&after).spec.active), (1, Some(false)), "{looked:?}");
    assert_eq!(then_of(&spec, parts("True"), users.clone()).0, users);
}

/// Of a row that can't be used the end of access is read, and nothing else.
#[test]
fn i17_an_end_of_access_counts_whatever_the_row_is_rejected_for() {
    let spec = spec(fields());
    let users = written(&spec);
    for row in [
        "00017,ada@example.com,True,2026-11-30,#REF!,eng",
        "00017,ada@example.com,True,2026-11-30,Engineer,Staff (int.)",
        "00017,ada@example.com,perhaps,2026-11-30,Engineer,eng",
        "17,ada@example.com,True,30.11.2026,Engineer,eng",
    ] {
        let (after, looked) = then(&spec, &sheet(&[row]), users.clone());
        assert_eq!(end_of(ada(&after)).as_deref(), Some("2026-11-30T00:00:00Z"), "{row}: {looked:?}");
        assert!(
            looked.rejected[0].reason.ends_with("The end of access in it counts all the same"),
            "{row}: {looked:?}"
        );
        assert_eq!((&ada(&after).spec.attributes, ada(&after).spec.active), (&ada(&users).spec.attributes, Some(true)));
        assert!(changes(&spec, &sheet(&[row]), after.clone()).1.apply.is_empty(), "it is written once");
        // A later end is no removal: it waits until the row can be used.
        let (later, looked) = then(&spec, &sheet(&["00017,ada@example.com,True,2027-11-30,#REF!,eng"]), after.clone());
        assert_eq!(end_of(ada(&later)), end_of(ada(&after)), "{looked:?}");
        assert!(!looked.rejected[0].reason.contains("all the same"), "{looked:?}");
    }
}

/// Where it can't be told whose row it is, or what it says, nobody is deactivated on the strength of it (promise I31).
#[test]
fn i31_a_row_that_may_be_somebody_elses_deactivates_nobody() {
    let spec_by_id = spec(fields());
    let users = written(&spec_by_id);
    for (what, rows) in [
        ("it says nothing", vec!["00017,ada@example.com,,,#REF!,eng"]),
        ("what it says can't be read", vec!["00017,ada@example.com,#REF!,,x,eng"]),
        ("its values are in other columns, perhaps", vec!["00017,ada@example.com,False,,Engineer,eng,x"]),
        ("a mark is left open", vec!["00017,ada@example.com,False,,\"Engineer,eng"]),
        (
            "another row of hers says otherwise",
            vec!["00017,ada@example.com,False,,#REF!,eng", "00017,ada@example.com,True,,#REF!,eng"],
        ),
        ("another row of hers is in use", vec!["00017,ada@example.com,False,,#REF!,eng", ADA]),
        ("a newcomer", vec![ADA, "3,eve@example.com,False,,#REF!,eng"]),
    ] {
        let (after, looked) = then(&spec_by_id, &sheet(&rows), users.clone());
        assert_eq!(after, users, "{what}: {looked:?}");
    }
    // One column was sorted alone: who is it that left?
    let mut by_name = fields();
    by_name.as_object_mut().expect("fields").remove("key");
    let spec_by_name = spec(by_name);
    let users = written(&spec_by_name);
    for title in ["Engineer", "#REF!"] {
        let crossed =
            format!("{HEADER}00002,ada@example.com,False,,{title},eng\n00017,grace@example.com,True,,Officer,navy\n");
        let (after, looked) = then(&spec_by_name, &crossed, users.clone());
        assert_eq!(after, users, "{title}: {looked:?}");
    }
}

/// Systems write one row for each job, the ended ones first: whoever has another that goes on hasn't left.
#[test]
fn i31_a_row_that_ends_access_deactivates_nobody_whose_other_row_does_not() {
    let mut by_name = fields();
    by_name.as_object_mut().expect("fields").remove("key");
    for spec in [spec(fields()), spec(by_name)] {
        let users = written(&spec);
        let left = ["00017,ada@example.com,False,,Engineer,eng", "00017,ada@example.com,True,2020-12-31,Engineer,eng"];
        let stays = [
            ADA,
            "00017,ada@example.com,True,2030-12-31,Engineer,eng",
            "00017,ada@example.com,True,,#REF!,eng",
            "00017,ada@example.com,#REF!,,Engineer,eng",
            "00017,ada@example.com,,,Engineer,eng",
        ];
        for (one, other) in left.iter().flat_map(|left| stays.map(|stays| (*left, stays))) {
            for rows in [[one, other], [other, one]] {
                let (after, looked) = then(&spec, &sheet(&rows), users.clone());
                let ends_as_before =
                    end_of(ada(&after)).is_none() || end_of(ada(&after)).as_deref() == Some("2030-12-31T00:00:00Z");
                assert!(ada(&after).spec.active == Some(true) && ends_as_before, "{rows:?}: {looked:?}");
                assert!(!looked.rejected.is_empty() && looked.gone.is_empty(), "{rows:?}: {looked:?}");
                assert!(looked.rejected.iter().all(|row| !row.reason.contains("all the same")), "{looked:?}");
            }
            // It is told, and a new roster makes nobody of it.
            let (none, looked) = then(&spec, &sheet(&[one, other]), Vec::new());
            let told = |row: &Rejected| row.reason.contains("row 3") && row.reason.contains("doesn't end their access");
            assert!(none.len() == 1 && looked.rejected.iter().any(told), "{looked:?}");
        }
        // Where both say it, in whatever words, it counts.
        for rows in [[left[0], left[0]], [left[0], "00017,ada@example.com,False,,#REF!,eng"]] {
            let (after, looked) = then(&spec, &sheet(&rows), users.clone());
            assert_eq!((ada(&after).spec.active, looked.rejected.len()), (Some(false), 1), "{rows:?}: {looked:?}");
        }
        // A row that is in use stays in use, whatever another says that has ended.
        let promoted = "00017,ada@example.com,True,,Countess,eng";
        let (after, looked) = then(&spec, &sheet(&[promoted, left[0]]), users.clone());
        assert_eq!(looked.rejected.len(), 1, "{looked:?}");
        assert_eq!(ada(&after).spec.attributes.title.as_deref(), Some("Countess"), "{looked:?}");
    }
    // The key of the other row can't be read, and its name is hers.
    let spec = spec(fields());
    let users = written(&spec);
    let rows = ["00017,ada@example.com,False,,Engineer,eng", "#REF!,ada@example.com,True,,Engineer,eng"];
    let (after, looked) = then(&spec, &sheet(&rows), users.clone());
    assert_eq!(after, users, "{looked:?}");
}

/// A word of the row that isn't there at all is no `false`.
#[test]
fn i10_a_part_without_the_column_of_states_deactivates_nobody() {
    let spec = spec(json!({"key": "row.id", "mappings": [
        {"target": "userName", "value": "row.name"}, {"target": "active", "value": "row.status == \"Active\""},
        {"target": "title", "value": "row.title"},
    ]}));
    let rows = "1,ada@example.com,Active,x\n2,grace@example.com,Active,y\n";
    let (users, _) = then(&spec, &format!("id,name,status,title\n{rows}"), Vec::new());
    let parts = vec![
        csv("p/1.csv", "id,name,status,title\n2,grace@example.com,Active,y\n"),
        csv("p/2.csv", "id,name,title\n1,ada@example.com,#REF!\n"),
    ];
    assert_eq!(then_of(&spec, parts, users.clone()).0, users);
    // Said plainly, it is.
    let (after, _) =
        then(&spec, "id,name,status,title\n1,ada@example.com,Left,#REF!\n2,grace@example.com,Active,y\n", users);
    assert_eq!(ada(&after).spec.active, Some(false));
}

/// A cell that the scope doesn't read says nothing of who is in scope.
#[test]
fn i17_who_is_out_of_scope_is_gone_whatever_else_the_row_says() {
    let mut scoped = fields();
    scoped["scope"] = json!("row.team != \"left\"");
    let spec = spec(scoped);
    let users = written(&spec);
    let (after, looked) = then(&spec, &sheet(&["00017,ada@example.com,True,,#REF!,left"]), users.clone());
    assert_eq!((looked.gone.len(), looked.rejected.len(), after.len()), (1, 0, 1), "{looked:?}");
    // A row whose values are not certain to be in the right columns says nothing.
    let (after, looked) = then(&spec, &sheet(&["00017,ada@example.com,True,,left,left,x"]), users.clone());
    assert_eq!((looked.gone.len(), looked.rejected.len(), after), (0, 1, users), "{looked:?}");
}

/// The API server refuses what a rejected row's end of access was to write.
#[test]
fn i17_a_row_whose_end_could_not_be_written_is_told_once() {
    let spec = spec(fields());
    let users = written(&spec);
    let connection = serde_json::from_value(json!({"name": "datadog"})).expect("a connection");
    let of = Ours { roster: "people", connection: &connection, deletes: false };
    for row in ["00017,ada@example.com,False,,#REF!,eng", "00017,ada@example.com,False,,Engineer,Staff (int.)"] {
        let documents = vec![csv("a", &sheet(&[row]))];
        let looked = Prepared::new(&spec, &[], documents, users.clone(), of).expect("a table");
        assert_eq!(looked.changes.apply.len(), 1, "{row}");
        let refused = [looked.reject(looked.changes.apply[0], "the API server refused it: no".to_owned())];
        let told = looked.rejected(&refused);
        assert_eq!((told.len(), looked.generated_without(&refused)), (1, 1), "{row}: {told:?}");
        let expected = ". The end of access in it is not written: the API server refused it: no";
        assert!(told[0].reason.ends_with(expected) && !told[0].reason.contains("all the same"), "{told:?}");
    }
}
