//! Nobody is put out, and no ScimUser is handed over, where a table leaves it to be guessed whose row it is.

use std::sync::Arc;

use super::changes::{changes, then, then_of};
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

/// A unit's person 100, and number 10100: one leaves on the day when the other begins.
#[test]
fn i31_a_number_written_otherwise_hands_over_nobodys_scim_user() {
    let spec = by_number();
    let (users, _) = then(&spec, "id,name\n10100,ada\n10.200,bob\n", Vec::new());
    let ada = named(&users, "ada").metadata.name.clone().expect("a name");
    let (written, looked) = changes(&spec, "id,name\n10.100,eve\n10.200,bob\n", users.clone());
    assert_eq!(written, Vec::<String>::new(), "{looked:?}");
    assert!(looked.unsure.contains(&ada) && looked.rejected.len() == 1, "a person is asked: {looked:?}");
    assert!(looked.rejected[0].reason.contains(&format!("its key may be that of the ScimUser {ada}")), "{looked:?}");
    // Thousands, or a part.
    let (twelve, _) = then(&spec, "id,name\n12,ada\n10.200,bob\n", Vec::new());
    let (written, looked) = changes(&spec, "id,name\n12.000,eve\n10.200,bob\n", twelve);
    assert_eq!((written.len(), looked.rejected.len(), looked.unsure.len()), (0, 1, 1), "{looked:?}");
    // A rejected row of such a key keeps hers, too.
    let (after, looked) = then(&spec, "id,name\n\"10,100\",#REF!\n10.200,bob\n", users.clone());
    assert_eq!((looked.gone.len(), after), (0, users.clone()), "{looked:?}");
    // Whose name is the same is the same person.
    for key in ["10.100", "\"10,100.00\"", "010100"] {
        let (after, looked) = then(&spec, &format!("id,name\n{key},ada\n10.200,bob\n"), users.clone());
        assert_eq!((looked.gone.len(), looked.rejected.len(), after.len()), (0, 0, 2), "{key}: {looked:?}");
        assert_eq!(named(&after, "ada").metadata.name.as_ref(), Some(&ada), "{key}");
    }
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
