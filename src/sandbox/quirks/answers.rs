//! What answers show, and what they leave out.

use axum::http::Method;
use serde_json::Value;

use super::domain;
use super::groups::show;
use super::parts::filtered_by;
use super::rewrite::echo;
use super::{Quirk, Quirks};
use crate::sandbox::asked::Asked;
use crate::sandbox::reply::Reply;
use crate::sandbox::store::{Record, Store};

/// What the server says of itself, and how it shows what it has; `sent`: the body as it came.
pub(in super::super) fn says(quirks: &Quirks, asked: &Asked<'_>, sent: &[u8], store: &Store, reply: &mut Reply) {
    let shows = reply.status < 300 && ["/Users", "/Groups"].iter().any(|path| asked.path.starts_with(path));
    if shows && quirks.contains(&Quirk::NamesInDomain) {
        domain::show(asked, reply);
    }
    if quirks.contains(&Quirk::EchoesCreations) && asked.method == Method::POST && reply.status == 201 {
        echo(sent, reply);
    }
    // Where a list shows nobody, nobody could ever be found again.
    let blind = [Quirk::HollowLists, Quirk::NeedsFilter, Quirk::HidesInactive];
    let lists = !blind.iter().any(|quirk| quirks.contains(quirk));
    let renames = lists && quirks.contains(&Quirk::AnswersNamesForIds);
    if renames && asked.method == Method::POST && reply.status == 201 {
        name_for_id(reply);
    }
    if asked.path.starts_with("/Groups") && reply.status < 300 {
        show(quirks, asked, store, reply);
    }
    let path = asked.path.trim_matches('/');
    if asked.method != Method::GET {
        leave_out(quirks, asked, reply);
    } else if let Some(body) = &mut reply.body {
        if quirks.contains(&Quirk::SaysNoPatch) && path == "ServiceProviderConfig" {
            body["patch"]["supported"] = false.into();
        }
        if quirks.contains(&Quirk::Finds404) && filtered_by(asked).is_some() && body["totalResults"] == 0 {
            *reply = Reply::new(404, serde_json::json!({"detail": "no such resource", "status": "404"}));
            return;
        }
        if quirks.contains(&Quirk::Ends404) && ends(asked, body) {
            *reply = Reply::new(404, serde_json::json!({"detail": "no such page", "status": "404"}));
            return;
        }
        if quirks.contains(&Quirk::OnePage)
            && let Some(shown) = body["Resources"].as_array().map(Vec::len)
        {
            body["totalResults"] = shown.into();
        }
        match path {
            "Users" => {
                let whole = filtered_by(asked).is_none();
                let hidden = whole.then(|| store.users.rows.values().filter(|user| is_hidden(quirks, user)).count());
                users(quirks, hidden, store, body);
            }
            "Groups" if quirks.contains(&Quirk::ListsWithoutMembers) => {
                each(body, |group| drop(group.as_object_mut().and_then(|group| group.remove("members"))));
            }
            _ => {}
        }
    }
    for (quirk, name) in [(Quirk::HidesActive, "active"), (Quirk::HidesMembers, "groups")] {
        let hides = quirks.contains(&quirk) && path.starts_with("Users");
        if let Some(body) = reply.body.as_mut().filter(|_| hides) {
            let hide = |user: &mut Value| drop(user.as_object_mut().and_then(|user| user.remove(name)));
            hide(body);
            each(body, hide);
        }
    }
    if let Some(body) = reply.body.as_mut().filter(|_| quirks.contains(&Quirk::TextBooleans)) {
        as_text(body);
        each(body, as_text);
    }
}

/// What was done isn't shown.
fn leave_out(quirks: &Quirks, asked: &Asked<'_>, reply: &mut Reply) {
    let changed = matches!(asked.method, Method::PATCH | Method::PUT) && reply.status == 200;
    let user = reply.body.as_mut().and_then(Value::as_object_mut).filter(|_| asked.path.starts_with("/Users"));
    if let Some(user) = user.filter(|_| changed && quirks.contains(&Quirk::ShortAnswers)) {
        user.retain(|name, _| matches!(name.as_str(), "schemas" | "id" | "userName" | "meta"));
    }
    let answered = changed || (asked.method == Method::POST && reply.status == 201);
    let resource = reply.body.as_mut().and_then(Value::as_object_mut).filter(|_| answered);
    if let Some(resource) = resource.filter(|_| quirks.contains(&Quirk::BareAnswers)) {
        resource.retain(|name, _| matches!(name.as_str(), "schemas" | "id"));
    }
    if changed && quirks.contains(&Quirk::WordAnswers) {
        reply.body = Some("OK".into());
    }
    if changed && quirks.contains(&Quirk::EmptyChanges) {
        (reply.status, reply.body) = (204, None);
    }
    if reply.status == 201 && quirks.contains(&Quirk::EmptyCreations) {
        reply.body = None;
    }
}

/// A page that isn't the first shows nobody.
fn ends(asked: &Asked<'_>, list: &Value) -> bool {
    let start = asked.decoded_query().into_iter().find(|(key, _)| key == "startIndex").map(|(_, start)| start);
    let later = start.and_then(|start| start.parse::<u64>().ok()).is_some_and(|start| start > 1);
    later && list["Resources"].as_array().is_none_or(Vec::is_empty) && list["totalResults"].is_number()
}

fn name_for_id(reply: &mut Reply) {
    let Some(body) = &mut reply.body else { return };
    if let Some(name) = ["userName", "displayName"].into_iter().find_map(|name| body[name].as_str().map(str::to_owned))
    {
        body["id"] = name.into();
    }
}

/// Whether no list shows the user.
fn is_hidden(quirks: &Quirks, user: &Record) -> bool {
    let inactive = user.body.get("active") == Some(&Value::Bool(false));
    (quirks.contains(&Quirk::HidesInactive) && inactive)
        || (quirks.contains(&Quirk::HidesCreated) && user.history.created > 0)
}

/// A list of users; `hidden`: so many aren't shown, on whatever page.
fn users(quirks: &Quirks, hidden: Option<usize>, store: &Store, list: &mut Value) {
    let hides = quirks.contains(&Quirk::HidesInactive) || quirks.contains(&Quirk::HidesCreated);
    if hides && let Some(shown) = list["Resources"].as_array_mut() {
        let before = shown.len();
        let user = |shown: &Value| store.users.get(shown["id"].as_str().unwrap_or_default()).ok();
        shown.retain(|shown| !user(shown).is_some_and(|user| is_hidden(quirks, user)));
        let hidden = hidden.unwrap_or(before - shown.len()) as u64;
        let left = list["totalResults"].as_u64().map(|total| total.saturating_sub(hidden));
        list["totalResults"] = left.into();
    }
    if quirks.contains(&Quirk::HollowLists) && list["Resources"].is_array() {
        list["Resources"] = Value::Array(Vec::new());
    }
}

fn each(list: &mut Value, change: impl Fn(&mut Value)) {
    list.get_mut("Resources").and_then(Value::as_array_mut).into_iter().flatten().for_each(change);
}

fn as_text(resource: &mut Value) {
    if let Some(active) = resource.get_mut("active").filter(|active| active.is_boolean()) {
        *active = if *active == Value::Bool(true) { "True" } else { "False" }.into();
    }
}
