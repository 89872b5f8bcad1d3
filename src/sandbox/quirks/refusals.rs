//! Requests that a quirk refuses.

use axum::http::Method;
use serde_json::Value;

use super::Quirk;
use super::groups::{empties, is_named_alike, lacks_refs};
use super::parts::{
    deleted_user, email_entries, emails, filtered_by, has_email, is_there, makes_user, members, missing, operations,
    too_many, touched, unknown,
};
use crate::sandbox::asked::Asked;
use crate::sandbox::error::Fail;
use crate::sandbox::store::Store;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Refuses a request before anything is done.
pub(super) fn refusal(quirk: Quirk, asked: &Asked<'_>, store: &Store) -> Option<Fail> {
    let patch = asked.method == Method::PATCH;
    let status = |holds: bool, status: u16, detail: &str| holds.then(|| Fail::new(status, detail));
    let bad = |holds: bool, kind: &'static str, detail: &str| holds.then(|| Fail::bad(kind, detail));
    match quirk {
        Quirk::NoPatch => status(patch, 405, "Method not allowed"),
        Quirk::Patch501 => status(patch, 501, "Not implemented"),
        Quirk::NoPatchRoute => status(patch, 404, &format!("Cannot PATCH {}", asked.path)),
        Quirk::NoPut => status(asked.method == Method::PUT, 405, "Method not allowed"),
        Quirk::Breaks => status(asked.writes() && asked.text().contains("broken"), 500, "an unexpected error"),
        Quirk::PathlessPatch422 => status(patches_more_than_active(asked), 422, "only active can be patched"),
        Quirk::PathlessPatch500 => status(patches_more_than_active(asked), 500, "an unexpected error"),
        Quirk::PatchesActiveAlone => {
            let more = touched(asked).iter().any(|name| name != "active");
            bad(patch && asked.path.starts_with("/Users") && more, "invalidValue", "only active can be patched")
        }
        Quirk::NoFilteredPaths => {
            let filtered = |operation: &Value| operation["path"].as_str().is_some_and(|path| path.contains('['));
            bad(patch && operations(asked).iter().any(filtered), "noTarget", "the path matches nothing")
        }
        Quirk::NoExtensionPaths => {
            let by_urn = |operation: &Value| operation["path"].as_str().is_some_and(|path| path.starts_with("urn:"));
            bad(patch && operations(asked).iter().any(by_urn), "noTarget", "the attribute is not recognized")
        }
        Quirk::NoMemberPaths => status(has_member_paths(asked), 501, "Not implemented"),
        Quirk::MemberPaths500 => status(has_member_paths(asked), 500, "an unexpected error"),
        Quirk::RefusesReadOnly => {
            let body = asked.object().ok().filter(|_| asked.method == Method::PUT).unwrap_or_default();
            let own = ["id", "groups", "meta"].into_iter().find(|name| body.contains_key(*name));
            own.and_then(|name| bad(true, "mutability", &format!("Attribute {name} is read-only")))
        }
        Quirk::RefusesInactive => {
            let says = asked.writes() && asked.path.starts_with("/Users") && says_inactive(asked);
            bad(says, "invalidValue", "setting active to false is not supported")
        }
        Quirk::DeletesWantBodies => status(
            asked.method == Method::DELETE && asked.body.is_empty(),
            415,
            "Unsupported media type: a body is expected",
        ),
        Quirk::OneOperation => bad(operations(asked).len() > 1, "invalidSyntax", "one operation at a time"),
        Quirk::ActiveAlone => {
            let names = touched(asked);
            bad(names.len() > 1 && names.contains("active"), "invalidValue", "active can't be changed with others")
        }
        Quirk::RefusesPhones => {
            bad(touched(asked).contains("phonenumbers"), "invalidValue", "phoneNumbers: not a valid number")
        }
        Quirk::RefusesTypes => {
            let typed = email_entries(asked).iter().any(|entry| entry.get("type").is_some());
            bad(typed || email_paths_with_type(asked), "invalidValue", "emails: unknown field type")
        }
        Quirk::RefusesManagers => {
            let managed = asked.writes() && asked.text().contains("manager");
            status(managed && asked.text().contains(ENTERPRISE), 400, "manager: no such user")
        }
        Quirk::UniqueEmails => {
            let taken = emails(asked).into_iter().find(|email| has_email(store, asked, email));
            taken.map(|email| Fail::new(409, format!("the e-mail {email} is in use")))
        }
        Quirk::NoDeletes => status(deleted_user(asked).is_some(), 405, "Method not allowed"),
        Quirk::DeletesMembers500 => {
            let held = deleted_user(asked).is_some_and(|id| store.memberships(id).is_some());
            status(held, 500, "the user is still referred to")
        }
        Quirk::Duplicates500 => status(is_there(asked, store).is_some(), 500, "unknown_error"),
        Quirk::ActiveAtCreation500 => {
            let said = makes_user(asked) && touched(asked).contains("active");
            status(said, 500, "Write to \"urn:ietf:params:scim:schemas:core:2.0:User:active\" is not supported")
        }
        Quirk::TwoSeats => {
            let taken =
                store.users.rows.values().filter(|record| record.body.get("active") != Some(&Value::Bool(false)));
            status(makes_user(asked) && taken.count() >= 2, 403, "No seats left in your plan")
        }
        Quirk::NeedsMemberRefs => bad(lacks_refs(asked), "invalidValue", "Field 'ref' is required but missing"),
        Quirk::HidesCreated => {
            let id = asked.path.trim_matches('/').strip_prefix("Users/")?;
            let made = store.users.get(id).is_ok_and(|user| user.history.created > 0);
            made.then(|| Fail::missing(id))
        }
        Quirk::FewOperations => status(too_many(asked), 413, "too many operations"),
        Quirk::ScimJson415 => status(asked.body_is_scim_json(), 415, "Unsupported media type"),
        Quirk::ScimJsonUnread => status(asked.body_is_scim_json(), 400, &missing(asked)),
        Quirk::ScimJsonUnread500 => status(asked.body_is_scim_json(), 500, &missing(asked)),
        Quirk::AcceptsJsonOnly => status(asked.header("accept") != "application/json", 406, "Not acceptable"),
        others => refused_group(others, asked, store).or_else(|| refused_read(others, asked)),
    }
}

/// What is refused about groups alone.
fn refused_group(quirk: Quirk, asked: &Asked<'_>, store: &Store) -> Option<Fail> {
    let patch = asked.method == Method::PATCH;
    let status = |holds: bool, status: u16, detail: &str| holds.then(|| Fail::new(status, detail));
    let bad = |holds: bool, kind: &'static str, detail: &str| holds.then(|| Fail::bad(kind, detail));
    match quirk {
        Quirk::RefusesInactiveMembers => {
            let inactive = |id: &String| {
                store.users.get(id).is_ok_and(|user| user.body.get("active") == Some(&Value::Bool(false)))
            };
            let here = members_here(asked, store);
            let put_in = members(asked).into_iter().find(|id| inactive(id) && !here.contains(id));
            let told = |id: String| Fail::bad("invalidValue", format!("{id} is not active"));
            put_in.filter(|_| asked.path.starts_with("/Groups")).map(told)
        }
        Quirk::MembersAgain409 => {
            let here = if patch { members_here(asked, store) } else { Vec::new() };
            let again = members(asked).into_iter().find(|id| here.contains(id));
            again.map(|id| Fail::new(409, format!("{id} is already a member of this group")))
        }
        Quirk::StrangersOut404 if patch && asked.path.starts_with("/Groups") => {
            let here = members_here(asked, store);
            let stranger = taken_out(asked).into_iter().find(|id| !here.contains(id));
            stranger.and_then(|id| status(true, 404, &format!("{id} is not a member of this group")))
        }
        Quirk::PathlessGroupRenames => {
            let named = |operation: &Value| operation["path"] == "displayName";
            let renames = asked.path.starts_with("/Groups") && operations(asked).iter().any(named);
            bad(patch && renames, "invalidPath", "displayName can't be changed by a path")
        }
        Quirk::NoGroupRenames => {
            let renames = asked.path.starts_with("/Groups") && touched(asked).contains("displayname");
            status(patch && renames, 501, "Not implemented")
        }
        Quirk::UniqueGroupNames => status(is_named_alike(asked, store), 409, "a group of this name exists already"),
        Quirk::NoEmptyGroups => bad(empties(asked, store), "invalidValue", "Field 'members' is required"),
        Quirk::UnknownMember => unknown(asked, store).map(|id| Fail::missing(&id)),
        Quirk::UnknownMember400 => {
            let named = members(asked).join(", ");
            status(unknown(asked, store).is_some(), 400, &format!("invalid parameters provided in request: {named}"))
        }
        Quirk::UnknownMember500 => status(unknown(asked, store).is_some(), 500, "an unexpected error"),
        _ => None,
    }
}

/// A user is to be inactive.
fn says_inactive(asked: &Asked<'_>) -> bool {
    let off = |value: &Value| *value == Value::Bool(false);
    let patched = operations(asked).iter().any(|operation| {
        let value = &operation["value"];
        (operation["path"] == "active" && off(value)) || value.get("active").is_some_and(off)
    });
    patched || asked.object().is_ok_and(|body| body.get("active").is_some_and(off))
}

fn has_member_paths(asked: &Asked<'_>) -> bool {
    operations(asked)
        .iter()
        .any(|operation| operation["path"].as_str().is_some_and(|path| path.starts_with("members[")))
}

fn email_paths_with_type(asked: &Asked<'_>) -> bool {
    operations(asked)
        .iter()
        .any(|operation| operation["path"].as_str().is_some_and(|path| path.starts_with("emails[type")))
}

/// Who is in the group that a request is about.
fn members_here(asked: &Asked<'_>, store: &Store) -> Vec<String> {
    let id = asked.path.strip_prefix("/Groups").unwrap_or_default().trim_matches('/');
    let group = store.groups.get(id).ok();
    let members = group.and_then(|group| group.body.get("members")?.as_array()).into_iter().flatten();
    members.filter_map(|member| member["value"].as_str().map(str::to_owned)).collect()
}

/// Whom a PATCH takes out, each by a path with a filter.
fn taken_out(asked: &Asked<'_>) -> Vec<String> {
    let named = |operation: &Value| {
        let path = operation["path"].as_str()?.strip_prefix("members[value eq \"")?;
        Some(path.strip_suffix("\"]")?.to_owned())
    };
    operations(asked).iter().filter(|operation| operation["op"] == "remove").filter_map(named).collect()
}

/// A PATCH of a user that isn't `{"op": "replace", "value": {"active": …}}`.
fn patches_more_than_active(asked: &Asked<'_>) -> bool {
    let alone = |operation: &Value| {
        let value = operation["value"].as_object();
        operation.get("path").is_none() && value.is_some_and(|value| value.len() == 1 && value.contains_key("active"))
    };
    asked.method == Method::PATCH && asked.path.starts_with("/Users") && !operations(asked).iter().all(alone)
}

/// What is refused of reads of lists.
fn refused_read(quirk: Quirk, asked: &Asked<'_>) -> Option<Fail> {
    let query = asked.decoded_query();
    let list = asked.method == Method::GET && matches!(asked.path.trim_matches('/'), "Users" | "Groups");
    let value = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let (filter, paged) = (value("filter"), value("startIndex").is_some() || value("count").is_some());
    let groups = list && asked.path.trim_matches('/') == "Groups";
    let by_external_id = list && filtered_by(asked).is_some_and(|name| name == "externalId");
    let number = |name: &str| value(name).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    let special = |filter: &str| filter.contains('\\') || !filter.is_ascii();
    match quirk {
        Quirk::RefusesFilters if filter.is_some() => Some(Fail::filter("filters are not supported")),
        Quirk::Filters500 if filter.is_some() => Some(Fail::new(500, "an unexpected error")),
        Quirk::RefusesSpecialLetters if filter.is_some_and(special) => Some(Fail::filter("the filter can't be read")),
        Quirk::RefusesPaging if list && paged => Some(Fail::new(400, "unknown parameter startIndex or count")),
        Quirk::Paging500 if list && paged => Some(Fail::new(500, "an unexpected error")),
        Quirk::SecondPage500 if list && number("startIndex") > 1 => Some(Fail::new(500, "an unexpected error")),
        Quirk::SmallPages if list && number("count") > 10 => Some(Fail::new(400, "count must be 10 at most")),
        Quirk::RefusesExternalIdFilters if by_external_id => {
            Some(Fail::filter("filter by externalId is not supported"))
        }
        Quirk::ExternalIdFilters500 if by_external_id => Some(Fail::new(500, "an unexpected error")),
        Quirk::GroupList500 if groups && filter.is_none() => Some(Fail::new(500, "an unexpected error")),
        Quirk::NeedsFilter if list && filter.is_none() => Some(Fail::bad("tooMany", "a filter is required")),
        _ => None,
    }
}
