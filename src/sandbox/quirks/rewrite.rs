//! What a quirk makes of a body before it is kept.

use serde_json::Value;

use super::Quirk;
use crate::sandbox::schema::Object;

/// An operation as it is kept; false where nothing is.
pub(super) fn keeps(quirk: Quirk, operation: &mut Value) -> bool {
    let path = operation["path"].as_str().map(str::to_owned);
    let Some(path) = path else {
        if let Some(values) = operation["value"].as_object_mut() {
            rewrite(quirk, values, false);
        }
        return true;
    };
    let stem = path.split(['[', '.']).next().unwrap_or_default().to_owned();
    if quirk == Quirk::DropsNames && matches!(stem.as_str(), "name" | "displayName") {
        return false;
    }
    let mut one = Object::from_iter([(stem.clone(), operation["value"].clone())]);
    rewrite(quirk, &mut one, false);
    match one.remove(&stem) {
        Some(value) => operation["value"] = value,
        None => return false,
    }
    true
}

pub(super) fn rewrite(quirk: Quirk, body: &mut Object, new: bool) {
    match quirk {
        Quirk::Invites if new => {
            body.insert("active".into(), false.into());
        }
        Quirk::Invites if body.get("active") == Some(&Value::Bool(true)) => {
            body.remove("active");
        }
        Quirk::LowersNames => {
            if let Some(name) = body.get("userName").and_then(Value::as_str).map(str::to_lowercase) {
                body.insert("userName".into(), name.into());
            }
        }
        Quirk::DigitsOnly => entries(body, "phoneNumbers", |entry| {
            let digits: String =
                entry["value"].as_str().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
            entry["value"] = digits.into();
        }),
        Quirk::DropsNames => {
            body.remove("name");
            body.remove("displayName");
        }
        Quirk::DropsTypes => {
            for list in ["emails", "phoneNumbers", "addresses"] {
                entries(body, list, |entry| {
                    entry.as_object_mut().map(|entry| entry.remove("type"));
                });
            }
        }
        _ => {}
    }
}

fn entries(body: &mut Object, list: &str, change: impl Fn(&mut Value)) {
    body.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten().for_each(change);
}
