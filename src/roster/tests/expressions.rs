use super::*;

/// What an expression makes of one row.
fn value(expression: &str, row: Value) -> Result<Value, String> {
    let spec = spec(json!({"mappings": [
        {"target": "userName", "value": "\"ada\""}, {"target": "urn:example:1.0:x", "value": expression},
    ]}));
    let recipe = Recipe::compile(&spec).map_err(|error| error.to_string())?;
    let row = serde_json::from_value(row).expect("a row");
    let table = read(vec![Document { name: String::new(), content: Content::Rows(vec![row]) }], recipe.wanted())
        .map_err(|error| error.to_string())?;
    let body = recipe.body(&table.rows[0], |_| None)?;
    Ok(body.spec["extensions"]["urn:example:1.0"]["x"].clone())
}

#[test]
fn what_the_portals_functions_do() {
    let row = json!({
        "given": "Žofie", "middle": "", "family": " Müller-Straße ", "mail": null, "upn": "Z.M@EXAMPLE.com", "n": 7,
        "teams": "a; b;;c", "end": "2026-01-31", "Cost Center": "42", "deleted": "False", "kind": "E", "list": ["x", "y"],
    });
    for (expression, expected) in [
        ("row.given + \" \" + trim(row.family)", json!("Žofie Müller-Straße")),
        ("coalesce(row.mail, row.middle, row.upn)", json!("Z.M@EXAMPLE.com")),
        ("lower(row.upn)", json!("z.m@example.com")),
        ("row.upn.lower()", json!("z.m@example.com")),
        ("upper(row.kind)", json!("E")),
        ("replace(row.upn, \"@EXAMPLE.com\", \"@corp.example.com\")", json!("Z.M@corp.example.com")),
        ("split(row.teams, \";\")", json!(["a", "b", "c"])),
        ("split(row.upn, \"@\")[0]", json!("Z.M")),
        ("join([row.given, row.middle, trim(row.family)], \" \")", json!("Žofie Müller-Straße")),
        ("join(row.list, \"+\")", json!("x+y")),
        ("normalize(row.family)", json!("Muller-Strasse")),
        ("slug(row.family)", json!("muller-strasse")),
        ("mid(row.upn, 2, 3)", json!("M@E")),
        ("before(row.end, \"2026-02-01T00:00:00+01:00\")", json!(true)),
        ("before(row.end, \"2025-12-31\")", json!(false)),
        ("instant(row.end)", json!("2026-01-31T00:00:00Z")),
        ("switch(row.kind, \"Other\", \"E\", \"Employee\", \"C\", \"Contractor\")", json!("Employee")),
        ("switch(row.upn, \"Other\", \"E\", \"Employee\")", json!("Other")),
        ("row[\"Cost Center\"]", json!("42")),
        ("row.DELETED == false ? \"here\" : \"gone\"", json!("here")),
        ("!row.deleted && present(row.given) ? 1 : 2", json!(1)),
        ("row.n + 1", json!(8)),
        ("row.kind in [\"E\", \"C\"] ? row.kind : \"\"", json!("E")),
        ("\"constant\"", json!("constant")),
    ] {
        assert_eq!(value(expression, row.clone()).expect(expression), expected, "{expression}");
    }
}

/// A text that was typed on a Mac is in two parts, and values are not.
#[test]
fn a_text_in_two_parts_is_equal_to_the_value() {
    let row = json!({"team": "Zo\u{eb}", "Größe": "x"});
    for (expression, expected) in [
        ("row.team == \"Zoe\u{308}\"", json!(true)),
        ("row.team in [\"Zoe\u{308}\"]", json!(true)),
        ("row[\"Gro\u{308}ße\"]", json!("x")),
    ] {
        assert_eq!(value(expression, row.clone()), Ok(expected), "{expression}");
    }
}

#[test]
fn an_expression_that_can_not_be_read_is_shown_with_its_place() {
    for (expression, expected) in [
        ("row.title +", "line 1 column"),
        ("\n  jobTitle", "line 2 column 3: there is no jobTitle; a column is row.jobTitle"),
        ("row", "line 1 column 1: write row.column"),
        ("1 + capitalize(row.a)", "there is no function capitalize; there are coalesce"),
        ("row.a.map(x, x)", "there is no function map"),
        ("{\"a\": row.a}", "maps and loops"),
        ("\"a", "line 1 column"),
        ("row.a = \"x\"", "; one value is compared with another by =="),
        ("row.a == \"=\" && row.a = 'x'", "; one value is compared with another by =="),
    ] {
        let refused = value(expression, json!({"a": 1})).expect_err(expression);
        assert!(
            refused.contains("spec.mappings[urn:example:1.0:x]") && refused.contains(expected),
            "{expression}: {refused}"
        );
    }
    for unlike in ["row.a == \"x", "row.a >= ", "(row.a != '=\\'='"] {
        assert!(!value(unlike, json!({"a": 1})).expect_err(unlike).contains("compared"), "{unlike}");
    }
    let chain = vec!["row.a"; 300].join(" + ");
    assert!(value(&chain, json!({"a": "x"})).expect_err("too deep").contains("nested too deep"));
    let nested = format!("{}row.a{}", "(".repeat(200), ")".repeat(200));
    assert!(value(&nested, json!({"a": "x"})).expect_err("too deep").contains("nested 200 deep"));
}

/// As long as a spec may have them, on a thread with as much of a stack as the operator's.
#[test]
fn i29_no_expression_is_too_deep_to_be_read() {
    for part in [
        "1?1:", "!", "-", "1+", "1-", "(", "[", "{1:", "row.a.", "row.a[", "size(", "row.a&&", "1<", "x.y(", "\"(\"+",
        "1 in ",
    ] {
        for end in ["1", "", ")"] {
            let expression = part.repeat((2048 - end.len()) / part.len()) + end;
            let _ = value(&expression, json!({"a": 1}));
        }
    }
}

#[test]
fn what_goes_wrong_with_a_row_names_columns_and_never_values() {
    for (expression, expected) in [
        ("row.secret + 1", "column secret: "),
        (
            "flag(row.secret)",
            "flag: the value is neither true nor false: compare it, such as by row.status == \"Active\"",
        ),
        ("instant(row.secret)", "the value is no date"),
        ("split(row.secret, \"@\")[5]", "the list is shorter than the index"),
        ("int(row.secret)", "column secret: "),
        ("row.secret.a", "column secret: "),
        ("-row.secret", "column secret: "),
        ("row.secret[0]", "column secret: "),
        ("row.secret < 1", "column secret: "),
        ("switch(row.secret)", "switch: write switch("),
        (
            "replace(row.secret, \"s\", \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\").replace(\"x\", \"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\")",
            "more than 16384 bytes",
        ),
    ] {
        let refused = value(expression, json!({"secret": "shibboleth".repeat(2)})).expect_err(expression);
        assert!(refused.contains(expected) && !refused.contains("shibboleth"), "{expression}: {refused}");
    }
}
