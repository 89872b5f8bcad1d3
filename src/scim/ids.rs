//! Ids that a server writes as JSON numbers, where RFC 7643 §3.1 has strings. They are text from the moment an answer is
//! read, exactly as their digits, and go out again in the form in which the server shows them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::Value;

use super::kind::Kind;
use super::resource::Attributes;
use super::spelling::spell;

const TEXT: u8 = 1;
const NUMBER: u8 = 2;

/// Where ids stand.
#[derive(Clone, Copy)]
enum Place {
    Users,
    Groups,
    Members,
    Manager,
}

/// In which form a server was last seen to show numbers, by the place where they stand. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids(Arc<[AtomicU8; 4]>);

/// The same of one resource, two bits a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Forms(u8);

impl Ids {
    /// Makes text of every id in an answer: a resource, or a list of them. What isn't a whole number stays what it is, and
    /// is no usable id.
    pub(crate) fn read(&self, kind: Kind, body: &mut Attributes) {
        let list = body.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("Resources"));
        if let Some(entries) = list.and_then(|(_, list)| list.as_array_mut()) {
            for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
                self.see(Self::to_text(kind, entry));
            }
        } else {
            self.see(Self::to_text(kind, body));
        }
    }

    /// The same of one resource, whose forms are still to be seen.
    pub(super) fn to_text(kind: Kind, resource: &mut Attributes) -> Forms {
        lift_core(resource);
        spell(resource);
        let mut forms = Forms::default();
        walk(kind, resource, &mut |value, place| {
            if let (Some(form), Some(place)) = (to_text(value), place) {
                let shift = 2 * place as u8;
                forms.0 = forms.0 & !(0b11 << shift) | form << shift;
            }
        });
        forms
    }

    /// A resource of these forms was shown.
    pub(super) fn see(&self, forms: Forms) {
        for (place, known) in self.0.iter().enumerate() {
            let form = forms.0 >> (2 * place) & 0b11;
            if form != 0 {
                known.store(form, Ordering::Relaxed);
            }
        }
    }

    /// The body of a request with its ids in the form that the server shows; none where that is what it has.
    pub(crate) fn written(&self, kind: Kind, body: &Value) -> Option<Value> {
        if self.0.iter().all(|form| form.load(Ordering::Relaxed) != NUMBER) {
            return None;
        }
        let mut body = body.clone();
        let map = body.as_object_mut()?;
        let write = &mut |value: &mut Value, place| self.to_shown_form(value, place);
        match map.get_mut("Operations").and_then(Value::as_array_mut) {
            Some(operations) => operations.iter_mut().for_each(|operation| in_operation(kind, operation, write)),
            None => walk(kind, map, write),
        }
        Some(body)
    }

    fn to_shown_form(&self, value: &mut Value, place: Option<Place>) {
        let Some(place) = place else { return };
        let seen = |place: Place| self.0[place as usize].load(Ordering::Relaxed);
        let form = match (place, seen(place)) {
            // No such reference was shown yet: most refer to accounts.
            (Place::Members | Place::Manager, 0) => seen(Place::Users),
            (_, form) => form,
        };
        if form == NUMBER
            && let Some(id) = value.as_str().and_then(as_number)
        {
            *value = id.into();
        }
    }
}

/// Attributes of the core schema stand in the resource itself (RFC 7643 §3.3). Some servers show them under the schema's URN,
/// as those of an extension are.
fn lift_core(resource: &mut Attributes) {
    const CORE: [&str; 2] =
        ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:core:2.0:Group"];
    let is_core = |name: &String| CORE.iter().any(|core| name.eq_ignore_ascii_case(core));
    let Some(core) =
        resource.iter().find(|(name, value)| is_core(name) && value.is_object()).map(|(name, _)| name.clone())
    else {
        return;
    };
    if let Some(Value::Object(nested)) = resource.remove(&core) {
        for (name, value) in nested {
            if !resource.keys().any(|known| known.eq_ignore_ascii_case(&name)) {
                resource.insert(name, value);
            }
        }
    }
}

/// Makes text of an id that is a number; the form that it had, where it is one in either form.
fn to_text(value: &mut Value) -> Option<u8> {
    match value {
        Value::String(text) => as_number(text).map(|_| TEXT),
        Value::Number(number) => {
            let id = number.as_u64()?;
            *value = Value::String(id.to_string());
            Some(NUMBER)
        }
        _ => None,
    }
}

/// The number whose digits these are, and no others: `053` is none.
fn as_number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse::<u64>().ok().filter(|_| plain)
}

type Visit<'a> = &'a mut dyn FnMut(&mut Value, Option<Place>);

/// Visits every id of a resource.
fn walk(kind: Kind, resource: &mut Attributes, visit: Visit) {
    let named = |name: &str| resource.keys().any(|key| key.eq_ignore_ascii_case(name));
    // What lies beside the collections, as schemas do, says nothing of how accounts are shown.
    let own = match kind {
        Kind::Users => named("userName").then_some(Place::Users),
        Kind::Groups => Some(Place::Groups),
    };
    for (name, value) in resource.iter_mut() {
        if name.eq_ignore_ascii_case("id") {
            visit(value, own);
        } else if name.eq_ignore_ascii_case("externalId") {
            // The client's own word: sent as it is declared.
            visit(value, None);
        } else if matches!(value, Value::Array(_) | Value::Object(_)) || name.eq_ignore_ascii_case("manager") {
            at(&name.to_ascii_lowercase(), value, visit);
        }
    }
}

/// Visits the ids in the attribute of this name, in lower case.
fn at(name: &str, value: &mut Value, visit: Visit) {
    match (name, value) {
        ("members", Value::Array(list)) => list.iter_mut().for_each(|one| visit(held(one), Some(Place::Members))),
        ("groups", Value::Array(list)) => list.iter_mut().for_each(|one| visit(held(one), Some(Place::Groups))),
        ("manager", manager) => visit(held(manager), Some(Place::Manager)),
        (urn, Value::Object(extension)) if urn.starts_with("urn:") => {
            for (_, manager) in extension.iter_mut().filter(|(name, _)| name.eq_ignore_ascii_case("manager")) {
                visit(held(manager), Some(Place::Manager));
            }
        }
        _ => {}
    }
}

/// What a reference holds: its `value`, or itself where it is nothing more.
fn held(reference: &mut Value) -> &mut Value {
    if reference.get("value").is_some() { &mut reference["value"] } else { reference }
}

/// Visits the ids in the value of a PATCH operation; filters in its path keep their text.
fn in_operation(kind: Kind, operation: &mut Value, visit: Visit) {
    let path = operation.get("path").and_then(Value::as_str).map(str::to_ascii_lowercase);
    let Some(value) = operation.get_mut("value") else { return };
    match path.as_deref() {
        Some("members") if !value.is_array() => visit(held(value), Some(Place::Members)),
        Some("members") => at("members", value, visit),
        Some(path) => {
            let name = path.rsplit(':').next().unwrap_or(path);
            if matches!(name, "manager" | "manager.value") {
                at("manager", value, visit);
            } else if path.starts_with("urn:") {
                at(path, value, visit);
            }
        }
        None => {
            if let Value::Object(resource) = value {
                walk(kind, resource, visit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    /// One more than a double can tell from its neighbours.
    const LARGE: u64 = 9_007_199_254_740_993;

    fn read(ids: &Ids, kind: Kind, shown: &str) -> Value {
        let mut body: Attributes = serde_json::from_str(shown).unwrap();
        ids.read(kind, &mut body);
        Value::Object(body)
    }

    #[test]
    fn i11_ids_that_are_numbers_are_their_digits() {
        let ids = Ids::default();
        let shown = format!(
            r#"{{"totalResults": 3, "Resources": [
                {{"id": {LARGE}, "userName": "a", "externalId": 7, "groups": [{{"value": 3}}], "{ENTERPRISE}": {{"manager": {{"value": {}}}}}}},
                {{"id": 1.5, "userName": "b"}}, {{"id": 18446744073709551616, "userName": "c"}}, {{"id": "u", "userName": "d"}}]}}"#,
            u64::MAX
        );
        let list = read(&ids, Kind::Users, &shown);
        let first = &list["Resources"][0];
        assert_eq!(first["id"], LARGE.to_string());
        assert_eq!(first["externalId"], "7");
        assert_eq!(first["groups"][0]["value"], "3");
        assert_eq!(first[ENTERPRISE]["manager"]["value"], u64::MAX.to_string());
        let readable = |index: usize| list["Resources"][index]["id"].is_string();
        assert_eq!([readable(1), readable(2), readable(3)], [false, false, true]);
        assert_eq!(list["totalResults"], 3);
    }

    #[test]
    fn i11_ids_go_out_in_the_form_in_which_they_came() {
        let ids = Ids::default();
        let put =
            json!({"id": "7", "displayName": "team", "members": [{"value": "53"}, {"value": "053"}, {"value": "u-1"}]});
        let patch = json!({"Operations": [
            {"op": "add", "path": "members", "value": [{"value": "53"}]},
            {"op": "remove", "path": "members[value eq \"53\"]"},
        ]});
        let manager = json!({"Operations": [
            {"op": "replace", "path": format!("{ENTERPRISE}:manager.value"), "value": "53"},
            {"op": "replace", "path": format!("{ENTERPRISE}:manager"), "value": {"value": "53"}},
            {"op": "replace", "value": {"externalId": "53", ENTERPRISE: {"manager": {"value": "53"}, "costCenter": "53"}}},
        ]});
        read(&ids, Kind::Users, r#"{"id": "53", "userName": "ada"}"#);
        assert_eq!(ids.written(Kind::Groups, &put), None, "no number was seen");

        read(&ids, Kind::Users, r#"{"id": 53, "userName": "ada"}"#);
        let sent = ids.written(Kind::Groups, &patch).unwrap();
        assert_eq!(sent["Operations"][0]["value"], json!([{"value": 53}]));
        assert_eq!(sent["Operations"][1], patch["Operations"][1]);
        let sent = ids.written(Kind::Users, &manager).unwrap();
        assert_eq!(
            (&sent["Operations"][0]["value"], &sent["Operations"][1]["value"]["value"]),
            (&json!(53), &json!(53))
        );
        let whole = json!({"externalId": "53", ENTERPRISE: {"manager": {"value": 53}, "costCenter": "53"}});
        assert_eq!(sent["Operations"][2]["value"], whole);

        // Only the members are numbers, and it says so.
        read(&ids, Kind::Users, r#"{"id": "53", "userName": "ada"}"#);
        read(&ids, Kind::Groups, r#"{"id": "7", "members": [53]}"#);
        let sent = ids.written(Kind::Groups, &put).unwrap();
        assert_eq!(sent["id"], "7");
        assert_eq!(sent["members"], json!([{"value": 53}, {"value": "053"}, {"value": "u-1"}]));
        read(&ids, Kind::Groups, r#"{"id": 7, "displayName": "team"}"#);
        assert_eq!(ids.written(Kind::Groups, &put).unwrap()["id"], 7);
    }

    #[test]
    fn what_lies_beside_the_collections_tells_nothing_of_them() {
        let ids = Ids::default();
        read(&ids, Kind::Users, r#"{"Resources": [{"id": 1, "name": "User"}]}"#);
        assert_eq!(ids.written(Kind::Groups, &json!({"members": [{"value": "53"}]})), None);
    }
}
