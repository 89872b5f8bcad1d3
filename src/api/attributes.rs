//! The attributes of a User after RFC 7643 §4.1 and §4.3.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Attributes of any other schema, by its URN.
pub type Extensions = BTreeMap<String, BTreeMap<String, serde_json::Value>>;

fn extensions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 10,
        "additionalProperties": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        "x-kubernetes-validations": super::extension_names::rules()
    })
}

/// The attributes of a user that are provisioned as they stand here. `password` and `x509Certificates` are not
/// supported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserAttributes {
    /// The components of the user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// The name to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub display_name: Option<String>,
    /// The casual name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub nick_name: Option<String>,
    /// A page about the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub profile_url: Option<String>,
    /// The job's title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub title: Option<String>,
    /// The relation to the organization, such as Employee or Contractor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub user_type: Option<String>,
    /// The preferred language, such as `en-GB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub preferred_language: Option<String>,
    /// The locale for dates and numbers, such as `en-GB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub locale: Option<String>,
    /// The time zone, such as `Europe/Berlin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub timezone: Option<String>,
    /// E-mail addresses; owned entry by entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20), extend("x-kubernetes-validations" = [{
        "rule": "self.filter(x, has(x.primary) && x.primary).size() <= 1",
        "message": "write primary: true at most once in emails"
    }]))]
    pub emails: Option<Vec<Email>>,
    /// Telephone numbers; owned entry by entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20), extend("x-kubernetes-validations" = [{
        "rule": "self.filter(x, has(x.primary) && x.primary).size() <= 1",
        "message": "write primary: true at most once in phoneNumbers"
    }]))]
    pub phone_numbers: Option<Vec<MultiValued>>,
    /// Instant messaging addresses; owned entry by entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20), extend("x-kubernetes-validations" = [{
        "rule": "self.filter(x, has(x.primary) && x.primary).size() <= 1",
        "message": "write primary: true at most once in ims"
    }]))]
    pub ims: Option<Vec<MultiValued>>,
    /// URLs of photos; owned entry by entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20), extend("x-kubernetes-validations" = [{
        "rule": "self.filter(x, has(x.primary) && x.primary).size() <= 1",
        "message": "write primary: true at most once in photos"
    }]))]
    pub photos: Option<Vec<MultiValued>>,
    /// Postal addresses; owned entry by entry, by their type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20), extend("x-kubernetes-validations" = [{
        "rule": "self.filter(x, has(x.primary) && x.primary).size() <= 1",
        "message": "write primary: true at most once in addresses"
    }]))]
    pub addresses: Option<Vec<Address>>,
    /// Entitlements, by their ids at the server or by the names it shows for them; the list is owned whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), extend("x-kubernetes-validations" = [{
        "rule": "self.filter(x, has(x.primary) && x.primary).size() <= 1",
        "message": "write primary: true at most once in entitlements"
    }]))]
    pub entitlements: Option<Vec<Grant>>,
    /// Roles, by their ids at the server or by the names it shows for them; the list is owned whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), extend("x-kubernetes-validations" = [{
        "rule": "self.filter(x, has(x.primary) && x.primary).size() <= 1",
        "message": "write primary: true at most once in roles"
    }]))]
    pub roles: Option<Vec<Grant>>,
    /// The enterprise extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enterprise: Option<Box<Enterprise>>,
    /// Attributes of other schemas, by the schema's URN, sent as they stand; at most 10 URNs and 16 KiB in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "extensions")]
    pub extensions: Option<Extensions>,
}

/// The components of a name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Name {
    /// The full name, formatted for display.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub formatted: Option<String>,
    /// The family name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub family_name: Option<String>,
    /// The given name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub given_name: Option<String>,
    /// The middle names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub middle_name: Option<String>,
    /// What stands before the name, such as Dr.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub honorific_prefix: Option<String>,
    /// What stands behind the name, such as III.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub honorific_suffix: Option<String>,
}

/// An e-mail address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Email {
    /// The address.
    #[schemars(length(min = 3, max = 320))]
    pub value: String,
    /// What it is for, such as work or home.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub type_: Option<String>,
    /// The one to use first; at most one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<bool>,
    /// The name to show with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub display: Option<String>,
}

/// A value of a multi-valued attribute, RFC 7643 §2.4.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MultiValued {
    /// The value.
    #[schemars(length(min = 1, max = 2048))]
    pub value: String,
    /// What it is for.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub type_: Option<String>,
    /// The one to use first; at most one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<bool>,
    /// The name to show with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub display: Option<String>,
}

/// A role or an entitlement: by its id at the server, or by the name that the server shows for it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.value) || has(self.display)",
    "message": "write value, its id at the server, or display, the name that the server shows for it"
}]))]
pub struct Grant {
    /// Its id at the server, or its name where the server has no ids for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub value: Option<String>,
    /// What it is for.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub type_: Option<String>,
    /// The one to use first; at most one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<bool>,
    /// The name that the server shows for it. Without `value` the id is looked up by this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub display: Option<String>,
}

/// A postal address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    /// What it is for, such as work or home.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub type_: Option<String>,
    /// The whole address, formatted for display.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub formatted: Option<String>,
    /// Street and number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub street_address: Option<String>,
    /// The city.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub locality: Option<String>,
    /// The state or region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub region: Option<String>,
    /// The postal code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub postal_code: Option<String>,
    /// The country, as two letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub country: Option<String>,
    /// The one to use first; at most one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<bool>,
}

/// The enterprise extension, RFC 7643 §4.3.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Enterprise {
    /// The number or letters that the organization gives the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub employee_number: Option<String>,
    /// The cost centre.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub cost_center: Option<String>,
    /// The organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub organization: Option<String>,
    /// The division.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub division: Option<String>,
    /// The department.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub department: Option<String>,
    /// The manager: another ScimUser of this namespace and connection, or an id at the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<ManagerRef>,
}

/// Names a manager; exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.userRef) != has(self.value)",
    "message": "write either manager.userRef or manager.value"
}]))]
pub struct ManagerRef {
    /// The manager's ScimUser; linked as soon as it has an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_ref: Option<UserRef>,
    /// The manager's id at the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub value: Option<String>,
}

/// Names a ScimUser of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
}
