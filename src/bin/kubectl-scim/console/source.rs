//! The rows of a roster as they are now, read when somebody asks: all that are rejected, and who is gone.

use std::collections::BTreeMap;

use maud::{Markup, html};
use scim_operator::api::RejectedRow;
use scim_operator::roster::Refused;

use super::addresses::address;
use super::page::foreign;
use super::people::table;
use crate::commands::roster::against::{Against, Person};

/// What they come to.
pub fn shown(namespace: &str, read: &Result<Against, Refused>) -> Markup {
    let against = match read {
        Err(Refused { message, .. }) => {
            return html! { section #source data-still { p.problem role="alert" { (foreign(message)) } } };
        }
        Ok(against) => against,
    };
    let gone: Vec<&Person> = against.people.iter().filter(|person| person.what == "leaves").collect();
    html! {
        section #source data-still {
            h2 { "Its rows now" }
            p role="status" { (against.sums) ", " (against.rejected.len()) " rows are rejected" }
            @for note in &against.notes { p.notice { (foreign(note)) } }
            (rejected("All rejected rows", &against.rejected))
            @if !gone.is_empty() {
                h3 { "Gone: ScimUsers without a row (" (gone.len()) ")" }
                ul.members {
                    @for person in gone { li { a href=(address(namespace, &person.name)) { (foreign(&person.user_name)) } " " span.change { (person.name) } } }
                }
            }
        }
    }
}

/// Rejected rows by reason, the reason of most of them first.
pub fn rejected(title: &str, rows: &[RejectedRow]) -> Markup {
    let mut reasons: BTreeMap<&str, BTreeMap<&str, Vec<i64>>> = BTreeMap::new();
    for row in rows {
        let source = row.source.as_deref().unwrap_or("inline");
        reasons.entry(&row.reason).or_default().entry(source).or_default().push(row.row);
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    let count = |sources: &BTreeMap<&str, Vec<i64>>| sources.values().map(Vec::len).sum::<usize>();
    reasons.sort_by_key(|(_, sources)| std::cmp::Reverse(count(sources)));
    let rows = reasons.into_iter().map(|(reason, sources)| {
        let places = sources.iter().map(|(source, rows)| format!("{source}: {}", ranges(rows)));
        vec![reason.to_owned(), count(&sources).to_string(), places.collect::<Vec<_>>().join("; ")]
    });
    table(title, &["Reason", "Rows", "Which"], rows)
}

/// Numbers as people write them: `2, 5–7`.
fn ranges(rows: &[i64]) -> String {
    let mut found: Vec<(i64, i64)> = Vec::new();
    for row in rows {
        match found.last_mut() {
            Some((_, last)) if *last + 1 == *row => *last = *row,
            _ => found.push((*row, *row)),
        }
    }
    let told = found.into_iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first}–{last}"),
    });
    told.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(source: Option<&str>, row: i64, reason: &str) -> RejectedRow {
        RejectedRow { source: source.map(str::to_owned), row, reason: reason.to_owned() }
    }

    #[test]
    fn i29_rejected_rows_are_all_there_by_their_reasons() {
        let mut rows = vec![row(Some("hr"), 2, "<b>no userName"), row(None, 9, "no team")];
        rows.extend((4..2004).map(|number| row(Some("hr"), number, "no team")));
        let page = rejected("Rejected", &rows).into_string();
        assert!(page.contains("2001") && page.contains("hr: 4–2003; inline: 9"), "{page}");
        assert!(page.find("no team") < page.find("&lt;b&gt;no userName") && !page.contains("<b>"), "{page}");
        assert_eq!(ranges(&[2, 3, 5, 7, 8, 9]), "2, 3, 5, 7–9");
        assert_eq!(rejected("Rejected", &[]).into_string(), "");
    }

    #[test]
    fn i29_everybody_who_is_gone_is_named() {
        let leaves = |number: usize| Person {
            what: "leaves",
            name: format!("u-{number}"),
            user_name: format!("<i>{number}@example.com"),
            changes: Vec::new(),
        };
        let against = Against {
            people: (0..1000).map(leaves).collect(),
            sums: "0 join, 0 change, 1000 leave".to_owned(),
            notes: vec!["1000 leave: the hold 3f exceeds the roster's guard".to_owned()],
            rejected: Vec::new(),
            held: true,
        };
        let page = shown("identity", &Ok(against)).into_string();
        assert_eq!(page.matches("<li>").count(), 1000);
        assert!(page.contains("/people/identity/u-999\"") && page.contains("the hold 3f") && !page.contains("<i>"));
    }
}
