//! The table of docs/troubleshooting.md, and what holds it to what is told.

#[path = "table/address.rs"]
mod address;
#[path = "table/cluster.rs"]
mod cluster;
#[path = "table/key.rs"]
mod key;
#[path = "table/objects.rs"]
mod objects;
#[path = "table/rosters.rs"]
mod rosters;

use std::fs;
use std::path::Path;

use self::address::ADDRESS;
use self::cluster::CLUSTER;
use self::key::KEY;
use self::objects::OBJECTS;
use self::rosters::ROSTERS;
use crate::support::repository;

/// A mistake, as the table has it.
pub struct Mistake {
    /// What tests call it.
    name: &'static str,
    mistake: &'static str,
    /// What is told of it; `…` stands for what differs from case to case.
    seen: &'static str,
    /// What to do.
    instead: &'static str,
}

const fn row(name: &'static str, mistake: &'static str, seen: &'static str, instead: &'static str) -> Mistake {
    Mistake { name, mistake, seen, instead }
}

/// The parts of the page, with their rows.
const PARTS: &[(&str, &[Mistake])] = &[
    ("The key", KEY),
    ("The address", ADDRESS),
    ("Users and groups", OBJECTS),
    ("Rosters", ROSTERS),
    ("The cluster", CLUSTER),
];

const HEAD: &str = "\
# Troubleshooting

What goes wrong at first, what is told of it, and what to do. Each row is tried by a test (tests/mistakes.rs) at a real API
server; this page is written by them (`make troubleshooting`). `…` stands for what differs from case to case.

```sh
kubectl get scim -A -o wide                       # every object, with its message
kubectl describe scimconnection NAME              # conditions and events of a connection
kubectl -n scim-operator logs deploy/scim-operator
```

All reasons are in [conditions.md](conditions.md), alerts in [runbooks](runbooks/README.md).
";

/// Holds what a test was told to what the table says of it.
pub fn told(name: &str, actual: &str) {
    let mistake = PARTS.iter().flat_map(|(_, rows)| *rows).find(|row| row.name == name);
    let seen = mistake.unwrap_or_else(|| panic!("the table has no {name}")).seen;
    let fits = fits(seen, actual.trim());
    assert!(fits, "{name}\n   told: {actual}\n  table: {seen}");
}

/// The pieces between `…` are there, in their order; the first and the last at the ends.
fn fits(seen: &str, actual: &str) -> bool {
    let pieces: Vec<&str> = seen.split('…').collect();
    let mut rest = actual;
    for (place, piece) in pieces.iter().enumerate() {
        let at = if place + 1 == pieces.len() { rest.len().checked_sub(piece.len()) } else { rest.find(piece) };
        match at {
            Some(at) if rest[at..].starts_with(piece) && (place > 0 || at == 0) => rest = &rest[at + piece.len()..],
            _ => return false,
        }
    }
    true
}

fn page() -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let mut page = HEAD.to_owned();
    for (part, rows) in PARTS {
        page += &format!("\n## {part}\n\n| mistake | what one sees | what to do |\n|---|---|---|\n");
        for Mistake { mistake, seen, instead, .. } in *rows {
            page += &format!("| {} | {} | {} |\n", cell(mistake), cell(&code(seen.trim())), cell(instead));
        }
    }
    page
}

/// As code, whatever is in it.
fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

#[test]
fn the_page_is_what_the_tests_see() {
    let file = repository().join("docs/troubleshooting.md");
    let expected = page();
    if std::env::var_os("WRITE_TROUBLESHOOTING").is_some() {
        fs::write(&file, expected).expect("docs/troubleshooting.md is written");
        return;
    }
    let page = fs::read_to_string(&file).unwrap_or_default();
    let differs = page.lines().zip(expected.lines()).find(|(now, wanted)| now != wanted);
    assert!(
        page == expected,
        "docs/troubleshooting.md is not what the table says; run `make troubleshooting`: {differs:?}"
    );
}

#[test]
fn every_mistake_is_made_by_a_test() {
    let mut sources = String::new();
    for entry in fs::read_dir(repository().join(Path::new("tests/mistakes"))).expect("the tests") {
        let path = entry.expect("its entry").path();
        if path.is_file() && !path.ends_with("table.rs") {
            sources += &fs::read_to_string(path).expect("a source");
        }
    }
    for row in PARTS.iter().flat_map(|(_, rows)| *rows) {
        assert!(sources.contains(&format!("\"{}\"", row.name)), "no test makes the mistake {}", row.name);
    }
}

#[test]
fn what_differs_is_left_out_and_nothing_else() {
    assert!(fits("a … c", "a b c") && fits("a…", "a") && fits("…c", "b c") && fits("abc", "abc"));
    assert!(!fits("a … d", "a b c") && !fits("abc", "abcd") && !fits("bc", "abc"));
}
