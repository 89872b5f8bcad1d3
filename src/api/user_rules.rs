//! Rules of a ScimUser that span several fields, as CEL. The API server applies them.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// Attributes that are declared, sent at creation, or cleared as a whole.
const WHOLE: [&str; 15] = [
    "displayName",
    "nickName",
    "profileUrl",
    "title",
    "userType",
    "preferredLanguage",
    "locale",
    "timezone",
    "emails",
    "phoneNumbers",
    "ims",
    "photos",
    "addresses",
    "entitlements",
    "roles",
];
const NAME: [&str; 6] = ["formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix"];
const ENTERPRISE: [&str; 6] = ["employeeNumber", "costCenter", "organization", "division", "department", "manager"];
const ENTERPRISE_URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The rules of a spec.
pub(super) fn of_spec() -> Value {
    json!([
        {
            "rule": "self.connectionRef == oldSelf.connectionRef",
            "message": "connectionRef can't be changed: create a second object that refers to the other connection, and delete this one"
        },
        {
            "rule": format!("!has(self.clear) || !({} || (has(self.externalId) && 'externalId' in self.clear))", cleared("self")),
            "message": "an attribute can't be declared in spec and named in clear: take it out of one of them"
        },
        {
            "rule": format!("!has(self.clear) || !has(self.onCreate) || !({})", cleared("self.onCreate")),
            "message": "an attribute can't stand in onCreate and be named in clear: take it out of one of them"
        },
        {
            "rule": format!("!has(self.onCreate) || !({})", on_create_too()),
            "message": "an attribute can't be enforced by spec and sent by onCreate: take it out of one of them"
        },
        {
            "rule": "!has(self.onCreate) || !has(self.onCreate.enterprise) || !has(self.onCreate.enterprise.manager) || !has(self.onCreate.enterprise.manager.userRef)",
            "message": "onCreate can't follow a userRef: write enterprise.manager in spec, or manager.value in onCreate"
        }
    ])
}

/// Something that `holder` declares is named in clear.
fn cleared(holder: &str) -> String {
    let whole = WHOLE.iter().map(|name| format!("(has({holder}.{name}) && '{name}' in self.clear)"));
    let group = |group: &str, also: &str, prefix: &str, members: &[&str]| {
        let members: Vec<_> = members
            .iter()
            .map(|member| format!("(has({holder}.{group}.{member}) && '{prefix}{member}' in self.clear)"))
            .collect();
        format!("(has({holder}.{group}) && ({also}{}))", members.join(" || "))
    };
    whole
        .chain([
            group("name", "'name' in self.clear || ", "name.", &NAME),
            group("enterprise", "", &format!("{ENTERPRISE_URN}:"), &ENTERPRISE),
        ])
        .collect::<Vec<_>>()
        .join(" || ")
}

/// Something stands in the spec and in its `onCreate`.
fn on_create_too() -> String {
    let both = |path: &str| format!("(has(self.{path}) && has(self.onCreate.{path}))");
    let group = |group: &str, members: &[&str]| {
        let members: Vec<_> = members.iter().map(|member| both(&format!("{group}.{member}"))).collect();
        format!("({} && ({}))", both(group), members.join(" || "))
    };
    WHOLE
        .iter()
        .map(|name| both(name))
        .chain([group("name", &NAME), group("enterprise", &ENTERPRISE)])
        .collect::<Vec<_>>()
        .join(" || ")
}

/// What may stand in `clear`: paths in the notation of RFC 7644 §3.10, of attributes that can be absent.
pub(super) fn clear(_: &mut SchemaGenerator) -> Schema {
    let lists = "emails|phoneNumbers|ims|photos|addresses";
    let pattern = format!(
        "^({}|externalId|name([.]({}))?|({lists})[[]type eq \"[^\"\\]]+\"[]]|urn:[!-~]+:[A-Za-z][A-Za-z0-9_$-]*([.][A-Za-z][A-Za-z0-9_$-]*)?)$",
        WHOLE.join("|"),
        NAME.join("|"),
    );
    json_schema!({
        "type": "array",
        "maxItems": 30,
        "items": {"type": "string", "minLength": 1, "maxLength": 256, "pattern": pattern},
        "x-kubernetes-validations": super::extension_names::rule_of_clear(ENTERPRISE_URN)
    })
}

/// An instant as RFC 3339 writes it. The format alone lets through what has no offset.
pub(super) fn instant(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "format": "date-time",
        "maxLength": 40,
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$",
        "x-kubernetes-validations": [{
            "rule": "timestamp(self) < timestamp('9999-01-01T00:00:00Z')",
            "message": "write an instant before the year 9999, or leave it out where there is no limit"
        }]
    })
}

/// The ledger of memberships: the group's id, and the account's.
pub(super) fn groups(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 2000,
        "additionalProperties": {"type": "string", "maxLength": 512}
    })
}
