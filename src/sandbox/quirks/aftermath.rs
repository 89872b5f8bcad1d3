//! What becomes of a write once it is answered.

use axum::http::Method;
use serde_json::Value;

use super::{Quirk, Quirks};
use crate::sandbox::asked::Asked;
use crate::sandbox::reply::Reply;
use crate::sandbox::schema::Object;
use crate::sandbox::store::{Actor, Collection, Store};

/// The user or group that is about to be changed, as they are, where it matters.
pub(in super::super) fn seen_before(quirks: &Quirks, asked: &Asked<'_>, store: &Store) -> Option<(String, Object)> {
    let changes = matches!(asked.method, Method::PATCH | Method::PUT);
    let group = asked.path.trim_matches('/').strip_prefix("Groups/").filter(|_| changes);
    if let Some(id) = group.filter(|_| quirks.contains(&Quirk::AnswersBefore)) {
        return store.groups.get(id).ok().map(|record| (id.to_owned(), record.body.clone()));
    }
    let matters =
        [Quirk::PretendsPatches, Quirk::RemovesInactive, Quirk::DeactivationLeavesGroups, Quirk::AnswersBefore];
    let matters = matters.iter().any(|quirk| quirks.contains(quirk));
    let id = asked.path.trim_matches('/').strip_prefix("Users/").filter(|_| matters && changes)?;
    store.users.get(id).ok().map(|record| (id.to_owned(), record.body.clone()))
}

/// The change is answered.
pub(in super::super) fn comes_of(
    quirks: &Quirks,
    asked: &Asked<'_>,
    before: Option<(String, Object)>,
    store: &mut Store,
    reply: &mut Reply,
) {
    let Some((id, before)) = before else { return };
    if quirks.contains(&Quirk::AnswersBefore) && reply.body.as_ref().is_some_and(Value::is_object) {
        reply.body = Some(Value::Object(before.clone()));
    }
    if !asked.path.trim_matches('/').starts_with("Users/") {
        return;
    }
    if quirks.contains(&Quirk::PretendsPatches) && asked.method == Method::PATCH {
        let back = store.update(Collection::Users, &id, Actor::Hand, |body| {
            *body = before;
            Ok(())
        });
        drop(back);
        return;
    }
    let inactive = |body: &Object| body.get("active") == Some(&Value::Bool(false));
    let now = store.users.get(&id).is_ok_and(|record| inactive(&record.body));
    if quirks.contains(&Quirk::DeactivationLeavesGroups) && now && !inactive(&before) {
        // They are there.
        let _ = store.leave_groups(&id);
    }
    if quirks.contains(&Quirk::RemovesInactive) && now && !inactive(&before) {
        // It is there: it was just looked at.
        let _ = store.delete(Collection::Users, &id, Actor::Client);
    }
}
