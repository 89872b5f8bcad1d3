//! Changes of a group that take out others than those whom they name.

use axum::http::Method;
use serde_json::{Value, json};

use super::{Quirk, Quirks};
use crate::sandbox::asked::Asked;
use crate::sandbox::store::Store;

/// What the server makes of a change of a group; none where that is what was sent.
pub(super) fn with_losses(quirks: &Quirks, asked: &Asked<'_>, sent: Option<&Value>, store: &Store) -> Option<Value> {
    let id = asked.path.trim_matches('/').strip_prefix("Groups/").filter(|_| asked.method == Method::PATCH)?;
    let mut body = sent.cloned().or_else(|| asked.json().ok())?;
    let operations = body.get_mut("Operations")?.as_array_mut()?;
    let before = operations.clone();
    if quirks.contains(&Quirk::RemovesByIndex) {
        by_index(operations, &members_of(store, id));
    }
    let mut empties = false;
    for operation in operations.iter_mut() {
        let (does, path) = (text(operation, "op").to_lowercase(), text(operation, "path"));
        match does.as_str() {
            "remove" if quirks.contains(&Quirk::RemoveEmpties) && path.starts_with("members[") => {
                *operation = json!({"op": "remove", "path": "members"});
            }
            "add" if quirks.contains(&Quirk::AddReplaces) && path == "members" => operation["op"] = "replace".into(),
            "replace" if quirks.contains(&Quirk::ReplaceEmpties) => {
                empties |= path != "displayName" && !path.starts_with("members");
            }
            _ => {}
        }
    }
    if empties {
        operations.push(json!({"op": "remove", "path": "members"}));
    }
    (*operations != before).then_some(body)
}

/// Who is taken out is looked for before anything is done, and isn't at the same place any more once another is out.
fn by_index(operations: &mut Vec<Value>, members: &[String]) {
    let named = |operation: &Value| {
        let path = text(operation, "path");
        let id = path.strip_prefix("members[value eq \"").and_then(|rest| rest.strip_suffix("\"]"));
        id.filter(|_| text(operation, "op").eq_ignore_ascii_case("remove")).map(str::to_owned)
    };
    let mut left = members.to_vec();
    let mut rest = Vec::new();
    for operation in operations.drain(..) {
        match named(&operation) {
            Some(id) => {
                let place = members.iter().position(|member| *member == id).filter(|place| *place < left.len());
                place.map(|place| left.remove(place));
            }
            None => rest.push(operation),
        }
    }
    let left: Vec<Value> = left.iter().map(|id| json!({"value": id})).collect();
    if left.len() < members.len() {
        operations.push(json!({"op": "replace", "path": "members", "value": left}));
    }
    operations.extend(rest);
    if operations.is_empty() {
        operations.push(json!({"op": "add", "value": {}}));
    }
}

fn members_of(store: &Store, id: &str) -> Vec<String> {
    let group = store.groups.get(id).ok();
    let members = group.and_then(|group| group.body.get("members")?.as_array());
    let value = |member: &Value| member["value"].as_str().map(str::to_owned);
    members.into_iter().flatten().filter_map(value).collect()
}

fn text(operation: &Value, name: &str) -> String {
    operation[name].as_str().unwrap_or_default().to_owned()
}
