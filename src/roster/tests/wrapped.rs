//! What programs have around names, or in place of values; and names that only look like it.

use super::spreadsheets::{fields, good, outcomes, read_csv};
use super::*;

/// What is an account's name today, or a person's key, stays one.
#[test]
fn i31_a_name_is_not_refused_for_signs_that_names_have() {
    for name in [
        "eve_partner.example#EXT#@example.onmicrosoft.com",
        "o'brien+list@example.com",
        "ada@[192.0.2.1]",
        "CORP\\ada",
        "ada lovelace",
        "tenant:ada@example.com",
        "auth0|ada@example.com",
        "svc_x2000_a",
        "host$@EXAMPLE.COM",
        "R&D ops",
        "a-@b",
        "@ada",
        "ada@उदाहरण.भारत",
    ] {
        assert_eq!(read_csv(&format!("name;title\n{name};x\n"))[0], good(2, name, "x"));
    }
    let quoted = r#"[{"name": "\"ada lovelace\"@example.com", "title": "x"}]"#;
    let read = outcomes(fields(), vec![csv("a.json", quoted)]);
    assert_eq!(read, [good(1, "\"ada lovelace\"@example.com", "x")]);
    let by_id = json!({"key": "row.id", "mappings": [
        {"target": "userName", "value": "row.name"}, {"target": "title", "value": "row.id"},
    ]});
    let by_id = |id: &str| outcomes(by_id.clone(), vec![csv("a.csv", &format!("id,name,x\n{id},ada,y\n"))]).remove(0).1;
    for key in ["O&#39;Brien", "i:0#.f|membership|ada@example.com", "Ada ada@example.com", "SMTP:a@b", "a@b)"] {
        assert!(by_id(key).is_ok(), "{key}: {:?}", by_id(key));
    }
    assert!(by_id("[object Object]").is_err_and(|why| why.contains("column id: the key is none")));
}

/// Who has such a name by now keeps the account, and loses it when they leave (promise I17).
#[test]
fn i31_whoever_has_a_name_that_nobody_should_have_keeps_the_account() {
    let by_name = spec(json!({"mappings": [
        {"target": "userName", "value": "row.name"}, {"target": "active", "value": "row.active"},
    ]}));
    let by_id = spec(json!({"key": "row.id", "mappings": [
        {"target": "userName", "value": "row.name"}, {"target": "active", "value": "row.active"},
    ]}));
    for spec in [by_name, by_id] {
        let (users, _) = super::changes::then(&spec, "id,name,active\n1,ada,True\n2,bob,True\n", Vec::new());
        // As it was written before anybody knew the form.
        let users: Vec<_> = users
            .into_iter()
            .map(|user| {
                let mut user = crate::api::ScimUser::clone(&user);
                if user.spec.user_name == "ada" {
                    user.spec.user_name = "smtp:ada@example.com".to_owned();
                }
                std::sync::Arc::new(user)
            })
            .collect();
        let sheet = |active: &str| format!("id,name,active\n1,SMTP:ada@example.com,{active}\n2,bob,True\n");
        let (after, looked) = super::changes::then(&spec, &sheet("True"), users.clone());
        assert_eq!((&after, looked.gone.len(), looked.rejected.len()), (&users, 0, 1), "{looked:?}");
        assert!(looked.rejected[0].reason.contains("write the address alone"), "{looked:?}");
        let (after, looked) = super::changes::then(&spec, &sheet("False"), users.clone());
        let of = |name: &str| after.iter().find(|user| user.spec.user_name == name).and_then(|user| user.spec.active);
        assert_eq!(
            (of("smtp:ada@example.com"), of("bob"), looked.gone.len()),
            (Some(false), Some(true), 0),
            "{looked:?}"
        );
    }
}

/// What a program wrote for a value goes to nobody's account, and what a page wrote for a letter is that letter.
#[test]
fn i29_what_programs_write_for_values_is_not_sent() {
    for (value, expected) in [
        ("[List]", "expand the column"),
        ("[Record]", "expand the column"),
        ("[object Object]", "expand the column"),
        ("@{id=7; displayName=Eve}", "select one of its properties"),
        ("Microsoft.Open.AzureAD.Model.DirectoryObject", "select its properties"),
        ("12;#Countess", "a lookup of SharePoint"),
        ("Coun_x000D_tess", "has _x000D_"),
        ("&#0;", "a letter that no text has"),
    ] {
        let read = read_csv(&format!("name|title\nada|{value}\nbob|y\n"));
        assert!(
            read[0].1.as_ref().is_err_and(|why| why.contains("title: column title") && why.contains(expected)),
            "{value}: {read:?}"
        );
        assert_eq!(read[1], good(3, "bob", "y"));
    }
    for (value, meant) in
        [("R&amp;D", "R&D"), ("M&uuml;ller", "Müller"), ("O&#39;Brien", "O'Brien"), ("Countess_x000D_", "Countess")]
    {
        assert_eq!(read_csv(&format!("name|title\nada|{value}\n")), [good(2, "ada", meant)]);
    }
    // An expression that takes such a value apart reads it as it stands.
    let fields = json!({"mappings": [
        {"target": "userName", "value": "split(row.name, \"|\")[2]"},
        {"target": "title", "value": "split(row.title, \";#\")[1]"},
        {"target": "roles", "value": "[row.role]"},
        {"target": "urn:x:acme:1.0:User:team", "value": "row.team"},
    ]});
    let sheet = "name\ttitle\trole\tteam\ni:0#.f|membership|ada@example.com\t12;#Countess\ta&amp;b\tR&amp;D\n";
    let (specs, rejected) = generated(&spec(fields), vec![csv("a.csv", sheet)]);
    assert!(rejected.is_empty(), "{rejected:?}");
    assert_eq!((&specs[0]["userName"], &specs[0]["title"]), (&json!("ada@example.com"), &json!("Countess")));
    assert_eq!(specs[0]["roles"], json!([{"value": "a&b"}]));
    assert_eq!(specs[0]["extensions"]["urn:x:acme:1.0:User"]["team"], "R&D");
}
