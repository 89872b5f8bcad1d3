//! Groups, with their members as far as they are shown.

use std::collections::HashMap;

use anyhow::Result;
use scim_operator::api::ScimGroupSpec;
use scim_operator::roster::name_of_called;
use scim_operator::scim::{MembersReadable, Resource};
use serde_json::{Map, Value, json};

use super::convert::{Converter, is_within, spec_schema};
use super::pages::{Walk, patiently};
use super::sink::Sink;
use super::{Told, bar};
use crate::server::Server;

/// As many members as an object may name.
const MOST_MEMBERS: usize = 1000;

/// Imports all groups. `users` are the names of the ScimUsers that were made, by their accounts.
pub(super) async fn import(
    server: &Server,
    converter: &Converter,
    users: &HashMap<String, String>,
    sink: &mut Sink,
    told: &mut Told,
) -> Result<()> {
    let mut walk = Walk::groups(server, &converter.profile);
    let schema = spec_schema("ScimGroup");
    let bar = bar();
    loop {
        let page = match walk.next().await {
            Ok(Some(page)) => page,
            Ok(None) => break,
            // A server without groups has users all the same.
            Err(error) if walk.seen() == 0 => {
                told.warnings.push(format!("groups were not read: {error:#}"));
                break;
            }
            Err(error) => return Err(error),
        };
        for group in page {
            bar.inc(1);
            let Some(id) = group.id().map(str::to_owned) else { continue };
            let members = members(server, converter, &id).await?;
            let spec = match spec(converter, &group, members.as_deref(), users) {
                Ok(spec) if is_within(&schema, &Value::Object(spec.clone())) => spec,
                Ok(_) => {
                    told.warnings.push(format!("the group {id} can't be declared; it was left out"));
                    continue;
                }
                Err(why) => {
                    told.warnings.push(why);
                    continue;
                }
            };
            if spec["membership"] == "Additive" {
                let why = match &members {
                    Some(members) => {
                        format!("has {} members, and an object names {MOST_MEMBERS} at most", members.len())
                    }
                    None => "does not show its members".to_owned(),
                };
                told.warnings
                    .push(format!("the group {} {why}: it is Additive, and declares none", spec["displayName"]));
            }
            let called = spec["displayName"].as_str().unwrap_or_default();
            // By its id, so that no other group ever gets this name: groups may share a displayName, and come in any order.
            let name = name_of_called(&converter.connection.name, called, &id);
            sink.group(&name, &converter.manifest("ScimGroup", &name, &id, &spec))?;
            told.groups += 1;
        }
    }
    bar.finish_and_clear();
    told.warnings.extend(walk.warnings("groups"));
    if !converter.profile.list_groups && walk.seen() > 0 {
        told.warnings.push("this server lists one page of groups only; there may be more".to_owned());
    }
    Ok(())
}

/// The ids of the members; none where the server doesn't show them.
async fn members(server: &Server, converter: &Converter, id: &str) -> Result<Option<Vec<String>>> {
    let readable = converter.profile.members_readable;
    if !readable.with_group() {
        return Ok(None);
    }
    let on_request = readable == MembersReadable::OnRequest;
    let ask = async |deadline| server.client.get_group(id, on_request, deadline).await;
    let group = patiently(server, &format!("the group {id}"), ask).await?;
    if !group.members_are_readable() {
        return Ok(None);
    }
    // One that has none may leave the attribute out.
    Ok(Some(group.members().map(|members| members.map(str::to_owned).collect()).unwrap_or_default()))
}

fn spec(
    converter: &Converter,
    group: &Resource,
    members: Option<&[String]>,
    users: &HashMap<String, String>,
) -> Result<Map<String, Value>, String> {
    let name = group.get("displayName").and_then(Value::as_str).filter(|name| !name.is_empty());
    let name = name
        .ok_or_else(|| format!("the group {} has no displayName, and was left out", group.id().unwrap_or_default()))?;
    let mut spec = Map::from_iter([
        ("connectionRef".to_owned(), json!(converter.connection)),
        ("displayName".to_owned(), json!(name)),
    ]);
    if let Some(id) = group.external_id().filter(|_| converter.profile.group_external_id) {
        spec.insert("externalId".into(), json!(id));
    }
    let member = |id: &String| match users.get(id) {
        Some(name) => json!({"userRef": {"name": name}}),
        None => json!({"id": id}),
    };
    match members.filter(|members| members.len() <= MOST_MEMBERS) {
        Some(members) => {
            spec.insert("membership".into(), json!("Exact"));
            spec.insert("members".into(), members.iter().map(member).collect());
        }
        // Exact would take out whoever isn't named.
        None => {
            spec.insert("membership".into(), json!("Additive"));
        }
    }
    if serde_json::from_value::<ScimGroupSpec>(Value::Object(spec.clone())).is_err() {
        return Err(format!("the group {} can't be declared; it was left out", group.id().unwrap_or_default()));
    }
    Ok(spec)
}
