//! Nobody is put out, and no ScimUser is handed over, where a table leaves it to be guessed whose row it is.

use std::sync::Arc;

use super::changes::{then, then_of};
use super::*;
use crate::api::ScimUser;

fn named<'a>(users: &'a [Arc<ScimUser>], name: &str) -> &'a ScimUser {
    users.iter().find(|user| user.spec.user_name == name).unwrap_or_else(|| panic!("{name}'s"))
}

/// Deleted and made anew under the same name; the new row can't be used.
#[test]
fn i10_a_rejected_row_keeps_somebody_from_being_deactivated_by_their_own_tombstone() {
    const TOMBSTONE: &str = "00000000000000000000000000000001ada@example.com";
    for key in [None, Some("row.id"), Some("row.number")] {
        let mut fields = json!({"mappings": [
            {"target": "userName", "value": "row.upn"}, {"target": "active", "value": "row.on"},
            {"target": "title", "value": "row.title"},
        ]});
        if let Some(key) = key {
            fields["key"] = json!(key);
        }
        let spec = spec(fields);
        let sheet =
            |rows: [&str; 2]| format!("upn,on,title,id,number\n{}\n{}\nbob@example.com,True,z,9,9\n", rows[0], rows[1]);
        let alive = "ada@example.com,True,Countess,2,1";
        let (users, _) = then(&spec, &sheet([alive, ""]), Vec::new());
        let dead = format!("{TOMBSTONE},True,Countess,1,1");
        for live in [alive, "ada@example.com,True,#REF!,2,1", "ada@example.com,True,=A1,2,1"] {
            for rows in [[live, dead.as_str()], [dead.as_str(), live]] {
                let (after, looked) = then(&spec, &sheet(rows), users.clone());
                assert_eq!(after, users, "{key:?} {rows:?}: {looked:?}");
                assert_eq!(looked.rejected.len(), usize::from(live != alive), "{key:?} {rows:?}: {looked:?}");
            }
        }
        // The same row in a part of the source that lacks a column.
        let parts = vec![
            csv("p/1.csv", &format!("upn,on,title,id,number\n{dead}\nbob@example.com,True,z,9,9\n")),
            csv("p/2.csv", "upn,title,id,number\nada@example.com,Countess,2,1\n"),
        ];
        assert_eq!(then_of(&spec, parts, users.clone()).0, users, "{key:?}");
        // Alone the tombstone counts.
        let (after, _) = then(&spec, &sheet([dead.as_str(), ""]), users.clone());
        let expected = if key == Some("row.id") { None } else { Some(false) };
        let ada = after.iter().find(|user| user.metadata.name == named(&users, "ada@example.com").metadata.name);
        assert_eq!(ada.and_then(|user| user.spec.active), expected, "{key:?}");
    }
}

fn by_number() -> ScimRosterSpec {
    spec(json!({"key": "row.id", "mappings": [{"target": "userName", "value": "row.name"}]}))
}

/// Whole files have such keys.
#[test]
fn i29_a_key_may_have_any_form_that_tells_people_apart() {
    let spec = by_number();
    let sheet =
        "id,name\n００１２,ada\nＡ－７,bob\nhttps://hr.example.com/?id=17,eve\nhttps://hr.example.com/a%40b,dan\n";
    let (users, looked) = then(&spec, sheet, Vec::new());
    assert_eq!((users.len(), looked.rejected.len()), (4, 0), "{looked:?}");
    // Written on the other keyboard they are the same.
    let plain = "id,name\n0012,ada\nA-7,bob\nhttps://hr.example.com/?id=17,eve\nhttps://hr.example.com/a%40b,dan\n";
    let (after, looked) = then(&spec, plain, users.clone());
    let names = |users: &[Arc<ScimUser>]| users.iter().map(|user| user.metadata.name.clone()).collect::<Vec<_>>();
    assert_eq!((looked.gone.len(), looked.rejected.len(), names(&after)), (0, 0, names(&users)), "{looked:?}");
    let (back, looked) = then(&spec, sheet, after);
    assert_eq!((looked.gone.len(), looked.rejected.len(), names(&back)), (0, 0, names(&users)), "{looked:?}");
    // Without a key it is a userName, which may be another spelling of somebody's.
    let by_name = super::spec(json!({"mappings": [{"target": "userName", "value": "row.name"}]}));
    let (users, _) = then(&by_name, "name\nada\nbob\n", Vec::new());
    let (after, looked) = then(&by_name, "name\nａｄａ\nbob\n", users.clone());
    assert_eq!((looked.rejected.len(), after), (1, users), "{looked:?}");
}

/// `phones` counts the entries of `phones.0.value` in files of some programs, and is a column of its own in others.
#[test]
fn i29_a_column_that_somebody_names_is_read_beside_those_of_a_list() {
    let fields = json!({"mappings": [
        {"target": "userName", "value": "row.name"}, {"target": "title", "value": "row.phones"},
        {"target": "nickName", "value": "row[\"phones.0.value\"]"},
    ]});
    let (specs, rejected) =
        generated(&spec(fields), vec![csv("a.csv", "name,phones,phones.0.value\nada,desk and mobile,+44\n")]);
    assert_eq!((&specs[0]["title"], &specs[0]["nickName"]), (&json!("desk and mobile"), &json!("+44")), "{rejected:?}");
}
