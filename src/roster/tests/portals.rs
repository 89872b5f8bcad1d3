//! What portals export, read by the presets as it is.

use super::changes::{then, then_where};
use super::*;

/// The specs of everybody in a file, which has no bad row.
fn everybody(fields: Value, name: &str, bytes: &[u8]) -> Vec<Value> {
    let document = Document { name: name.to_owned(), content: Content::Text(SourceFormat::Auto, bytes.to_vec()) };
    let (specs, rejected) = generated(&spec(fields), vec![document]);
    assert!(rejected.is_empty(), "{name}: {rejected:?}");
    specs
}

#[test]
fn the_downloads_of_portals_are_read_by_the_presets_unchanged() {
    let ad = include_str!("files/ad-export.csv");
    let utf16: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain(ad.replace('\n', "\r\n").encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let entra = include_bytes!("files/entra-download.csv").as_slice();
    let graph = include_bytes!("files/graph-pages.json").as_slice();
    let okta = include_bytes!("files/okta-users.csv").as_slice();
    let okta_api = include_bytes!("files/okta-users.json").as_slice();
    let google = include_bytes!("files/google-download.csv").as_slice();
    for (preset, name, bytes) in [
        ("EntraDatadog", "p/users.csv", entra),
        ("EntraGeneric", "p/users.csv", entra),
        ("EntraDatadog", "p/users.json", graph),
        ("EntraGeneric", "p/users.json", graph),
        ("OktaDatadog", "p/users.csv", okta),
        ("OktaGeneric", "p/users.csv", okta),
        ("OktaDatadog", "p/users.json", okta_api),
        ("OktaGeneric", "p/users.json", okta_api),
        ("GoogleWorkspace", "p/users.csv", google),
        ("ActiveDirectory", "p/users.csv", utf16.as_slice()),
        ("ActiveDirectory", "p/users.csv", ad.as_bytes()),
    ] {
        let specs = everybody(json!({"preset": preset}), name, bytes);
        for (spec, (user_name, active)) in specs.iter().zip([("ada@example.com", true), ("grace@example.com", false)]) {
            assert_eq!((&spec["userName"], &spec["active"]), (&json!(user_name), &json!(active)), "{preset} {name}");
        }
        let ada = &specs[0];
        assert_eq!(ada["title"], "Engineer", "{preset} {name}");
        let work = json!([{"value": "ada@example.com", "type": "work", "primary": true}]);
        assert_eq!(ada["emails"], work, "{preset} {name}");
        assert_eq!(ada["name"]["formatted"].as_str().unwrap_or("Ada Lovelace"), "Ada Lovelace", "{preset} {name}");
    }
    let guest = everybody(json!({"preset": "EntraGeneric"}), "p/users.csv", entra).remove(2);
    assert_eq!(guest["userName"], "eve_partner.example#EXT#@example.onmicrosoft.com");
    let graph = everybody(json!({"preset": "EntraGeneric"}), "p/users.json", graph);
    assert!(graph[0]["phoneNumbers"].to_string().contains("+44 20 7946 0000"), "{}", graph[0]);
    assert!(!graph[1].to_string().contains("phoneNumbers"), "{}", graph[1]);
    // A directory names the manager by the whole path of their entry.
    let ada = everybody(json!({"preset": "ActiveDirectory", "key": "row.ObjectGUID"}), "p/users.csv", ad.as_bytes())
        .remove(0);
    assert_eq!(ada["enterprise"]["manager"]["userRef"]["name"].as_str().map(|name| &name[..5]), Some("5b1c0"), "{ada}");
    let google = everybody(json!({"preset": "GoogleWorkspace"}), "p/users.csv", google).remove(0);
    assert_eq!(google["enterprise"]["employeeNumber"], "007");
    assert!(google["enterprise"]["manager"]["userRef"]["name"].as_str().is_some_and(|name| name.starts_with("grace-")));
}

/// The lines to paste of docs/exports/personnel.md, over files of people whom nobody is.
#[test]
fn the_sheets_of_personnel_systems_by_the_lines_of_the_page() {
    let page = include_str!("../../../docs/exports/personnel.md");
    let fields = |name: &str| {
        let block = page.split("```yaml\n").find(|block| block.contains(&format!("metadata: {{name: {name}}}")));
        let block = block.and_then(|block| block.split("```").next()).expect("its lines");
        let roster: Value = serde_saphyr::from_str(block).expect("YAML");
        let (key, mappings) = (roster["spec"]["key"].clone(), roster["spec"]["mappings"].clone());
        json!({"key": key, "mappings": mappings})
    };
    let workday = include_str!("files/workday-report.csv");
    let personio = include_str!("files/personio-export.csv");
    let personio_file = personio;
    for file in [workday, personio] {
        let mut lines = file.lines();
        assert!(lines.all(|line| page.contains(line) || !line.contains("Lovelace")), "the page shows the file");
    }
    let workday = everybody(fields("workday"), "p/people.csv", workday.as_bytes());
    let personio = everybody(fields("personio"), "p/people.csv", personio.as_bytes());
    for (specs, number, active) in [(&workday, "00017", [true, false, true]), (&personio, "17", [true, false, false])] {
        let found: Vec<&Value> = specs.iter().map(|spec| &spec["active"]).collect();
        assert_eq!(found, active.map(|active| json!(active)).iter().collect::<Vec<_>>(), "{number}");
        let ada = &specs[0];
        assert_eq!((&ada["userName"], &ada["externalId"]), (&json!("ada@example.com"), &json!(number)));
        assert_eq!(
            (&ada["displayName"], &ada["enterprise"]["department"]),
            (&json!("Ada Lovelace"), &json!("Research"))
        );
        assert!(ada["enterprise"]["manager"]["userRef"]["name"].is_string(), "{ada}");
        assert_eq!(specs[1]["access"]["notAfter"], "2026-10-31T00:00:00Z");
    }
    assert_eq!(workday[1]["displayName"], "Grace Hopper");
    // A word that the line doesn't know, or none, lets nobody in, and puts nobody out.
    for (name, file, known) in
        [("workday", include_str!("files/workday-report.csv"), ",Active,"), ("personio", personio_file, ";active;")]
    {
        for word in ["", "Ausgetreten"] {
            let text = file.replace(known, &known.replace(known.trim_matches([',', ';']), word));
            let document =
                Document { name: "p/people.csv".to_owned(), content: Content::Text(SourceFormat::Auto, text.into()) };
            let (specs, rejected) = generated(&spec(fields(name)), vec![document]);
            assert_eq!((specs.len(), rejected.len()), (2, 1), "{name} {word}: {rejected:?}");
        }
    }
}

const DIRECTORY: &str = "objectId,userPrincipalName,mail,isSoftDeleted\n";

#[test]
fn i06_nobody_is_renamed_to_the_tombstone_of_a_deleted_account() {
    let row = |name: &str, deleted: &str| {
        format!("{DIRECTORY}283405f5-0000-0000-0000-0000000000c2,{name},ada@example.com,{deleted}\n")
    };
    for fields in [json!({"preset": "EntraGeneric", "key": "row.objectId"}), json!({"preset": "EntraGeneric"})] {
        let spec = spec(fields);
        let (users, _) = then(&spec, &row("ada@example.com", "False"), Vec::new());
        let tombstone = row("283405f50000000000000000000000c2ada@example.com", "True");
        let (deleted, looked) = then(&spec, &tombstone, users.clone());
        assert!(looked.gone.is_empty() && looked.rejected.is_empty() && deleted.len() == 1, "{looked:?}");
        let spec_of = |user: &crate::api::ScimUser| (user.metadata.name.clone(), user.spec.user_name.clone());
        assert_eq!(spec_of(&deleted[0]), spec_of(&users[0]));
        assert_eq!(deleted[0].spec.active, Some(false));
        let (restored, looked) = then(&spec, &row("ada@example.com", "False"), deleted);
        assert!(looked.gone.is_empty() && restored[0].spec.active == Some(true));
        assert_eq!(spec_of(&restored[0]), spec_of(&users[0]));
        // Enabled or not by another column: whoever has such a name is deleted.
        let odd = row("283405f50000000000000000000000c2ada@example.com", "False");
        assert_eq!(then(&spec, &odd, users).0[0].spec.active, Some(false));
    }
}

/// An account that was deleted and made anew stays in the table for 30 days beside the new one.
#[test]
fn i06_somebody_who_was_made_anew_is_not_deactivated_for_the_account_that_was_deleted() {
    let rows = ["2,ada@example.com,,False\n", "1,283405f50000000000000000000000c2ada@example.com,,True\n"];
    for (fields, order) in [json!({"preset": "EntraGeneric"}), json!({"preset": "EntraGeneric", "key": "row.objectId"})]
        .into_iter()
        .flat_map(|fields| [[0, 1], [1, 0]].map(|order| (fields.clone(), order)))
    {
        let text = format!("{DIRECTORY}{}{}", rows[order[0]], rows[order[1]]);
        let spec = spec(fields);
        // On a new roster.
        let (users, looked) = then(&spec, &text, Vec::new());
        assert_eq!((users.len(), users[0].spec.active, looked.rejected.len()), (1, Some(true), 0), "{looked:?}");
        // And where she was there before: of one name it is one account.
        let (before, _) = then(&spec, &format!("{DIRECTORY}1,ada@example.com,,False\n"), Vec::new());
        if spec.key.is_none() {
            let (users, looked) = then(&spec, &text, before);
            assert_eq!((users.len(), users[0].spec.active, looked.rejected.len()), (1, Some(true), 0), "{looked:?}");
            continue;
        }
        // By the key it is another person's, and first the account is taken from the one who is deleted.
        let bound = |users: &[std::sync::Arc<crate::api::ScimUser>], active: bool| {
            let mut user = crate::api::ScimUser::clone(&users[0]);
            user.status = serde_json::from_value(json!({"id": "9", "active": active})).expect("a status");
            vec![std::sync::Arc::new(user)]
        };
        let (users, looked) = then(&spec, &text, bound(&before, true));
        assert_eq!((users.len(), users[0].spec.active, looked.rejected.len()), (1, Some(false), 1), "{looked:?}");
        assert!(looked.rejected[0].reason.contains("whom Entra ID has deleted"), "{looked:?}");
        assert_eq!(then(&spec, &text, users.clone()).1.gone.len(), 0, "the account isn't inactive yet");
        // Then hers is the name.
        let (users, looked) = then(&spec, &text, bound(&users, false));
        assert_eq!((users.len(), looked.gone.len(), looked.rejected.len()), (0, 1, 1), "{looked:?}");
        assert!(looked.rejected[0].reason.contains("was written for another key"), "{looked:?}");
        let (users, looked) = then(&spec, &text, users);
        assert_eq!((users.len(), users[0].spec.active, looked.rejected.len()), (1, Some(true), 0), "{looked:?}");
    }
}

/// Where accounts are deleted the server may be one that deactivates nobody: nothing is waited for that never comes.
#[test]
fn i06_whoever_was_deleted_is_not_deactivated_first_where_their_account_is_deleted() {
    let rows = ["2,ada@example.com,,False\n", "1,283405f50000000000000000000000c2ada@example.com,,True\n"];
    let text = format!("{DIRECTORY}{}{}", rows[0], rows[1]);
    for (template, deletes, goes) in [
        (None, true, true),
        (Some("Delete"), true, true),
        // An object may only ask for less than its connection does.
        (Some("Deactivate"), true, false),
        (Some("Delete"), false, false),
        (None, false, false),
    ] {
        let mut fields = json!({"preset": "EntraGeneric", "key": "row.objectId"});
        if let Some(policy) = template {
            fields["userTemplate"] = json!({"deletionPolicy": policy});
        }
        let spec = spec(fields);
        let (before, _) = then(&spec, &format!("{DIRECTORY}1,ada@example.com,,False\n"), Vec::new());
        let mut user = crate::api::ScimUser::clone(&before[0]);
        user.status = serde_json::from_value(json!({"id": "9", "active": true})).expect("a status");
        let (users, looked) = then_where(deletes, &spec, vec![csv("a", &text)], vec![std::sync::Arc::new(user)]);
        assert_eq!((looked.gone.len(), looked.rejected.len()), (usize::from(goes), 1), "{template:?}: {looked:?}");
        if goes {
            // Then the name is the other one's.
            let (users, looked) = then_where(deletes, &spec, vec![csv("a", &text)], users);
            assert_eq!((users.len(), users[0].spec.active, looked.rejected.len()), (1, Some(true), 0), "{looked:?}");
            continue;
        }
        assert_eq!(users[0].spec.active, Some(false), "{template:?}: {looked:?}");
        let name = before[0].metadata.name.as_deref().expect("a name");
        assert!(looked.rejected[0].reason.contains(&format!("kubectl describe scimuser {name}")), "{looked:?}");
    }
}

/// People are called by their e-mail address, and deleted ones are renamed in another column.
#[test]
fn i06_a_deleted_user_is_known_by_the_name_that_nothing_is_mapped_to() {
    for preset in [json!("EntraGeneric"), json!("EntraDatadog"), Value::Null] {
        let mut fields = json!({"key": "row.id", "mappings": [
            {"target": "userName", "value": "row.mail"}, {"target": "active", "value": "row.accountEnabled"},
        ]});
        if !preset.is_null() {
            fields["preset"] = preset.clone();
            fields["mappings"] = json!([{"target": "userName", "value": "row.mail"}]);
        }
        let spec = spec(fields);
        let sheet = |name: &str, enabled: &str| {
            format!(
                "id,userPrincipalName,mail,accountEnabled\n1,{name},ada.l@example.com,{enabled}\n2,bob,bob@example.com,True\n"
            )
        };
        let (users, looked) = then(&spec, &sheet("ada@example.com", "True"), Vec::new());
        assert!(users.len() == 2 && looked.rejected.is_empty(), "{preset}: {looked:?}");
        for enabled in ["True", "False", ""] {
            let (after, looked) =
                then(&spec, &sheet("283405f50000000000000000000000c2ada@example.com", enabled), users.clone());
            let of =
                |name: &str| after.iter().find(|user| user.spec.user_name == name).and_then(|user| user.spec.active);
            assert_eq!(
                (of("ada.l@example.com"), of("bob@example.com")),
                (Some(false), Some(true)),
                "{preset}: {looked:?}"
            );
            assert!(looked.rejected.is_empty() && looked.gone.is_empty(), "{preset}: {looked:?}");
        }
        // What is wrong with a column that nothing reads keeps nobody's row from being used.
        assert!(then(&spec, &sheet("#REF!", "True"), users.clone()).1.rejected.is_empty(), "{preset}");
    }
}

/// What GAM, a tool for Google Workspace, and the admin centre of Microsoft 365 export.
#[test]
fn the_exports_of_other_tools_for_the_same_directories_are_read() {
    let gam = include_bytes!("files/gam-users.csv").as_slice();
    let m365 = include_bytes!("files/m365-users.csv").as_slice();
    for (preset, name, bytes) in [("GoogleWorkspace", "p/gam.csv", gam), ("EntraGeneric", "p/365.csv", m365)] {
        let specs = everybody(json!({"preset": preset}), name, bytes);
        for (spec, (user_name, active, given)) in
            specs.iter().zip([("ada@example.com", true, "Ada"), ("grace@example.com", false, "Grace")])
        {
            assert_eq!((&spec["userName"], &spec["active"]), (&json!(user_name), &json!(active)), "{name}");
            assert_eq!(spec["name"]["givenName"], given, "{name}: {spec}");
        }
        let ada = &specs[0];
        assert_eq!((&ada["displayName"], &ada["title"]), (&json!("Ada Lovelace"), &json!("Engineer")), "{name}: {ada}");
        assert_eq!(ada["enterprise"]["department"], "Research", "{name}: {ada}");
    }
    let specs = everybody(json!({"preset": "EntraDatadog"}), "p/365.csv", m365);
    assert_eq!((&specs[0]["title"], &specs[1]["active"]), (&json!("Engineer"), &json!(false)));
}

#[test]
fn the_answers_of_googles_directory_api_are_read_with_their_lists() {
    let pages = r#"{"users": [
        {"id": "1", "primaryEmail": "ada@example.com", "name": {"givenName": "Ada", "familyName": "Lovelace", "fullName": "Ada Lovelace"},
         "suspended": false, "archived": false, "organizations": [{"title": "Engineer", "department": "Research"}],
         "phones": [{"value": "+44 20 7946 0000", "type": "work"}], "relations": [{"value": "grace@example.com", "type": "manager"}]},
        {"id": "2", "primaryEmail": "grace@example.com", "name": {"givenName": "Grace", "familyName": "Hopper", "fullName": "Grace Hopper"},
         "suspended": true, "archived": false, "organizations": [{"department": "Navy"}], "phones": []},
        {"id": "3", "primaryEmail": "eve@example.com", "name": {"givenName": "Eve", "familyName": "E", "fullName": "Eve E"},
         "suspended": false, "archived": true}]}"#;
    let specs = everybody(json!({"preset": "GoogleWorkspace", "key": "row.id"}), "p/users.json", pages.as_bytes());
    let active: Vec<&Value> = specs.iter().map(|spec| &spec["active"]).collect();
    assert_eq!(active, [true, false, false].map(|active| json!(active)).iter().collect::<Vec<_>>());
    let ada = &specs[0];
    assert_eq!((&ada["title"], &ada["enterprise"]["department"]), (&json!("Engineer"), &json!("Research")), "{ada}");
    assert_eq!(ada["phoneNumbers"], json!([{"type": "work", "value": "+44 20 7946 0000"}]));
    assert!(ada["enterprise"]["manager"]["userRef"]["name"].is_string(), "{ada}");
    assert_eq!((&specs[1]["title"], &specs[1]["enterprise"]["department"]), (&Value::Null, &json!("Navy")));
}

#[test]
fn what_graph_sends_only_when_asked_is_told() {
    let users = r#"{"value": [{"id": "1", "userPrincipalName": "ada@example.com", "displayName": "Ada"}]}"#;
    for preset in ["EntraDatadog", "EntraGeneric"] {
        let told = preview(&spec(json!({"preset": preset})), vec![csv("p/users.json", users)]).expect_err("no state");
        assert!(told.message.contains("$select=accountEnabled"), "{}", told.message);
    }
}

#[test]
fn a_column_of_a_preset_is_not_given_up_for_another() {
    let mut recipe = Recipe::compile(&spec(json!({"preset": "EntraDatadog"}))).expect("a recipe");
    let columns = ["userPrincipalName", "accountEnabled"].map(str::to_owned).into();
    let known = ["isSoftDeleted".to_owned(), "userPrincipalName".to_owned()];
    let refused = recipe.fit(&columns, &known).expect_err("it was there before").to_string();
    assert!(refused.contains("no column isSoftDeleted") && refused.contains("{target: active, value: "), "{refused}");
    let mut recipe = Recipe::compile(&spec(json!({"preset": "EntraDatadog"}))).expect("a recipe");
    recipe.fit(&columns, &[]).expect("accountEnabled tells as well");
    assert_eq!(recipe.columns(), ["accountEnabled", "userPrincipalName"]);
}

#[test]
fn i06_a_deleted_user_is_known_in_any_column_and_without_the_others() {
    let by_upn = json!({"key": "row.ObjectId", "mappings": [{"target": "userName", "value": "row.UPN"}]});
    for id in
        ["283405f50000000000000000000000c2", "283405F50000000000000000000000C2", "283405f5-0000-0000-0000-0000000000c2"]
    {
        let text = format!("UPN,ObjectId\n{id}ada@example.com,c2\n");
        let ada = everybody(by_upn.clone(), "p/users.csv", text.as_bytes()).remove(0);
        assert_eq!((&ada["userName"], &ada["active"]), (&json!("ada@example.com"), &json!(false)), "{id}");
    }
    let users = r#"{"value": [{"id": "1", "userPrincipalName": "bob@example.com", "accountEnabled": true}]}"#;
    let deleted = r#"{"value": [{"id": "2", "userPrincipalName": "283405f50000000000000000000000c2ada@example.com"}]}"#;
    let pages = format!("{users}\n{deleted}");
    let both = everybody(json!({"preset": "EntraGeneric", "key": "row.id"}), "p/users.json", pages.as_bytes());
    assert_eq!((&both[0]["active"], &both[1]["active"]), (&json!(true), &json!(false)));
    assert_eq!(both[1]["userName"], "ada@example.com");
    // A digest is a name of its own.
    let digest = "UPN,ObjectId\nda39a3ee5e6b4b0d3255bfef95601890afd80709@example.com,1\n";
    assert_eq!(everybody(by_upn, "p/users.csv", digest.as_bytes())[0]["active"], Value::Null);
}

#[test]
fn the_words_of_oktas_pages_are_those_of_its_api() {
    let text = "login,status\na,Password expired\nb,Locked out\nc,Pending user action\nd,Deactivated\ne,Suspended\n";
    let specs = everybody(json!({"preset": "OktaGeneric"}), "p/users.csv", text.as_bytes());
    let active: Vec<&Value> = specs.iter().map(|spec| &spec["active"]).collect();
    assert_eq!(active, [true, true, true, false, false].map(|active| json!(active)).iter().collect::<Vec<_>>());
}

/// What Okta's own pages download of everybody: who they are, and whether they may sign in.
#[test]
fn oktas_report_on_passwords_is_read_by_the_presets_unchanged() {
    let report = include_bytes!("files/okta-password-health.csv").as_slice();
    for (preset, name) in [("OktaGeneric", "/displayName"), ("OktaDatadog", "/name/formatted")] {
        let specs = everybody(json!({"preset": preset}), "p/report.csv", report);
        let found = specs.iter().map(|spec| (spec["userName"].as_str(), spec["active"].as_bool(), spec.pointer(name)));
        let expected = [
            ("ada@example.com", true, "Ada Lovelace"),
            ("grace@example.com", false, "Grace Hopper"),
            ("alan@example.com", true, "Alan Turing"),
        ];
        for (found, (user_name, active, called)) in found.zip(expected) {
            assert_eq!(found, (Some(user_name), Some(active), Some(&json!(called))), "{preset}");
        }
        assert!(specs.iter().all(|spec| spec["emails"].is_null()), "{preset}: {specs:?}");
    }
}
