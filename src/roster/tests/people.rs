use super::*;

/// What the ScimUser of a key is called.
fn name_of(key: &str) -> String {
    Keys::new("datadog", None).name(key)
}

#[test]
fn the_table_of_the_guide() {
    let (specs, rejected) = generated(&spec(json!({"preset": "EntraDatadog"})), vec![csv("people/users.csv", ENTRA)]);
    assert!(rejected.is_empty(), "{rejected:?}");
    assert_eq!(
        specs,
        [
            json!({
                "connectionRef": {"kind": "ScimConnection", "name": "datadog"}, "userName": "ada@example.com", "active": true,
                "title": "Countess", "name": {"formatted": "Ada Lovelace"},
                "emails": [{"value": "ada@example.com", "type": "work", "primary": true}],
            }),
            json!({
                "connectionRef": {"kind": "ScimConnection", "name": "datadog"}, "userName": "grace@example.com", "active": false,
                "name": {"formatted": "Hopper, Grace"},
                "emails": [{"value": "grace@example.com", "type": "work", "primary": true}],
            }),
        ]
    );
}

#[test]
fn each_line_of_a_preset_can_be_overridden_or_taken_away() {
    let overridden = spec(json!({
        "preset": "EntraDatadog",
        "mappings": [
            {"target": "title", "value": "coalesce(row.jobTitle, \"Employee\")"},
            {"target": "emails[type eq \"work\"].value", "value": ""},
            {"target": "name.formatted", "value": "row.displayName", "onCreate": true},
            {"target": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "\"R&D\""},
            {"target": "roles", "value": "[\"admin\", row.jobTitle]"},
            {"target": "access.notAfter", "value": "\"2030-01-01\""},
        ],
        "userTemplate": {"deletionPolicy": "Retain", "suspend": true},
    }));
    let (specs, rejected) = generated(&overridden, vec![csv("a", ENTRA)]);
    assert!(rejected.is_empty(), "{rejected:?}");
    assert_eq!(
        specs[1],
        json!({
            "connectionRef": {"kind": "ScimConnection", "name": "datadog"}, "userName": "grace@example.com", "active": false, "title": "Employee",
            "onCreate": {"name": {"formatted": "Hopper, Grace"}}, "enterprise": {"department": "R&D"},
            "roles": [{"value": "admin"}], "access": {"notAfter": "2030-01-01T00:00:00Z"},
            "deletionPolicy": "Retain", "suspend": true,
        })
    );
}

#[test]
fn every_preset_compiles_and_fits_what_its_portal_exports() {
    let entra = "userPrincipalName,isSoftDeleted,displayName,jobTitle,mail,givenName,surname,city,mobile,mailNickname,\
        employeeId,department,manager\nada@example.com,false,Ada,Countess,ada@example.com,Ada,King,London,+44,ada,7,R,\n";
    let okta = "login,status,email,firstName,lastName,displayName,title,id,department\n\
        ada@example.com,ACTIVE,ada@example.com,Ada,King,Ada King,Countess,00u1,R\n\
        bob@example.com,suspended,bob@example.com,Bob,,,,00u2,\neve@example.com,ODD,,,,,,00u3,\n";
    let all = |preset: &str, text: &str| generated(&spec(json!({"preset": preset})), vec![csv("a", text)]);
    let (specs, rejected) = all("EntraGeneric", entra);
    assert!(rejected.is_empty(), "{rejected:?}");
    assert_eq!(specs[0]["name"], json!({"formatted": "Ada King", "givenName": "Ada", "familyName": "King"}));
    assert_eq!(specs[0]["addresses"], json!([{"type": "work", "locality": "London"}]));
    assert_eq!(specs[0]["phoneNumbers"], json!([{"type": "mobile", "value": "+44"}]));
    assert_eq!(specs[0]["enterprise"], json!({"employeeNumber": "7", "department": "R"}));
    for preset in ["OktaDatadog", "OktaGeneric"] {
        let (specs, rejected) = all(preset, okta);
        assert_eq!((&specs[0]["active"], &specs[1]["active"]), (&json!(true), &json!(false)), "{preset}");
        // Who is neither active nor suspended is not let in.
        assert_eq!(rejected.len(), 1);
        assert!(
            rejected[0].starts_with("4: active: column status: flag: the value is neither true nor false"),
            "{preset}"
        );
    }
}

#[test]
fn a_column_that_vanishes_is_not_taken_for_empty() {
    let without = "userPrincipalName,mail,displayName,IsSoftDeleted\nada@example.com,,Ada,false\n";
    let mut recipe = Recipe::compile(&spec(json!({"preset": "EntraDatadog"}))).expect("a recipe");
    let table = read(vec![csv("a", without)], recipe.wanted()).expect("a table");
    let known = ["jobTitle".to_owned()];
    let refused = recipe.fit(&table.columns, &known).expect_err("it was there before").to_string();
    assert!(refused.contains("no column jobTitle, which title reads and which was there before"), "{refused}");
    recipe.fit(&table.columns, &[]).expect("a roster that never had it does without");
    assert_eq!(recipe.columns(), ["displayName", "isSoftDeleted", "mail", "userPrincipalName"]);

    for (columns, fields, expected) in [
        ("userPrincipalName\nada\n", json!({"preset": "EntraDatadog"}), "no column isSoftDeleted, which active reads"),
        (
            "upn,isSoftDeleted\nada,0\n",
            json!({"preset": "EntraDatadog"}),
            "or override userName by a mapping: {target: userName, value: 'row.COLUMN'}. The columns are",
        ),
        (
            ENTRA,
            json!({"preset": "EntraDatadog", "scope": "row.teem == 1"}),
            "Put it back, or correct scope. The columns are",
        ),
        (ENTRA, json!({"preset": "EntraDatadog", "scope": "row.team == \"a\""}), "no column team, which scope reads"),
        (ENTRA, json!({"preset": "EntraDatadog", "labels": {"team": "row.team"}}), "which the label team reads"),
        (ENTRA, json!({"preset": "EntraDatadog", "mappings": [{"target": "title", "value": "row.role"}]}), "role"),
    ] {
        let mut recipe = Recipe::compile(&spec(fields)).expect("a recipe");
        let table = read(vec![csv("a", columns)], recipe.wanted()).expect("a table");
        let refused = recipe.fit(&table.columns, &[]).expect_err(expected).to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn scope_and_assignment_say_who_counts() {
    let text = "name,department,isSoftDeleted\nada,Engineering,false\ngrace,Engineering,true\nalan,Sales,false\n";
    let names = |fields: Value| {
        let mut all = json!({"mappings": [{"target": "userName", "value": "row.name"}]});
        for (name, value) in fields.as_object().expect("fields") {
            all[name] = value.clone();
        }
        let (specs, rejected) = generated(&spec(all), vec![csv("a", text)]);
        assert!(rejected.is_empty(), "{rejected:?}");
        specs.iter().map(|spec| spec["userName"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    let scope = "row.department == \"Engineering\" && !row.isSoftDeleted";
    assert_eq!(names(json!({})), ["ada", "grace", "alan"]);
    assert_eq!(names(json!({"scope": scope})), ["ada"]);
    assert_eq!(names(json!({"assigned": ["ALAN", "nobody"]})), ["alan"]);
    assert_eq!(names(json!({"scope": scope, "assigned": ["alan"]})), [""; 0]);
}

#[test]
fn a_bad_row_is_named_and_concerns_nobody_else() {
    let text = "id,name,team,isSoftDeleted\n1,ada,Platform Team,false\n2,,x,false\n3,grace,x,perhaps\n,alan,x,false\n1,eve,x,false\n";
    let fields = json!({
        "key": "row.id", "labels": {"team": "row.team"},
        "mappings": [{"target": "userName", "value": "row.name"}, {"target": "active", "value": "!row.isSoftDeleted"}],
    });
    let (specs, mut rejected) = generated(&spec(fields), vec![csv("a", text)]);
    rejected.sort_unstable();
    assert_eq!(specs.len(), 0);
    assert_eq!(
        rejected,
        [
            "2: the label team: a label can't have this value; write slug(row.column) to make one of it",
            "3: column name: the userName is empty",
            "4: active: column isSoftDeleted: flag: the value is neither true nor false: compare it, such as by row.status == \"Active\"",
            "5: column id: the key is empty",
            "6: row 2 has the same key: leave one of the two out, such as by spec.scope",
        ]
    );
}

#[test]
fn managers_are_other_rows_whichever_order() {
    let text = "id,name,boss\n1,ada,GRACE\n2,grace,3\n3,alan,\n4,eve,nobody\n";
    let fields = json!({
        "key": "row.id",
        "mappings": [{"target": "userName", "value": "row.name"}, {"target": "manager", "value": "row.boss"}],
    });
    let (specs, rejected) = generated(&spec(fields), vec![csv("a", text)]);
    assert!(rejected.is_empty(), "{rejected:?}");
    let manager = |n: usize| specs[n]["enterprise"]["manager"]["userRef"]["name"].clone();
    let (grace, alan) = (name_of("2"), name_of("3"));
    assert_eq!((manager(0), manager(1)), (json!(grace), json!(alan)));
    assert_eq!((manager(2), manager(3)), (Value::Null, Value::Null));
}

#[test]
fn a_manager_may_be_what_graph_gives_for_one() {
    let rows = json!([
        {"id": "7f01", "userPrincipalName": "ada@example.com", "isSoftDeleted": false, "manager": {"id": "7F02", "mail": "x"}},
        {"id": "7f02", "userPrincipalName": "grace@example.com", "isSoftDeleted": false, "manager": null},
    ]);
    let spec = spec(json!({"preset": "EntraGeneric", "key": "row.id"}));
    let (specs, rejected) = generated(&spec, vec![document("a", SourceFormat::Json, &rows.to_string())]);
    assert!(rejected.is_empty(), "{rejected:?}");
    assert_eq!(specs[0]["enterprise"]["manager"]["userRef"]["name"], name_of("7f02"));
    assert_eq!(specs[1]["enterprise"], Value::Null);
}

#[test]
fn targets_that_no_scim_user_has_are_refused() {
    for (target, on_create) in
        [("password", false), ("emails[type eq \"work\"].size", false), ("name", false), ("active", true)]
    {
        let mappings = json!([{"target": "userName", "value": "row.a"}, {"target": target, "value": "row.a", "onCreate": on_create}]);
        let refused = Recipe::compile(&spec(json!({"mappings": mappings}))).err().map(|error| error.to_string());
        assert!(refused.as_ref().is_some_and(|refused| refused.contains(target)), "{target}: {refused:?}");
    }
    let nobody = spec(json!({"preset": "EntraDatadog", "mappings": [{"target": "userName", "value": ""}]}));
    assert!(Recipe::compile(&nobody).is_err());
}
