//! Every command in every form that `-o` names: the same is in each, and no key in any.

use serde_json::{Value, json};

use crate::kit::Place;
use crate::support::scratch;
use crate::terminal::{at_terminal, command, command_without_notes};
use crate::{audit_file, connected, json_of, printed, scim, stderr};

/// What is in it, without the values: these may be of another second.
fn shape(value: &Value) -> Value {
    match value {
        Value::Array(entries) => entries.iter().map(shape).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
        _ => Value::Null,
    }
}

/// Without colours.
fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

/// A table, or a row as a block of lines, goes beyond the edge where its longest word would be broken, and no further.
/// Sentences have no gaps, and are broken by the terminal.
fn fits(block: &str, columns: usize) -> bool {
    let of_table = || block.lines().map(str::trim_end).filter(|line| line.contains("  "));
    let values = |line: &str| {
        let (name, value) = line.split_at(line.find("  ").unwrap_or_default());
        name.len() + value.len() - value.trim_start().len()
    };
    let longest = block.split_whitespace().map(|word| word.chars().count()).max().unwrap_or_default();
    let edge = of_table().next().map_or(columns, |first| columns.max(values(first) + longest));
    of_table().all(|line| line.chars().count() <= edge)
}

/// The same at a terminal, narrow and wide, with and without colours.
fn at_a_terminal(place: &Place, args: &[&str], code: Option<i32>) {
    let whole = [&["-n", &place.namespace], args].concat();
    let narrow = at_terminal(40, command_without_notes(place.cluster.admin_kubeconfig(), &whole), None).text;
    assert!(plain(&narrow).split("\n\n").all(|block| fits(block, 40)), "{args:?}: {narrow}");
    for (columns, no_color) in [(40, false), (250, true)] {
        let args = [&["-n", &place.namespace], args].concat();
        let mut command = command(place.cluster.admin_kubeconfig(), &args);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let screen = at_terminal(columns, command, None);
        assert_eq!(screen.ended, code.unwrap_or_default().to_string(), "{args:?}: {}", screen.text);
        assert!(!screen.text.contains(&place.directory.token), "{args:?}: {}", screen.text);
        assert!(!no_color || !screen.text.contains("\u{1b}[38;5;"), "{args:?}: {}", screen.text);
        // What shows how far it is takes its line back.
        let lines = screen.text.lines().filter(|line| !line.contains("\u{1b}[2K"));
        let longest = lines.map(|line| line.trim_end().chars().count()).max().unwrap_or_default();
        assert!(columns < 250 || longest <= 250, "{args:?}: {longest} columns: {}", screen.text);
    }
}

#[tokio::test]
async fn every_command_prints_the_same_in_every_form() {
    let none_unseen = json!({"removals": {"maxPercent": 0, "minCount": 0, "maxCount": 0}});
    let place = connected(None, json!({"guards": none_unseen, "unmanagedPolicy": "Report"})).await;
    for name in ["ada", "grace"] {
        place.user(name, json!({}));
        place.synced(name).await;
    }
    place.apply(json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": {"name": "team"},
        "spec": {"connectionRef": {"name": "jackson"}, "displayName": "team", "membership": "Additive", "members": [{"userRef": {"name": "ada"}}]},
    }));
    place.kubectl(&["delete", "scimuser", "grace", "--wait=false"]);
    let hold = place.hold_id().await;
    let rows = scratch().join("forms.csv");
    std::fs::write(&rows, "userPrincipalName,displayName,accountEnabled\njoan@example.com,Joan | B,true\n")
        .expect("rows");
    let (rows, audit) = (rows.to_string_lossy().into_owned(), audit_file().to_string_lossy().into_owned());
    let commands: &[&[&str]] = &[
        &["status"],
        &["get", "users"],
        &["get", "groups"],
        &["get", "connections"],
        &["get", "rosters"],
        &["failures"],
        &["drift"],
        &["unmanaged"],
        &["unmanaged", "--live", "--allow-loopback-http"],
        &["holds"],
        &["holds", &hold],
        &["plan", "--allow-loopback-http"],
        &["explain", "user/ada"],
        &["explain", "user/ada", "--live", "--allow-loopback-http"],
        &["explain", "group/team"],
        &["test", "jackson", "--allow-loopback-http"],
        &["report", "access"],
        &["history", &audit],
        &["roster", "preview", "--source", &rows, "--preset", "EntraGeneric"],
    ];
    for command in commands {
        let whole = scim(&place.namespace, &[*command, &["-o", "json"]].concat()).await;
        assert!(whole.status.code().is_some_and(|code| code != 1), "{command:?}: {}", stderr(&whole));
        let whole_json = json_of(&whole);
        at_a_terminal(&place, command, whole.status.code());
        for form in ["yaml", "table", "wide", "markdown", "csv"] {
            let output = scim(&place.namespace, &[*command, &["-o", form]].concat()).await;
            let text = printed(&output);
            let told = format!("{command:?} -o {form}: {text}{}", stderr(&output));
            assert_eq!(output.status.code(), whole.status.code(), "{told}");
            assert!(!text.contains('\u{1b}') && !text.contains(&place.directory.token), "{told}");
            match form {
                "yaml" => {
                    let yaml: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}: {told}"));
                    assert_eq!(shape(&yaml), shape(&whole_json), "{told}");
                }
                "csv" => {
                    let mut reader = csv::Reader::from_reader(text.as_bytes());
                    let records: Result<Vec<_>, _> = reader.records().collect();
                    let records = records.unwrap_or_else(|error| panic!("{error}: {told}"));
                    assert!(!reader.headers().expect("a header").is_empty(), "{told}");
                    let listed = whole_json.as_array().filter(|_| command[0] != "plan" && command[0] != "roster");
                    assert!(listed.is_none_or(|listed| listed.len() == records.len()), "{told}");
                }
                "markdown" => {
                    let of_tables: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
                    assert!(of_tables.is_empty() || of_tables[1].starts_with("|-"), "{told}");
                    let whole = |line: &&str| line.replace("\\|", "").matches('|').count();
                    let mut tables = text.split("\n\n").map(|part| part.lines().filter(|line| line.starts_with('|')));
                    let even = tables.all(|table| {
                        let counts: Vec<usize> = table.map(|line| whole(&line)).collect();
                        counts.windows(2).all(|pair| pair[0] == pair[1])
                    });
                    assert!(even, "{told}");
                }
                _ => {
                    let empty = whole_json.as_array().is_some_and(Vec::is_empty);
                    assert_eq!(text.trim().is_empty(), empty, "{told}");
                    assert!(!text.contains("null"), "{told}");
                }
            }
        }
    }
}
