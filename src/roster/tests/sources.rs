use super::*;

fn wanted() -> Recipe {
    Recipe::compile(&spec(json!({"mappings": [
        {"target": "userName", "value": "row.name"}, {"target": "title", "value": "row.title"},
    ]})))
    .expect("a recipe")
}

/// The rows' numbers and values of name and title.
fn rows(documents: Vec<Document>) -> Result<Vec<(u32, Value, Value)>, String> {
    let recipe = wanted();
    let table = read(documents, recipe.wanted()).map_err(|error| error.to_string())?;
    let place = |name: &str| recipe.wanted().place(name).expect("it is wanted");
    let (name, title) = (place("name"), place("title"));
    Ok(table.rows.iter().map(|row| (row.number, row.values[name].clone(), row.values[title].clone())).collect())
}

#[test]
fn a_spreadsheet_is_read_as_it_was_saved() {
    for text in [
        "name,title\nada,Countess\n",
        "\u{feff}name,title\r\nada,Countess\r\n",
        "Title;NAME\nCountess;ada",
        "name\ttitle\tother\nada\tCountess\tx\n",
        "name,title,,\nada,Countess,,\n,,,\n",
    ] {
        assert_eq!(
            rows(vec![csv("people/people", text)]).expect(text),
            [(2, json!("ada"), json!("Countess"))],
            "{text:?}"
        );
    }
    let quoted = "name,title\nada,\"Countess\nof \"\"Lovelace\"\", really\"\ngrace,x\n";
    let read = rows(vec![csv("a", quoted)]).expect("rows");
    assert_eq!(read[0], (2, json!("ada"), json!("Countess\nof \"Lovelace\", really")));
    assert_eq!(read[1].0, 3, "rows are counted, not lines");
}

#[test]
fn json_and_yaml_are_lists_of_objects() {
    let expected = [(1, json!("ada"), json!("Countess")), (2, json!("grace"), Value::Null)];
    let json_text = r#"[{"Name": "ada", "title": "Countess"}, {"name": "grace"}]"#;
    let graph = format!(r#"{{"@odata.context": "x", "value": {json_text}}}"#);
    let yaml = "- {name: ada, title: Countess}\n- name: grace\n";
    for (name, text) in [("a/users.json", json_text), ("a/users", graph.as_str()), ("a/b.yaml", yaml), ("a/b", yaml)] {
        assert_eq!(rows(vec![csv(name, text)]).expect(name), expected, "{name}");
    }
    let inline = vec![serde_json::from_value(json!({"name": "ada", "title": "Countess"})).expect("a row")];
    let document = Document { name: String::new(), content: Content::Rows(inline) };
    assert_eq!(rows(vec![document]).expect("rows"), expected[..1]);
}

#[test]
fn what_is_not_whole_is_refused_with_its_place() {
    for (name, text, expected) in [
        ("p/a.json", "[{\"name\": \"ada\"}, {\"name\":", "p/a.json: line 1 column"),
        ("p/a.json", "{\"error\": 1}", "no list of rows"),
        ("p/a.json", r#"{"value": [{"name": "ada"}], "@odata.nextLink": "x"}"#, "the last page is missing"),
        ("p/a.csv", "name,\"title\nada,x\n", "the header can't be read"),
        ("p/a.yaml", "- name: [ada\n", "it is not YAML"),
        ("p/a.csv", "name,title\n", "p/a.csv has no rows"),
        ("p/a.csv", "  \n", "p/a.csv has no rows"),
        ("p/a.json", "[]", "p/a.json has no rows"),
    ] {
        let refused = rows(vec![csv(name, text)]).expect_err(text);
        assert!(refused.contains(expected), "{text:?}: {refused}");
    }
}

#[test]
fn one_of_several_that_was_emptied_takes_nobody_along() {
    let documents = vec![csv("people-1/a.csv", "name,title\nada,x\n"), csv("people-2/a.csv", "name,title\n")];
    let refused = rows(documents).expect_err("half of it");
    assert!(refused.contains("people-2/a.csv has no rows; nobody is changed"), "{refused}");
    assert!(rows(Vec::new()).expect_err("nothing").contains("no rows"));
}
