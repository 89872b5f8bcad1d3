//! An operation as a person reads it, and what the server would show after it.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::packed::Packed;
use super::planned::{AttributeChange, PlannedRequest};
use crate::api::OperationType;
use crate::plan::groups::GroupOperation;
use crate::plan::{
    Account, Change, Declared, Differences, Facts, Manager, Operation, Path, Request, View, merged, window_clock,
};
use crate::scim::{Kind, Resource};

/// Ids that no server gave out begin so.
pub const MADE_UP: &str = "dry-run:";

/// What an operation about a user changes, and what the account is like then, as far as it was seen.
#[derive(Clone, Debug)]
pub struct UserChange {
    pub kind: OperationType,
    pub changes: Vec<AttributeChange>,
    pub after: Option<Resource>,
}

/// What a decided operation changes.
pub fn of_user(facts: &Facts, operation: &Operation) -> UserChange {
    let shown = match &facts.account {
        Account::Found { resource, .. } => Some(resource),
        _ => None,
    };
    if let Request::Create(body) = &operation.request {
        let body = Resource(body.clone());
        let changes = operation.attributes.iter().map(|path| change(path, None, path.read(&body)));
        return UserChange { kind: operation.kind, changes: changes.collect(), after: None };
    }
    let declared = declared(facts);
    let mut differences = Differences::new();
    let mut changes = Vec::new();
    let observed = shown.map(|shown| View::of(shown).resource);
    for path in &operation.attributes {
        let old = observed.as_ref().and_then(|resource| path.read(resource));
        if *path == Path::core("active") {
            let new = Value::Bool(operation.kind != OperationType::Deactivate);
            changes.push(change(path, old, Some(&new)));
            continue;
        }
        let new = declared.attributes.get(path);
        changes.push(change(path, old, new));
        differences.insert(path.clone(), new.map_or(Change::Remove, |new| Change::Set(new.clone())));
    }
    let after = observed.map(|observed| {
        let mut after = Resource(merged(&differences, &observed));
        activate(&mut after, operation.kind);
        after
    });
    UserChange { kind: operation.kind, changes, after }
}

/// What it changes, where nothing but the operation itself is known.
pub fn of_bare(operation: &Operation, known: Option<&Resource>) -> UserChange {
    let active = Path::core("active");
    let is_active = operation.attributes.contains(&active);
    let new = Value::Bool(operation.kind != OperationType::Deactivate);
    let old = known.and_then(|known| active.read(known));
    let changes = if is_active { vec![change(&active, old, Some(&new))] } else { Vec::new() };
    let after = known.cloned().map(|mut after| {
        activate(&mut after, operation.kind);
        after
    });
    UserChange { kind: operation.kind, changes, after }
}

fn activate(resource: &mut Resource, kind: OperationType) {
    let active = match kind {
        OperationType::Deactivate => false,
        OperationType::Reactivate => true,
        _ => return,
    };
    resource.0.retain(|name, _| !name.eq_ignore_ascii_case("active"));
    resource.0.insert("active".into(), json!(active));
}

fn declared(facts: &Facts) -> Declared {
    let manager = match &facts.manager {
        Manager::Id(id) => Some(id.as_str()),
        _ => None,
    };
    let (spec, status) = (facts.object.spec, facts.object.status);
    Declared::new(spec, manager, &facts.policy.profile, window_clock(spec, status, facts.now))
}

/// What an operation about a group changes beside its members.
pub fn of_group(operation: &GroupOperation, known: Option<&Resource>) -> Vec<AttributeChange> {
    let named = operation.attributes.iter().filter(|path| path.name() != "members");
    let whole = match &operation.request {
        Request::Create(body) | Request::Put { body, .. } => Resource(body.clone()),
        _ => Resource::default(),
    };
    let new = |path: &Path| match &operation.request {
        Request::Create(_) | Request::Put { .. } => path.read(&whole).cloned(),
        Request::Patch { operations, .. } => {
            let name = path.to_string();
            let sets = operations.iter().find(|operation| operation.path.as_deref() == Some(&name));
            sets.and_then(|operation| operation.value.clone())
        }
        Request::Delete { .. } => None,
    };
    named.map(|path| change(path, known.and_then(|known| path.read(known)), new(path).as_ref())).collect()
}

/// What is a secret by its name is nobody's to read: plans are shown in pull requests.
fn change(path: &Path, old: Option<&Value>, new: Option<&Value>) -> AttributeChange {
    let attribute = path.to_string();
    let hidden = is_secret(&attribute);
    let shown = |value: Option<&Value>| value.map(|value| Packed::from(&without_secrets(value, hidden)));
    AttributeChange { attribute: kept_once(attribute), old: shown(old), new: shown(new) }
}

/// The attributes that most people have: their names are kept once, and not for each of thousands.
const COMMON: [&str; 12] = [
    "userName",
    "externalId",
    "displayName",
    "title",
    "active",
    "name.givenName",
    "name.familyName",
    "name.formatted",
    "emails[type eq \"work\"]",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
];

fn kept_once(attribute: String) -> Cow<'static, str> {
    let common = COMMON.iter().find(|common| **common == attribute);
    common.map_or(Cow::Owned(attribute), |common| Cow::Borrowed(*common))
}

/// Parts of the names of attributes that hold secrets, or certificates, whose values say nothing to a reader.
const SECRETS: [&str; 9] =
    ["password", "passphrase", "passcode", "secret", "token", "apikey", "privatekey", "credential", "certificate"];

/// By the attribute's own name, and not that of its extension.
fn is_secret(attribute: &str) -> bool {
    let name = attribute.rsplit(':').next().unwrap_or_default().to_lowercase().replace(['_', '-'], "");
    SECRETS.iter().any(|secret| name.contains(secret))
}

/// A value with stars in place of what is a secret, at whatever depth.
fn without_secrets(value: &Value, hidden: bool) -> Value {
    match value {
        _ if hidden => json!("***"),
        Value::Array(all) => all.iter().map(|value| without_secrets(value, false)).collect(),
        Value::Object(all) => {
            let shown = all.iter().map(|(name, value)| (name.clone(), without_secrets(value, is_secret(name))));
            Value::Object(shown.collect())
        }
        other => other.clone(),
    }
}

/// A request as it would be sent.
pub fn request(kind: Kind, request: &Request) -> PlannedRequest {
    let collection = kind.path();
    let method = match request {
        Request::Create(_) => "POST",
        Request::Patch { .. } => "PATCH",
        Request::Put { .. } => "PUT",
        Request::Delete { .. } => "DELETE",
    };
    let path = match request.target() {
        Some(id) if id.starts_with(MADE_UP) => format!("/{collection}/{{new}}"),
        Some(id) => format!("/{collection}/{id}"),
        None => format!("/{collection}"),
    };
    PlannedRequest { method: method.into(), path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i23_what_is_a_secret_by_its_name_is_starred() {
        let shown = |path: Path, value: Value| change(&path, Some(&value), Some(&value)).new.expect("a value").value();
        let extension = "urn:example:params:scim:schemas:extension:tokens:2.0:User";
        let stars = json!("***");
        for name in ["apiToken", "api_key", "clientSecret", "userPassword", "privateKey", "smimeCertificate"] {
            assert_eq!(shown(Path::extension(extension, name), json!("hunter22")), stars, "{name}");
        }
        assert_eq!(shown(Path::core("x509Certificates"), json!([{"value": "MIIB"}])), stars);
        assert_eq!(shown(Path::core("title"), json!("Engineer")), json!("Engineer"));
        assert_eq!(shown(Path::extension(extension, "site"), json!("London")), json!("London"), "its URN is no secret");
        let nested = json!([{"name": "ci", "access_token": "hunter22"}]);
        let deep = shown(Path::extension(extension, "machines"), nested);
        assert_eq!(deep, json!([{"name": "ci", "access_token": "***"}]));
    }
}
