//! A plan for people: what changes first, as a table or in Markdown; for programs all of it.

use std::fmt::Write as _;

use anyhow::Result;
use scim_operator::provisioner::dry_run::{Action, AttributeChange, Packed, Plan, PlannedHold, PlannedObject, Sums};
use serde::Serialize;
use serde_json::Value;

use crate::output::{self, Cell, Printer, Row, Tone};

/// So many objects are named of one plan, unless all are asked for.
const MOST: usize = 200;
/// So many members are named of one group.
const MOST_MEMBERS: usize = 10;
/// So much of a value is shown, in characters.
const LONGEST: usize = 80;

/// One object, and what would be done.
#[derive(Serialize)]
struct Line<'a>(&'a PlannedObject);

impl Row for Line<'_> {
    const COLUMNS: &'static [&'static str] =
        &["ACTION", "KIND", "OBJECT", "CALLED", "CHANGES", "WHY", "+ID", "+REQUESTS"];

    fn cells(&self) -> Vec<Cell> {
        let object = self.0;
        let action = match &object.held {
            Some(held) if held.needs_answer => format!("{} (held)", object.action.as_str()),
            Some(_) => format!("{} (queued)", object.action.as_str()),
            None => object.action.as_str().to_owned(),
        };
        let tone = match object.action {
            _ if object.held.as_ref().is_some_and(|held| held.needs_answer) => Tone::Bad,
            Action::Refused | Action::Unknown | Action::Delete | Action::Deactivate => Tone::Bad,
            Action::Create | Action::Adopt | Action::Reactivate => Tone::Good,
            Action::Update | Action::Release | Action::Waits => Tone::Warning,
            Action::Nothing => Tone::Plain,
        };
        let kind = object.kind.trim_start_matches("Scim").to_lowercase();
        let requests = object.requests.iter().map(|request| format!("{} {}", request.method, request.path));
        vec![
            Cell::toned(action, tone),
            kind.into(),
            format!("{}/{}", object.namespace, object.name).into(),
            object.called.clone().into(),
            changes(object).into(),
            why(object).into(),
            object.id.clone().unwrap_or_default().into(),
            requests.collect::<Vec<_>>().join(", ").into(),
        ]
    }
}

/// Shows plans.
pub fn show(printer: Printer, plans: &[Plan]) -> Result<()> {
    if printer.is_csv() {
        let all = plans.iter().flat_map(|plan| &plan.objects).map(Line);
        printer.list(&all.collect::<Vec<_>>())?;
    } else if printer.is_data() {
        printer.data(&plans)?;
    } else {
        for plan in plans {
            one(printer, plan)?;
        }
    }
    Ok(())
}

fn one(printer: Printer, plan: &Plan) -> Result<()> {
    let mut objects: Vec<&PlannedObject> =
        plan.objects.iter().filter(|object| printer.is_wide() || is_told(object)).collect();
    objects.sort_by_key(|object| (object.held.as_ref().is_none_or(|held| !held.needs_answer), object.action));
    let more = if printer.is_wide() { 0 } else { objects.len().saturating_sub(MOST) };
    objects.truncate(objects.len() - more);
    let lines: Vec<Line> = objects.into_iter().map(Line).collect();
    let server = if plan.server.is_empty() { String::new() } else { format!(" at {}", plan.server) };
    let heading = format!("Plan for {}{server}", plan.connection);
    if lines.is_empty() {
        output::line(&format!("{}{heading}", if printer.is_markdown() { "## " } else { "" }))?;
    }
    printer.section(&heading, &lines)?;
    let mut text = String::new();
    if more > 0 {
        let _ = writeln!(text, "and {more} more; -o wide and -o json show all of them");
    }
    let sums = sums(&plan.sums);
    let _ = writeln!(text, "{}", if printer.is_markdown() { format!("**{sums}**") } else { sums });
    for told in plan.holds.iter().map(|hold| held(hold, plan)).chain(plan.notes.iter().cloned()) {
        let told = if printer.is_markdown() { format!("- {}", output::plain(&told)) } else { told };
        let _ = writeln!(text, "{told}");
    }
    if !plan.unmanaged.is_empty() {
        let count = plan.unmanaged.len();
        let _ = writeln!(text, "{count} accounts of the server are declared by no object, and left alone.");
    }
    output::line(&format!("\n{}", text.trim_end()))?;
    Ok(())
}

/// What is as it should be isn't told one by one.
fn is_told(object: &PlannedObject) -> bool {
    match object.action {
        Action::Nothing => object.held.is_some(),
        Action::Adopt => object.held.is_some() || !object.requests.is_empty(),
        _ => true,
    }
}

/// `12 to create, 1 to delete, 240 unchanged; 13 requests`
fn sums(sums: &Sums) -> String {
    let parts = [
        (sums.create, "to create"),
        (sums.adopt, "to adopt"),
        (sums.update, "to update"),
        (sums.reactivate, "to reactivate"),
        (sums.deactivate, "to deactivate"),
        (sums.delete, "to delete"),
        (sums.release, "to let go, with their accounts left as they are"),
        (sums.refused, "refused"),
        (sums.unknown, "that could not be looked at"),
        (sums.waits, "waiting"),
        (sums.nothing, "unchanged"),
    ];
    let mut said = output::counted(parts);
    if said.is_empty() {
        said.push("no objects".to_owned());
    }
    let mut text = said.join(", ");
    for (count, what) in [(sums.held, "held for an answer"), (sums.queued, "queued")] {
        if count > 0 {
            let _ = write!(text, "; {count} of them {what}");
        }
    }
    let requests = match sums.requests {
        0 => "nothing is sent".to_owned(),
        1 => "1 request".to_owned(),
        count => format!("{count} requests"),
    };
    format!("{text}; {requests}.")
}

/// `Held by guards.removals: 12 deletions; its limit is 10 of 40.`
fn held(hold: &PlannedHold, plan: &Plan) -> String {
    let parts = [
        (hold.deletes, "deletions"),
        (hold.deactivations, "deactivations"),
        (hold.memberships, "memberships"),
        (hold.updates, "updates"),
        (hold.creates, "creations"),
    ];
    let by = match hold.reason.as_str() {
        "Plan" => "mode: Plan".to_owned(),
        "NewServer" => "the change of server".to_owned(),
        "Undelegated" => "the delegation, which doesn't admit the account".to_owned(),
        roster if roster.starts_with("roster/") => format!("the guard of {roster}"),
        guards => format!("guards.{guards}"),
    };
    let limits = plan.guards.iter().filter(|guard| hold.reason.split(", ").any(|name| name == guard.name));
    let limits = limits.map(|guard| format!("; {} may go at once, of {}", guard.limit, guard.base));
    format!(
        "Held by {by}: {}{}. Nothing of it is sent before a person approves it.",
        output::counted(parts).join(", "),
        limits.collect::<String>()
    )
}

/// The attributes and the members that change, from what they are to what they would be.
pub fn changes(object: &PlannedObject) -> String {
    let mut said: Vec<String> = object.changes.iter().map(|change| attribute(change, object.action)).collect();
    for (sign, names) in [('+', &object.members.added), ('−', &object.members.removed)] {
        said.extend(names.iter().take(MOST_MEMBERS).map(|name| format!("{sign}{name}")));
        let more = names.len().saturating_sub(MOST_MEMBERS);
        if more > 0 {
            said.push(format!("{sign}{more} more members"));
        }
    }
    said.join(", ")
}

fn attribute(change: &AttributeChange, action: Action) -> String {
    let name = change.attribute.rsplit(':').next().unwrap_or_default();
    match (&change.old, &change.new) {
        (None, Some(new)) if action == Action::Create => format!("{name}: {}", value(&new.value())),
        (old, new) => {
            let shown =
                |side: &Option<Packed>| side.as_ref().map_or_else(|| "∅".to_owned(), |side| value(&side.value()));
            format!("{name}: {} → {}", shown(old), shown(new))
        }
    }
}

/// A value in a few words: of an entry of a list, what it is about.
fn value(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => format!("[{}]", all.iter().map(self::value).collect::<Vec<_>>().join(", ")),
        Value::Object(entry) => match entry.get("value").and_then(Value::as_str) {
            Some(text) => text.to_owned(),
            None => value.to_string(),
        },
        other => other.to_string(),
    };
    if text.chars().count() > LONGEST {
        return format!("{}…", text.chars().take(LONGEST).collect::<String>());
    }
    text
}

/// Why, where that isn't plain.
fn why(object: &PlannedObject) -> String {
    match (&object.held, object.action) {
        (Some(held), _) if !held.needs_answer => format!("as soon as guards.{} has room", held.by),
        (Some(_), _) | (None, Action::Refused | Action::Unknown | Action::Waits | Action::Release) => {
            object.message.clone()
        }
        _ => String::new(),
    }
}
