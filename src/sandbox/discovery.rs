//! What the sandbox says about itself: RFC 7643 §5 to §7.

use serde_json::{Value, json};

use super::dialect::Dialect;
use super::schema::{Attribute, ResourceType, Schema, group, user};

const SPC: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
const TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// The service provider's configuration.
pub(super) fn service_provider_config(dialect: &Dialect, base: &str) -> Value {
    let mut config = json!({
        "schemas": [SPC],
        "patch": {"supported": true},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": dialect.max_page},
        "changePassword": {"supported": false},
        "sort": {"supported": dialect.sort},
        "etag": {"supported": dialect.etag},
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "The token given on the command line",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{base}/ServiceProviderConfig"),
        },
    });
    if dialect.cursor {
        config["pagination"] = json!({
            "cursor": true,
            "index": true,
            "defaultPaginationMethod": "index",
            "defaultPageSize": dialect.default_page,
            "maxPageSize": dialect.max_page,
            "cursorTimeout": 3600,
        });
    }
    config
}

/// The resource types.
pub(super) fn resource_types(base: &str) -> Vec<Value> {
    [user(), group()]
        .map(|kind: &ResourceType| {
            let mut one = json!({
                "schemas": [TYPE],
                "id": kind.name,
                "name": kind.name,
                "description": format!("{} resources", kind.name),
                "endpoint": format!("/{}", kind.endpoint),
                "schema": kind.schema.urn,
                "meta": {
                    "resourceType": "ResourceType",
                    "location": format!("{base}/ResourceTypes/{}", kind.name),
                },
            });
            let extensions = kind.extensions.iter();
            let extensions: Vec<Value> =
                extensions.map(|schema| json!({"schema": schema.urn, "required": false})).collect();
            if !extensions.is_empty() {
                one["schemaExtensions"] = extensions.into();
            }
            one
        })
        .into()
}

/// The schemas, without what the dialect drops.
pub(super) fn schemas(dialect: &Dialect, base: &str) -> Vec<Value> {
    let keeps = |name: &str| !dialect.dropped.contains(&name);
    [user(), group()]
        .into_iter()
        .flat_map(|kind| std::iter::once(&kind.schema).chain(&kind.extensions))
        .filter(|schema| keeps(schema.urn))
        .map(|schema| describe(schema, base, schema.attributes.iter().filter(|attr| keeps(attr.name))))
        .collect()
}

fn describe<'a>(schema: &Schema, base: &str, attributes: impl Iterator<Item = &'a Attribute>) -> Value {
    json!({
        "schemas": [SCHEMA],
        "id": schema.urn,
        "name": schema.name,
        "description": format!("{}, RFC 7643", schema.name),
        "attributes": attributes.map(attribute).collect::<Vec<_>>(),
        "meta": {
            "resourceType": "Schema",
            "location": format!("{base}/Schemas/{}", schema.urn),
        },
    })
}

fn attribute(attr: &Attribute) -> Value {
    let mut one = json!({
        "name": attr.name,
        "type": attr.kind_name,
        "multiValued": attr.multi,
        "description": format!("The {} of RFC 7643", attr.name),
        "required": attr.required,
        "caseExact": attr.case_exact,
        "mutability": attr.mutability,
        "returned": attr.returned,
        "uniqueness": attr.uniqueness,
    });
    if !attr.canonical.is_empty() {
        one["canonicalValues"] = json!(attr.canonical);
    }
    if !attr.references.is_empty() {
        one["referenceTypes"] = json!(attr.references);
    }
    if !attr.subs.is_empty() {
        one["subAttributes"] = attr.subs.iter().map(attribute).collect();
    }
    one
}
