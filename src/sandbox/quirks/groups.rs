//! Groups that are shown, or taken, otherwise than the RFCs have it.

use axum::http::Method;
use serde_json::{Value, json};

use super::domain::with_domain;
use super::parts::{entries, members, operations};
use super::{Quirk, Quirks};
use crate::sandbox::asked::Asked;
use crate::sandbox::reply::Reply;
use crate::sandbox::store::Store;

/// Whether a request names a member and no reference to it.
pub(super) fn lacks_refs(asked: &Asked<'_>) -> bool {
    entries(asked).iter().any(|entry| !entry["$ref"].is_string())
}

/// Whether a request makes a group without members, or takes the last one out.
pub(super) fn empties(asked: &Asked<'_>, store: &Store) -> bool {
    let Some(rest) = asked.path.strip_prefix("/Groups") else { return false };
    if asked.method == Method::POST || asked.method == Method::PUT {
        return members(asked).is_empty();
    }
    let count = |list: &Value| list.as_array().map_or(0, Vec::len);
    let here = store.groups.get(rest.trim_matches('/')).ok().and_then(|group| group.body.get("members").map(count));
    let removes = |operation: &&Value| operation["op"].as_str().is_some_and(|op| op.eq_ignore_ascii_case("remove"));
    let gone = operations(asked).iter().filter(removes).count();
    gone > 0 && members(asked).is_empty() && here.is_some_and(|here| here <= gone)
}

/// Whether a request makes a group of a name that another has, but for the case of its letters.
pub(super) fn is_named_alike(asked: &Asked<'_>, store: &Store) -> bool {
    let makes = asked.method == Method::POST && asked.path.trim_matches('/') == "Groups";
    let named = |body: &Value| body["displayName"].as_str().map(str::to_lowercase);
    let name = asked.json().ok().filter(|_| makes).and_then(|body| named(&body));
    let taken = |name: String| store.groups.indexed("displayName", &name).is_some_and(|known| !known.is_empty());
    name.is_some_and(taken)
}

/// Groups as they are shown.
pub(super) fn show(quirks: &Quirks, asked: &Asked<'_>, store: &Store, reply: &mut Reply) {
    let query = asked.decoded_query();
    let asks = query.iter().any(|(key, value)| key == "attributes" && value.contains("members"));
    let Some(body) = &mut reply.body else { return };
    let groups: Vec<&mut Value> = match body.get_mut("Resources") {
        Some(Value::Array(list)) => list.iter_mut().collect(),
        _ => vec![body],
    };
    for group in groups.into_iter().filter_map(Value::as_object_mut) {
        if quirks.contains(&Quirk::HidesMembers) {
            group.insert("members".into(), Value::Array(Vec::new()));
        }
        if quirks.contains(&Quirk::MembersOnRequest) && !asks {
            group.remove("members");
        }
        let shown = group.get_mut("members").filter(|_| quirks.contains(&Quirk::ShowsFiveMembers));
        if let Some(members) = shown.and_then(Value::as_array_mut) {
            members.truncate(5);
        }
        let nobody = group.get("members").and_then(Value::as_array).is_some_and(Vec::is_empty);
        if quirks.contains(&Quirk::MembersOnRequest) && nobody {
            group.remove("members");
        }
        if quirks.contains(&Quirk::GroupsNeverModified)
            && let Some(Value::Object(meta)) = group.get_mut("meta")
        {
            meta.remove("version");
            let created = meta.get("created").cloned().unwrap_or_default();
            meta.insert("lastModified".into(), created);
        }
        let named = group.get_mut("members").filter(|_| quirks.contains(&Quirk::MembersByName));
        for member in named.and_then(Value::as_array_mut).into_iter().flatten() {
            let account = member["value"].as_str().and_then(|id| store.users.get(id).ok());
            if let Some(name) = account.and_then(|account| account.body.get("userName")?.as_str()) {
                let in_domain = quirks.contains(&Quirk::NamesInDomain);
                member["value"] = if in_domain { with_domain(name) } else { name.to_owned() }.into();
            }
        }
    }
}

/// A group's name as it is kept; none where that is as it was sent, or as another quirk leaves it.
pub(super) fn with_name(quirks: &Quirks, asked: &Asked<'_>, sent: Option<&Value>) -> Option<Value> {
    let (lowers, ignores) = (quirks.contains(&Quirk::LowersGroupNames), quirks.contains(&Quirk::IgnoresGroupRenames));
    if !asked.writes() || !(lowers || ignores) {
        return None;
    }
    let mut body = sent.cloned().or_else(|| asked.json().ok())?;
    let lower = |name: Option<&mut Value>| {
        if let Some(name) = name {
            *name = name.as_str().map(str::to_lowercase).into();
        }
    };
    if let Some(operations) = body.get_mut("Operations").and_then(Value::as_array_mut) {
        operations.retain(|operation| !ignores || operation["path"] != "displayName");
        if operations.is_empty() {
            operations.push(json!({"op": "add", "value": {}}));
        }
        for operation in operations.iter_mut().filter(|_| lowers) {
            if operation["path"] == "displayName" {
                lower(operation.get_mut("value"));
            } else if operation.get("path").is_none() {
                lower(operation["value"].get_mut("displayName"));
            }
        }
    } else if lowers {
        lower(body.get_mut("displayName"));
    }
    Some(body)
}

/// What a server makes of members that it names by `userName`: ids and names are taken, and a path finds names alone.
pub(super) fn by_id(asked: &Asked<'_>, store: &Store) -> Option<Value> {
    let id_of = |name: &str| {
        let fits = |known: &Value| known.as_str().is_some_and(|known| known.eq_ignore_ascii_case(name));
        let mut all = store.users.rows.values();
        all.find(|record| record.body.get("userName").is_some_and(fits)).map(|record| record.id.clone())
    };
    let in_list = |list: Option<&mut Value>| {
        for member in list.and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(id) = member["value"].as_str().and_then(id_of) {
                member["value"] = id.into();
            }
        }
    };
    let mut body = asked.json().ok()?;
    in_list(body.get_mut("members"));
    for operation in body.get_mut("Operations").and_then(Value::as_array_mut).into_iter().flatten() {
        in_list(operation.get_mut("value"));
        let named = operation["path"].as_str().and_then(|path| path.strip_prefix("members[value eq \""));
        if let Some(named) = named.and_then(|rest| rest.strip_suffix("\"]")) {
            let id = id_of(named).unwrap_or_else(|| "nobody".to_owned());
            operation["path"] = format!("members[value eq \"{id}\"]").into();
        }
    }
    Some(body)
}
