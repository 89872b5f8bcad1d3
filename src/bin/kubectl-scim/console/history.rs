//! What was done, by which object and whose manifest: from the audit stream, where it is given.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use maud::{Markup, html};

use super::folded::searched;
use super::page::foreign;
use super::people::table;
use crate::cluster::sentence;
use crate::commands::history::{Done, Newest};

/// So many lines are shown.
const SHOWN: usize = 300;
/// So many questions are remembered, with how far the stream was read for them.
const KEPT: usize = 32;

/// An object, by its kind and `namespace/name`, and the words of a search.
type Asked = (Option<(&'static str, String)>, String);

/// The audit stream in a file: it is read once for each question, and then only what has come since.
pub struct Stream {
    file: PathBuf,
    read: Mutex<HashMap<Asked, Arc<Mutex<Newest>>>>,
}

impl Stream {
    pub fn new(file: PathBuf) -> Self {
        Self { file, read: Mutex::default() }
    }

    /// What was read for a question.
    fn of(&self, asked: Asked) -> Arc<Mutex<Newest>> {
        let Ok(mut read) = self.read.lock() else { return Arc::default() };
        if read.len() >= KEPT && !read.contains_key(&asked) {
            read.clear();
        }
        Arc::clone(read.entry(asked).or_default())
    }
}

/// The newest lines: of one object, or of all; none where no stream is given.
pub async fn newest(stream: Option<&Stream>, object: Option<(&'static str, String)>, search: &str) -> Option<Markup> {
    let (stream, words) = (stream?, searched(search));
    let (known, file) = (stream.of((object.clone(), words.clone())), stream.file.clone());
    let fits = move |done: &Done| {
        let of = object.as_ref().is_none_or(|(kind, name)| done.kind == *kind && done.object == *name);
        let text = || searched(&format!("{} {} {} {}", done.connection, done.object, done.operation, done.declared_by));
        of && (words.is_empty() || words.split_whitespace().all(|word| text().contains(word)))
    };
    // A stream of years takes its time, once.
    let read = tokio::task::spawn_blocking(move || {
        let Ok(mut newest) = known.lock() else { anyhow::bail!("what was read of it is lost") };
        newest.read(&file, SHOWN, fits).map(|()| shown(&newest))
    });
    Some(match read.await.map_err(anyhow::Error::from).flatten() {
        Ok(shown) => shown,
        Err(error) => {
            html! { section { h2 { "History" } p.problem { "The audit stream: " (foreign(&sentence(&error))) } } }
        }
    })
}

fn shown(newest: &Newest) -> Markup {
    let broken = newest.broken;
    let rows = newest.lines.iter().rev().map(|done| {
        let at = done.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        vec![
            at,
            format!("{} {}", done.kind, done.object),
            done.operation.clone(),
            done.attributes.clone(),
            done.outcome.clone(),
            done.declared_by.clone(),
            done.hold.clone(),
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
            "{\"operation\": broken\n".to_owned(),
        ];
        std::fs::write(&file, lines.join("\n")).unwrap();
        let stream = Stream::new(file.clone());
        let read = async |object: Option<(&'static str, String)>, search: &str| {
            newest(Some(&stream), object, search).await.map(Markup::into_string).unwrap()
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
