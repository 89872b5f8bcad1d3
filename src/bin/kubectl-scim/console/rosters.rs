//! Rosters: their rows, those that they reject, and what their mappings make of a row that somebody types.

use jiff::Timestamp;
use maud::{Markup, html};
use scim_operator::api::{RejectedRow, ScimRoster, SourceFormat};
use scim_operator::roster::{Content, Document, Refused, RowOutcome, Trace, preview, trace};
use serde::Deserialize;
use serde_json::Value;

use super::filter::Filter;
use super::page::{foreign, manifest, readiness, state_class, when};
use super::people::table;
use super::source;
use super::store::Store;
use crate::objects::full_name;
use crate::time::instant;

/// So many rows are tried at once.
const TRIED: usize = 20;

/// All rosters.
pub fn list(store: &Store, now: Timestamp) -> Markup {
    html! {
        @if store.rosters.len() == 0 && store.rosters.is_known() { p { "There is no roster here." } }
        @for roster in store.rosters.iter() { (card(roster, "its page reads them all where you may read its source", now)) }
    }
}

fn card(roster: &ScimRoster, others_are: &str, now: Timestamp) -> Markup {
    let status = roster.status.clone().unwrap_or_default();
    let ready = status.conditions.iter().flatten().find(|condition| condition.type_ == "Ready").cloned();
    let word = ready.as_ref().map_or("Unknown", |ready| ready.status.as_str());
    let people = Filter { roster: full_name(roster), ..Filter::default() }.address("/people");
    let number = |count: Option<i64>| count.map_or_else(|| "–".to_owned(), |count| count.to_string());
    html! {
        section.card.(state_class(word)) {
            h2 { a href={ "/rosters/" (full_name(roster)) } { (foreign(&full_name(roster))) } }
            p { (readiness(word)) " " @if let Some(ready) = &ready { (ready.reason) } }
            @if let Some(ready) = ready.as_ref().filter(|ready| ready.status != "True") { p { (foreign(&ready.message)) } }
            @if let Some(hold) = &status.hold {
                p.hold { a href={ "/holds/" (hold.id) } { (hold.removals) " of its ScimUsers would be deleted" } @if hold.rejected { " (rejected)" } }
            }
            dl {
                dt { "Rows" } dd { (number(status.rows)) }
                dt { "In scope" } dd { (number(status.in_scope)) }
                dt { "ScimUsers" } dd { a href=(people) { (number(status.generated)) } }
                dt { "Rejected rows" } dd { (number(status.rejected_rows)) }
                dt { "Managers not found" } dd { (number(status.managers_not_found)) }
                @if let Some(guard) = &status.guard { dt { "Guard" } dd { (guard.used) " of " (guard.limit) " used" } }
                dt { "Content in force" } dd { (when(instant(status.last_good.as_ref()), now)) }
            }
            @let named: Vec<RejectedRow> = status.rejected.unwrap_or_default();
            (source::rejected(&format!("Rejected rows of {}", full_name(roster)), &named))
            @let others = status.rejected_rows.unwrap_or_default() - i64::try_from(named.len()).unwrap_or_default();
            @if others > 0 { p.legend { (others) " more rows are rejected; " (others_are) "." } }
        }
    }
}

/// Rows to try, as the form sends them.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Rows {
    /// Only our own pages know it.
    #[serde(rename = "form")]
    pub word: String,
    pub rows: String,
}

/// What the page of one is made with.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// Rows that were typed.
    pub typed: &'a str,
    /// What came of them, or what was read.
    pub answer: Option<&'a Markup>,
    pub form_word: &'a str,
    /// Its source may be read.
    pub can_read: bool,
}

/// One of them, with a form that tries rows. Nothing of what is typed goes anywhere.
pub fn one(roster: &ScimRoster, shown: Shown, now: Timestamp) -> Markup {
    let spec = &roster.spec;
    let mappings = spec.mappings.iter().flatten();
    let expression = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
    let address = format!("/rosters/{}", full_name(roster));
    let is_read = shown.typed.is_empty();
    let others_are =
        if shown.can_read { "the button reads them all" } else { "you may not read its source, which has them all" };
    html! {
        (card(roster, others_are, now))
        @if shown.can_read {
            form method="post" action={ (address) "/source" } {
                input type="hidden" name="form" value=(shown.form_word);
                button { "Read its rows: all that are rejected, and who is gone" }
            }
        }
        @if let Some(read) = shown.answer.filter(|_| is_read) { (read) }
        (table("Mappings", &["Target", "Value"], mappings.map(|mapping| vec![mapping.target.clone(), mapping.value.clone()])))
        dl {
            dt { "Scope" } dd { code { (foreign(&expression(&spec.scope))) } }
            dt { "Key" } dd { code { (foreign(&expression(&spec.key))) } }
        }
        h2 #try { "Try a row" }
        p { "Rows as CSV with its header, or JSON or YAML. They are mapped here, by the roster as it is now; nothing is changed, stored or sent." }
        form.rows method="post" action=(address) {
            input type="hidden" name="form" value=(shown.form_word);
            label { "Rows " textarea name="rows" rows="6" required spellcheck="false" { (shown.typed) } }
            button { "Map them" }
        }
        @if let Some(tried) = shown.answer.filter(|_| !is_read) { (tried) }
    }
}

/// What the roster makes of these rows, expression by expression.
pub fn tried(roster: &ScimRoster, typed: &str) -> Markup {
    let document =
        || Document { name: String::new(), content: Content::Text(SourceFormat::Auto, normalized(typed).into_bytes()) };
    let found = preview(&roster.spec, vec![document()]).and_then(|previewed| {
        let numbers: Vec<u32> = previewed.rows.iter().map(|row| row.row).take(TRIED).collect();
        let traces = numbers.into_iter().map(|number| trace(&roster.spec, vec![document()], number));
        Ok((previewed.rows.len(), traces.collect::<Result<Vec<_>, _>>()?.concat()))
    });
    match found {
        Err(Refused { message, .. }) => html! { p.problem role="alert" { (foreign(&message)) } },
        Ok((0, _)) => html! { p.problem role="alert" { "There is no row in it: a CSV has its header first." } },
        Ok((count, traces)) => html! {
            @if count > TRIED { p.notice { "The first " (TRIED) " of " (count) " rows are shown." } }
            @for trace in &traces { (traced(trace)) }
        },
    }
}

/// A form ends lines as HTTP does.
fn normalized(typed: &str) -> String {
    typed.replace("\r\n", "\n")
}

fn traced(trace: &Trace) -> Markup {
    let steps = trace.steps.iter().map(|step| {
        let read: Vec<String> = step.read.iter().map(|(column, value)| format!("{column}={value}")).collect();
        let value = match &step.value {
            Ok(Value::Null) => "–".to_owned(),
            Ok(Value::String(text)) => text.clone(),
            Ok(other) => other.to_string(),
            Err(why) => format!("error: {why}"),
        };
        vec![step.what.clone(), step.expression.clone(), read.join(", "), value]
    });
    html! {
        section {
            h3 { "Row " (trace.row) }
            p role="status" {
                @match &trace.outcome {
                    RowOutcome::OutOfScope => { span.state.calm { "Out of scope" } }
                    RowOutcome::Rejected { reason } => { span.state.bad { "Rejected" } " " (foreign(reason)) }
                    RowOutcome::Mapped { name, .. } => { span.state.good { "Mapped" } " to the ScimUser " (foreign(name)) }
                }
            }
            (table(&format!("Row {}, step by step", trace.row), &["Step", "Expression", "Read", "Value"], steps))
            @if let RowOutcome::Mapped { spec, .. } = &trace.outcome {
                details { summary { "Spec" } (manifest(&serde_saphyr::to_string(spec).unwrap_or_default())) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn roster() -> ScimRoster {
        serde_json::from_value(json!({
            "metadata": {"name": "people", "namespace": "identity"},
            "spec": {"connectionRef": {"name": "datadog"}, "source": {"inline": []}, "key": "row.id", "scope": "row.team == 'a'",
                "mappings": [{"target": "userName", "value": "row.mail"}, {"target": "title", "value": "row.title"}]},
            "status": {"rows": 9, "rejectedRows": 3, "rejected": [{"row": 2, "reason": "<b>no userName</b>"}]},
        }))
        .unwrap()
    }

    #[test]
    fn i29_a_roster_says_which_rows_it_rejects_and_why() {
        let now = "2026-11-28T12:00:00Z".parse().unwrap();
        let page = one(&roster(), shown("</textarea><script>", true), now).into_string();
        assert!(page.contains("&lt;b&gt;no userName") && page.contains("inline"), "{page}");
        assert!(page.contains("&lt;/textarea&gt;") && !page.contains("<script"), "{page}");
        assert!(page.contains("row.team == 'a'"), "{page}");
        assert!(page.contains("2 more rows are rejected") && page.contains("Read its rows"), "{page}");
        let unread = one(&roster(), shown("", false), now).into_string();
        assert!(!unread.contains("Read its rows") && unread.contains("you may not read its source"), "{unread}");
    }

    fn shown(typed: &str, can_read: bool) -> Shown<'_> {
        Shown { typed, answer: None, form_word: "word", can_read }
    }

    #[test]
    fn i29_a_typed_row_is_mapped_step_by_step_or_the_reason_is_told() {
        let tried = |rows: &str| tried(&roster(), rows).into_string();
        let mapped = tried("id,mail,title,team\r\n1,ada@example.com,<i>Countess,a\r\n2,eve@example.com,x,b\r\n");
        assert!(
            mapped.contains("Mapped") && mapped.contains("&lt;i&gt;Countess") && mapped.contains("Out of scope"),
            "{mapped}"
        );
        assert!(mapped.contains("userName: ada@example.com"), "the spec: {mapped}");
        let yaml = tried("- {id: 1, mail: ada@example.com, title: x, team: a}");
        assert!(yaml.contains("Mapped"), "{yaml}");
        let json = tried(r#"[{"id": "1", "mail": "", "title": "x", "team": "a"}]"#);
        assert!(json.contains("Rejected"), "{json}");
        for nothing in ["id,mail", "<script>", "", "{"] {
            let page = tried(nothing);
            assert!(page.contains("role=\"alert\"") && !page.contains("<script>"), "{nothing}: {page}");
        }
    }
}
