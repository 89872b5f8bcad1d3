//! Answers in other forms than the RFCs have.

use serde_json::{Value, json};

use super::super::reply::Reply;
use super::{Quirk, Quirks};

/// What stands before or instead of the JSON of an answer.
#[derive(Debug, Default)]
pub(in super::super) struct Shape {
    /// A byte order mark.
    pub bom: bool,
    /// One line of text.
    pub text: Option<String>,
}

/// Changes an answer, and says what is to be written otherwise than as JSON.
pub(super) fn shape(quirks: &Quirks, reply: &mut Reply) -> Shape {
    let shape = formed(quirks, reply);
    if let Some(body) = reply.body.as_mut().filter(|_| quirks.contains(&Quirk::PascalCase)) {
        capitalize(body);
    }
    shape
}

fn formed(quirks: &Quirks, reply: &mut Reply) -> Shape {
    let mut shape = Shape { bom: quirks.contains(&Quirk::Bom), text: None };
    if reply.status == 400 && quirks.contains(&Quirk::Errors412) {
        reply.status = 412;
        if let Some(body) = &mut reply.body {
            body["status"] = "412".into();
        }
    }
    if reply.status >= 400 {
        let detail = reply.body.as_ref().and_then(|body| body["detail"].as_str()).unwrap_or("no").to_owned();
        let forms = [
            Quirk::ErrorsAsMessage,
            Quirk::ErrorsNested,
            Quirk::ErrorsAsProblem,
            Quirk::ErrorsMute,
            Quirk::ErrorsAsText,
        ];
        match forms.into_iter().find(|form| quirks.contains(form)) {
            Some(Quirk::ErrorsAsMessage) => reply.body = Some(json!({"message": detail})),
            Some(Quirk::ErrorsNested) => reply.body = Some(json!({"error": {"code": reply.status, "message": detail}})),
            Some(Quirk::ErrorsAsProblem) => {
                reply.body =
                    Some(json!({"title": "Bad Request", "status": reply.status, "errors": {"request": [detail]}}));
            }
            Some(Quirk::ErrorsMute) => reply.body = None,
            Some(_) => shape.text = Some(detail),
            // As frameworks do that know no such route.
            None if detail.starts_with("Cannot PATCH") => shape.text = Some(detail),
            None => {}
        }
        // A line of text has no status in it.
        let told = shape.text.is_none() && quirks.contains(&Quirk::Errors200);
        if told && reply.body.as_ref().is_some_and(|body| body["schemas"].is_array()) {
            reply.status = 200;
        }
        return shape;
    }
    if let Some(body) = &mut reply.body {
        if quirks.contains(&Quirk::CoreNested) {
            nest(body);
        }
        if quirks.contains(&Quirk::LowerCaseLists) {
            in_lower_case(body);
        }
        if quirks.contains(&Quirk::OneDate) {
            dated(body, &["created"], &|_| "2015-06-01T08:00:00Z".into());
        }
        if quirks.contains(&Quirk::ZeroDates) {
            dated(body, &TIMES, &|_| "0001-01-01T00:00:00Z".into());
        }
        if quirks.contains(&Quirk::TimesWithoutZone) {
            dated(body, &TIMES, &|time| time.trim_end_matches('Z').to_owned());
        }
    }
    shape
}

/// Begins the name of every attribute with a capital letter; a URN is no name.
fn capitalize(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(capitalize),
        Value::Object(map) => {
            for (mut name, mut value) in std::mem::take(map) {
                capitalize(&mut value);
                if !name.starts_with("urn:") {
                    name[..1].make_ascii_uppercase();
                }
                map.insert(name, value);
            }
        }
        _ => {}
    }
}

/// Puts what is of the core schema under its URN, in a resource or a list of them.
fn nest(body: &mut Value) {
    if let Some(list) = body.get_mut("Resources").and_then(Value::as_array_mut) {
        return list.iter_mut().for_each(nest);
    }
    let schemas = body["schemas"].as_array().cloned().unwrap_or_default();
    let core =
        schemas.iter().filter_map(Value::as_str).find(|urn| urn.starts_with("urn:ietf:params:scim:schemas:core:"));
    let (Some(core), Some(map)) = (core, body.as_object_mut()) else { return };
    let own = |name: &str| matches!(name, "schemas" | "id" | "externalId" | "meta") || name.starts_with("urn:");
    let (kept, nested) = std::mem::take(map).into_iter().partition(|(name, _)| own(name));
    *map = kept;
    map.insert(core.to_owned(), Value::Object(nested));
}

fn in_lower_case(list: &mut Value) {
    let Some(map) = list.as_object_mut() else { return };
    if let Some(resources) = map.remove("Resources") {
        let total = map.remove("totalResults").unwrap_or_default();
        map.insert("resources".into(), resources);
        map.insert("totalResults".into(), total.to_string().into());
    }
}

const TIMES: [&str; 2] = ["created", "lastModified"];

/// Changes these times of a resource, or of those in a list.
fn dated(value: &mut Value, names: &[&str], change: &impl Fn(&str) -> String) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(|one| dated(one, names, change)),
        Value::Object(map) => {
            if let Some(meta) = map.get_mut("meta") {
                for name in names {
                    if let Some(time) = meta[*name].as_str().map(change) {
                        meta[*name] = time.into();
                    }
                }
            }
            map.iter_mut().filter(|(_, value)| value.is_array()).for_each(|(_, list)| dated(list, names, change));
        }
        _ => {}
    }
}
