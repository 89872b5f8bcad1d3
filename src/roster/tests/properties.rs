use proptest::prelude::*;

use super::*;

/// Cells with everything that a CSV has to quote.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-zé \",;\\n']{0,12}", "[A-Za-z0-9@.]{1,12}"]
}

/// A line of it doesn't have as many values as a row.
fn plain_cell() -> impl Strategy<Value = String> {
    cell().prop_map(|cell| if cell.contains(['\n', '"']) { cell.replace([',', ' '], "") } else { cell })
}

/// Nothing that looks like a row, once it is cut off.
fn short_cell() -> impl Strategy<Value = String> {
    cell().prop_map(|cell| cell.replace(',', ""))
}

fn written(rows: &[(String, String)]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["id", "name", "title"]).expect("a header");
    for (n, (name, title)) in rows.iter().enumerate() {
        writer.write_record([&n.to_string(), name, title]).expect("a row");
    }
    String::from_utf8(writer.into_inner().expect("bytes")).expect("UTF-8")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_a_table_holds_is_read_as_it_was_written(rows in prop::collection::vec((plain_cell(), plain_cell()), 1..20)) {
        let text = written(&rows);
        let spec = spec(json!({"mappings": [{"target": "userName", "value": "row.name"}, {"target": "title", "value": "row.title"}]}));
        let recipe = Recipe::compile(&spec).expect("a recipe");
        let table = read(vec![csv("a.csv", &text)], recipe.wanted()).expect("a table");
        let (name, title) = (recipe.wanted().place("name").unwrap_or(9), recipe.wanted().place("title").unwrap_or(9));
        prop_assert_eq!(table.rows.len(), rows.len());
        for (row, (one, other)) in table.rows.iter().zip(&rows) {
            prop_assert_eq!(row.values[name].as_str(), Some(one.trim()));
            prop_assert_eq!(row.values[title].as_str(), Some(other.trim()));
        }
    }

    #[test]
    fn a_file_cut_off_anywhere_loses_nobody_silently(rows in prop::collection::vec((short_cell(), short_cell()), 2..10), at in any::<prop::sample::Index>()) {
        let text = written(&rows);
        let mut cut = at.index(text.len());
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        let spec = spec(json!({"key": "row.id", "mappings": [{"target": "userName", "value": "row.name"}]}));
        let recipe = Recipe::compile(&spec).expect("a recipe");
        // Either it is refused, or what is left are whole rows: the guard sees to the rest.
        if let Ok(table) = read(vec![csv("a.csv", &text[..cut])], recipe.wanted()) {
            let id = recipe.wanted().place("id").unwrap_or(9);
            for (n, row) in table.rows.iter().enumerate().filter(|(_, row)| !row.torn) {
                let expected = json!(n.to_string());
                prop_assert_eq!(&row.values[id], &expected);
            }
        }
    }

    #[test]
    fn no_text_makes_an_expression_panic(text in ".{0,200}") {
        let fields = json!({"mappings": [{"target": "userName", "value": "row.name"}, {"target": "title", "value": text}]});
        let _ = Recipe::compile(&spec(fields));
    }

    #[test]
    fn no_words_make_an_expression_panic(words in prop::collection::vec(prop::sample::select(vec![
        "row", ".", "a", "(", ")", "[", "]", "{", "}", "\"x\"", "1", "-", "!", "?", ":", "+", "&&", "==", "in", ",", "join",
        "switch", "mid", "flag", "9223372036854775807", "0", "/", "%", "null", "true", "size", "'", "\\", "`", "b'", "r\"",
    ]), 0..20)) {
        let text = words.join(" ");
        let fields = json!({"mappings": [{"target": "userName", "value": "row.a"}, {"target": "title", "value": text}]});
        let documents = vec![csv("a.csv", "a,b\nx,y\n")];
        if let Ok(recipe) = Recipe::compile(&spec(fields)) {
            let table = read(documents, recipe.wanted()).expect("a table");
            let _ = recipe.body(&table.rows[0], |_| None);
        }
    }

    #[test]
    fn names_are_those_that_kubernetes_takes_and_differ(one in "\\PC{1,80}", other in "\\PC{1,80}") {
        let keys = Keys::new("datadog", None);
        let name = keys.name(&one);
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        prop_assert!(name.len() <= 49 && name.chars().all(good), "{name}");
        prop_assert!(name.starts_with(|c: char| c.is_ascii_alphanumeric()), "{name}");
        prop_assert_eq!(&name, &keys.name(&one));
        prop_assert!(one == other || name != keys.name(&other));
        prop_assert_ne!(name, Keys::new("jackson", None).name(&one));
    }

    #[test]
    fn nobody_is_called_like_somebody_else(ids in prop::collection::btree_set(0..40_u32, 1..20), known in prop::collection::btree_set(0..40_u32, 0..20), shift in 0..3_u32) {
        let keys = Keys::new("c", Some("row.id"));
        let person = |id: u32| Person { deleted: false,
            row: 0,
            identity: Identity {
                key: Some(format!("k{}", id + shift)),
                user_name: Some(format!("u{id}")),
                external_id: id.is_multiple_of(3).then(|| format!("x{id}")),
                external_id_unreadable: false,
                ..Identity::default()
            },
        };
        let people = People { people: ids.iter().map(|id| person(*id)).collect(), ..People::default() };
        let known: Vec<Known> = known
            .iter()
            .map(|id| Known {
                name: keys.name(&format!("k{id}")), key: id.is_multiple_of(2).then(|| keys.record(&format!("k{id}"))),
                user_name: format!("u{id}"), external_id: Some(format!("x{id}")),
            })
            .collect();
        let names = Names::of(&keys, &people, &known, &BTreeSet::new());
        let distinct: std::collections::BTreeSet<_> = names.names.iter().collect();
        prop_assert_eq!(distinct.len(), people.people.len());
        // Asked again with what was written, the answer is the same.
        let written: Vec<Known> = people.people.iter().zip(&names.names).map(|(person, name)| Known {
            name: name.clone(), key: Some(keys.record(person.key())), user_name: person.user_name().to_owned(),
            external_id: person.identity.external_id.clone(),
        }).collect();
        prop_assert_eq!(Names::of(&keys, &people, &written, &BTreeSet::new()).names, names.names);
    }
}
