//! What was done, by which object and whose manifest: from the audit stream, where it is given.

use std::path::PathBuf;

use maud::{Markup, html};

use super::folded::folded;
use super::page::foreign;
use super::people::table;
use crate::cluster::sentence;
use crate::commands::history::{self, Done};

/// So many lines are shown.
const SHOWN: usize = 300;

/// The newest of them: of one object, by its kind and `namespace/name`, or of all; none where no stream is given.
pub async fn newest(file: Option<&PathBuf>, object: Option<(&'static str, String)>, search: &str) -> Option<Markup> {
    let (file, words) = (file?.clone(), folded(search));
    let fits = move |done: &Done| {
        let of = object.as_ref().is_none_or(|(kind, name)| done.kind == *kind && done.object == *name);
        let text = || folded(&format!("{} {} {} {}", done.connection, done.object, done.operation, done.declared_by));
        of && (words.is_empty() || words.split_whitespace().all(|word| text().contains(word)))
    };
    // A stream of years takes its time.
    let read = tokio::task::spawn_blocking(move || history::newest(&file, SHOWN, fits)).await;
    Some(shown(read.map_err(anyhow::Error::from).flatten()))
}

fn shown(read: anyhow::Result<(Vec<Done>, u64)>) -> Markup {
    let (lines, broken) = match read {
        Ok(read) => read,
        Err(error) => {
            return html! { section { h2 { "History" } p.problem { "The audit stream: " (foreign(&sentence(&error))) } } };
        }
    };
    let rows = lines.into_iter().rev().map(|done| {
        let at = done.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        vec![
            at,
            format!("{} {}", done.kind, done.object),
            done.operation,
            done.attributes,
            done.outcome,
            done.declared_by,
            done.hold,
        ]
    });
    let mut rows = rows.peekable();
    html! {
        section {
            @if rows.peek().is_none() { h2 { "History" } p { "The audit stream tells of nothing." } }
            (table("History", &["When", "Object", "Operation", "Attributes", "Outcome", "Declared by", "Hold"], rows))
            @if broken > 0 { p.legend { (broken) " lines of the audit stream can't be read." } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn line(name: &str, at: &str) -> Value {
        json!({"time": at, "connection": "identity/datadog", "operation": "Update", "attributes": ["title"], "outcome": "Done",
            "object": {"kind": "ScimUser", "namespace": "identity", "name": name, "uid": "u", "generation": 1,
                "fieldManagers": ["<b>argocd"]}})
    }

    #[tokio::test]
    async fn the_newest_lines_come_first_and_are_never_markup() {
        let file = std::env::temp_dir().join(format!("scim-console-history-{}", std::process::id()));
        let lines = [
            line("ada", "2026-11-28T11:00:00Z").to_string(),
            "INFO scim-operator starts".to_owned(),
            line("grace", "2026-11-28T12:00:00Z").to_string(),
            "{\"operation\": broken".to_owned(),
        ];
        std::fs::write(&file, lines.join("\n")).unwrap();
        let read = async |object: Option<(&'static str, String)>, search: &str| {
            newest(Some(&file), object, search).await.map(Markup::into_string).unwrap()
        };
        let all = read(None, "").await;
        assert!(all.find("identity/grace") < all.find("identity/ada") && all.contains("1 lines"), "{all}");
        assert!(all.contains("&lt;b&gt;argocd") && !all.contains("<b>"), "{all}");
        let one = read(Some(("ScimUser", "identity/ada".to_owned())), "").await;
        assert!(one.contains("identity/ada") && !one.contains("grace"), "{one}");
        assert!(read(Some(("ScimGroup", "identity/ada".to_owned())), "").await.contains("tells of nothing"));
        assert!(read(None, "GRACE update").await.contains("identity/grace"));
        std::fs::remove_file(&file).unwrap();
        assert!(read(None, "").await.contains("can't be read"));
        assert!(newest(None, None, "").await.is_none());
    }
}
