//! Writes docs/performance.md from the runs in benches/results: `make bench-report`. No number in it is written by hand.

#![allow(clippy::pedantic, clippy::unwrap_used)]

#[path = "support/saved.rs"]
#[allow(dead_code)]
mod saved;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

const HEAD: &str = "# Performance

Everything here is written by `make bench-report` from the runs in [benches/results](../benches/results), each of which a
benchmark has saved. A cell is the median, and in parentheses the least and the most. Control plane, SCIM server
(`scim-sandbox`), operator and benchmark share one machine: read the ratios and the counts rather than the times.
";

/// Each benchmark, and what it does.
const BENCHES: [(&str, &str, &str); 6] = [
    (
        "provision",
        "Cold start, sweep, one change",
        "`make bench` has the operator make accounts, and a plain loop that makes the same calls for each person, eight at a
time, and decides nothing: finalizer patch, `POST /Users`, status by server-side apply. The two take turns, and who
is first; the ratio is that of a pair. The objects are there, marked as waiting, before the connection is created; the
clock runs from then to the last status write in the API server's audit log, so that the connection's test and the
first listing count for the operator and not for the loop. `maxInFlight` is 9 (one is kept for removals), and no rate
limit has an effect; by default 10 requests a second are sent, and that is then what decides.

A sweep is one in which nothing has changed, after one that has read everything. A change is that of one person's title
while nothing else is to be done, from the API server's answer until the SCIM server has the request.",
    ),
    (
        "failover",
        "Failover",
        "`make bench-failover`: two replicas with the defaults of the Lease, from the end of the leader until the server gets
the first request of the standby. The Lease lasts 15 s and is renewed every 3 s.",
    ),
    (
        "start",
        "Start",
        "`make bench-start`, without any object: from the start of the process until `/readyz` answers 200, which is when it
has the Lease and every kind was listed once.",
    ),
    (
        "rosters",
        "Rosters",
        "`make bench-rosters`: how fast a roster writes its ScimUsers by server-side apply, against a plain loop that makes
the same writes, eight at a time. Their connection isn't there, so that everybody's status is written too.",
    ),
    (
        "plan",
        "Plan and import",
        "`make bench-plan`: `kubectl scim plan` without a cluster, for people whose accounts are all as declared (the files of
an import, one a person), and for people who are all new (one list). The server's own time is that of a plain client that
reads the same list.",
    ),
    (
        "console",
        "Console",
        "`make bench-console`: `kubectl scim console` before an API server in memory, looked at in a headless Chromium on the
same machine. Everybody is in a hold, all groups in one of memberships, and all rows of the roster are gone. A search is counted
from the key until what it found is painted; 40 ms of it are the wait for the next key.",
    ),
];

const TAIL: &str = "
## Groups

What groups cost is counted, and the counts are tests: a group of N members takes one request for each 100 of them, a
change of one member one request, and a change of a label touches the groups that it changes and no other
(`cargo test --test groups`, `one_group_of_any_size`, `a_label_touches_the_groups_that_it_changes_and_no_other`).
";

fn main() {
    let mut runs: Vec<Value> = std::fs::read_dir(saved::results())
        .into_iter()
        .flatten()
        .filter_map(|file| serde_json::from_str(&std::fs::read_to_string(file.ok()?.path()).ok()?).ok())
        .collect();
    // The newest is the one that counts.
    runs.sort_by_key(|run: &Value| std::cmp::Reverse(run["at"].as_str().unwrap_or_default().to_owned()));
    let mut page = HEAD.to_owned();
    for (bench, title, what) in BENCHES {
        let runs: Vec<&Value> = runs.iter().filter(|run| run["bench"] == *bench).collect();
        if !runs.is_empty() {
            writeln!(page, "\n## {title}\n\n{what}\n").unwrap();
            page.push_str(&table(&runs));
        }
    }
    page.push_str(TAIL);
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/performance.md");
    std::fs::write(path, page).expect("docs/performance.md");
}

/// The newest run of each column and binary, side by side.
fn table(runs: &[&Value]) -> String {
    let mut columns: Vec<(String, String, &Value)> = Vec::new();
    let mut rows: Vec<&str> = Vec::new();
    for run in runs {
        let binary = run["binary"].as_str().unwrap_or_default();
        for row in run["rows"].as_array().into_iter().flatten() {
            let column = row["column"].as_str().unwrap_or_default();
            if !columns.iter().any(|(known, of, _)| known == column && of == binary) {
                columns.push((column.to_owned(), binary.to_owned(), run));
            }
            let what = row["what"].as_str().unwrap_or_default();
            if !rows.contains(&what) {
                rows.push(what);
            }
        }
    }
    columns.sort_by_key(|(column, binary, _)| {
        let size = column.split(' ').next().and_then(|size| size.parse::<u64>().ok()).unwrap_or_default();
        (size, column.clone(), binary.clone())
    });
    let several = columns.iter().map(|(_, binary, _)| binary).collect::<BTreeSet<_>>().len() > 1;
    let mut text = String::from("| |");
    for (column, binary, _) in &columns {
        let of = if several { format!("{column}, {binary}") } else { column.clone() };
        write!(text, " {of} |").unwrap();
    }
    write!(text, "\n|---|{}\n", "---:|".repeat(columns.len())).unwrap();
    for what in rows {
        write!(text, "| {what} |").unwrap();
        for (column, _, run) in &columns {
            let mut all = run["rows"].as_array().into_iter().flatten();
            let row = all.find(|row| row["what"] == *what && row["column"] == **column);
            let values = row.and_then(|row| row["values"].as_array()).into_iter().flatten();
            let values: Vec<f64> = values.filter_map(Value::as_f64).collect();
            let unit = row.and_then(|row| row["unit"].as_str()).unwrap_or_default();
            write!(text, " {} |", saved::cell(unit, &values)).unwrap();
        }
        text.push('\n');
    }
    text.push('\n');
    let mut told = BTreeSet::new();
    for (_, binary, run) in &columns {
        let field = |name: &str| run[name].as_str().unwrap_or_default();
        told.insert(format!(
            "- {} at {}, {binary} build: {}; {}.",
            field("commit"),
            field("at"),
            field("machine"),
            field("versions")
        ));
    }
    for line in told {
        writeln!(text, "{line}").unwrap();
    }
    text
}
