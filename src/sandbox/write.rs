//! What clients write, as far as the dialect keeps it.

use serde_json::Value;

use super::asked::Asked;
use super::dialect::{Dialect, GroupPatch, Numbers};
use super::error::{Fail, Outcome};
use super::numbers;
use super::patch;
use super::schema::Object;
use super::store::{Actor, Collection, Store};

/// Reads a whole resource and leaves out what the dialect does not keep.
pub(super) fn read(asked: &Asked<'_>, which: Collection, dialect: &Dialect) -> Outcome<Object> {
    let mut object = asked.object()?;
    if dialect.numbers != Numbers::None {
        let mut body = Value::Object(object);
        numbers::taken(&mut body, dialect.numbers)?;
        object = body.as_object().cloned().unwrap_or_default();
    }
    let kind = which.kind();
    if dialect.strict_schemas {
        let schemas = object.iter().find(|(key, _)| key.eq_ignore_ascii_case("schemas"));
        let urns = schemas.and_then(|(_, value)| value.as_array()).into_iter().flatten();
        if !urns.filter_map(Value::as_str).any(|urn| urn.eq_ignore_ascii_case(kind.schema.urn)) {
            let why = format!("schemas must name {}", kind.schema.urn);
            return Err(Fail::value(why));
        }
    }
    let mut body = kind.fit(object)?;
    limit(&mut body, which, dialect)?;
    Ok(body)
}

/// What a dialect keeps of a resource.
fn limit(body: &mut Object, which: Collection, dialect: &Dialect) -> Outcome<()> {
    if which == Collection::Groups {
        return Ok(());
    }
    body.retain(|key, _| !dialect.dropped.contains(&key.as_str()));
    if !dialect.external_id {
        body.remove("externalId");
    }
    for name in dialect.single {
        if body.get(*name).and_then(Value::as_array).is_some_and(|list| list.len() > 1) {
            return Err(Fail::value(format!("{name}: one value at most")));
        }
    }
    if dialect.untyped {
        for entry in body.values_mut().filter_map(Value::as_array_mut).flatten().filter_map(Value::as_object_mut) {
            entry.remove("type");
        }
    }
    if dialect.work_mail_only
        && let Some(Value::Array(mails)) = body.get_mut("emails")
    {
        mails.retain(|mail| mail.get("type").is_none_or(|kind| kind == "work"));
    }
    if dialect.work_mail_only
        && let Some(Value::Object(name)) = body.get_mut("name")
    {
        name.retain(|key, _| key == "formatted");
    }
    Ok(())
}

/// Replaces a resource.
pub(super) fn put(store: &mut Store, dialect: &Dialect, which: Collection, id: &str, asked: &Asked<'_>) -> Outcome<()> {
    if which == Collection::Groups && !dialect.put_group {
        return Err(Fail::new(501, "PUT on groups is not supported"));
    }
    let mut new = read(asked, which, dialect)?;
    store.update(which, id, Actor::Client, |body| {
        // Left out, these keep what they were: omission is no order.
        let mut kept = vec!["password"];
        if which == Collection::Groups && !dialect.members_on_write {
            new.remove("members");
            kept.push("members");
        }
        if dialect.reactivating_put {
            new.entry("active").or_insert(Value::Bool(true));
        } else {
            kept.push("active");
        }
        for name in kept {
            if let Some(old) = body.remove(name) {
                new.entry(name).or_insert(old);
            }
        }
        *body = new;
        Ok(())
    })?;
    Ok(())
}

/// Patches a resource.
pub(super) fn change(
    store: &mut Store,
    dialect: &Dialect,
    which: Collection,
    id: &str,
    asked: &Asked<'_>,
) -> Outcome<()> {
    let mut json = asked.json()?;
    numbers::taken(&mut json, dialect.numbers)?;
    let group = which == Collection::Groups;
    let silent = group && dialect.group_patch == GroupPatch::Silent;
    let mut operations = match patch::read(&json, silent) {
        Err(_) if silent => Vec::new(),
        read => read?,
    };
    if silent {
        operations.retain(super::ways::understood);
    }
    if group && dialect.group_patch == GroupPatch::Limited {
        super::ways::limited(&operations)?;
    }
    if !group {
        super::ways::user_operations(&operations, dialect)?;
    }
    store.update(which, id, Actor::Client, |body| {
        patch::apply(which.kind(), body, &operations)?;
        limit(body, which, dialect)
    })?;
    Ok(())
}
