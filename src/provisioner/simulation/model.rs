//! A SCIM server in miniature: accounts in a map, PATCH after RFC 7644 §3.5.2, and a few bad habits.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::plan::Request;
use crate::scim::{Attributes, Op, PatchOperation, Resource, fold};

/// The server.
#[derive(Clone, Debug, Default)]
pub struct Server {
    pub accounts: BTreeMap<String, Attributes>,
    /// Attributes that are taken and never kept.
    pub drops: Vec<&'static str>,
    /// Answers carry no body.
    pub silent: bool,
    /// Entries of lists lose their types.
    pub untyped: bool,
    /// Entries of `emails` become plain strings.
    pub strings: bool,
    /// How many accounts were made.
    pub next_id: usize,
    /// Ids are digits.
    pub numbers: bool,
}

impl Server {
    /// The id of whoever was made last.
    pub fn id(&self) -> String {
        format!("{}{}", if self.numbers { "" } else { "id-" }, self.next_id)
    }

    /// Applies a request; the answer shows the account unless the server is silent. Where it doesn't fit what is there, nothing
    /// changes, and the reason comes back.
    pub fn apply(&mut self, request: &Request) -> Result<Option<Resource>, String> {
        let id = match request {
            Request::Create(body) => {
                self.next_id += 1;
                let id = self.id();
                let mut body = body.clone();
                body.insert("id".into(), Value::from(id.as_str()));
                self.accounts.insert(id.clone(), body);
                id
            }
            Request::Patch { id, operations } => {
                let account = self.accounts.get_mut(id).ok_or("only accounts that are there are written")?;
                let mut changed = account.clone();
                for operation in operations {
                    patch(&mut changed, operation)?;
                }
                *account = changed;
                id.clone()
            }
            Request::Put { id, body, .. } => {
                *self.accounts.get_mut(id).ok_or("only accounts that are there are written")? = body.clone();
                id.clone()
            }
            Request::Delete { id } => {
                self.accounts.remove(id).ok_or("only accounts that are there are deleted")?;
                return Ok(None);
            }
        };
        let account = self.accounts.get_mut(&id).ok_or("it was there a moment ago")?;
        account.retain(|name, _| !self.drops.contains(&name.as_str()));
        for (name, value) in account.iter_mut() {
            let entries = value.as_array_mut().into_iter().flatten();
            for entry in entries.filter(|_| self.untyped) {
                if let Some(members) = entry.as_object_mut() {
                    members.remove("type");
                }
                if self.strings && name == "emails" && entry.is_object() {
                    *entry = entry["value"].take();
                }
            }
        }
        Ok((!self.silent || matches!(request, Request::Create(_))).then(|| Resource(account.clone())))
    }

    /// The account with this id.
    pub fn get(&self, id: &str) -> Option<Resource> {
        self.accounts.get(id).cloned().map(Resource)
    }

    /// The accounts that a look-up by either name finds.
    pub fn find(&self, user_name: &str, external_id: Option<&str>) -> Vec<Resource> {
        let all = self.accounts.values().cloned().map(Resource);
        all.filter(|account| {
            account.user_name().map(fold) == Some(fold(user_name))
                || (external_id.is_some() && account.external_id() == external_id)
        })
        .collect()
    }
}

/// One operation on one account.
fn patch(account: &mut Attributes, operation: &PatchOperation) -> Result<(), String> {
    let path = operation.path.as_deref().expect("the planner always names a path");
    if let Some((list, filter)) = path.split_once('[') {
        return entries(account, list, filter.strip_suffix(']').expect("a filter is closed"), operation);
    }
    let (schema, rest) = match path.rsplit_once(':') {
        Some((schema, rest)) => (Some(schema), rest),
        None => (None, path),
    };
    let holder = match schema {
        Some(urn) => within(account, urn),
        None => account,
    };
    let (holder, name) = match rest.split_once('.') {
        Some((name, sub)) => (within(holder, name), sub),
        None => (holder, rest),
    };
    match (operation.op, operation.value.clone()) {
        (Op::Remove, _) => {
            holder.remove(name);
        }
        (Op::Add, Some(Value::Array(more))) => {
            demote(holder, name, &more);
            match holder.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                Value::Array(list) => list.extend(more),
                other => *other = Value::Array(more),
            }
        }
        (_, Some(value)) => {
            // A list takes nothing but a list.
            let fits = !holder.get(name).is_some_and(Value::is_array) || value.is_array();
            if fits {
                holder.insert(name.to_owned(), value);
            }
        }
        (_, None) => panic!("add and replace need a value"),
    }
    Ok(())
}

/// RFC 7644 §3.5.2.1: a new primary takes the mark from the old one.
fn demote(holder: &mut Attributes, name: &str, more: &[Value]) {
    let claims = more.iter().any(|entry| entry.get("primary") == Some(&Value::Bool(true)));
    if let Some(Value::Array(list)) = holder.get_mut(name).filter(|_| claims) {
        for entry in list.iter_mut().filter(|entry| entry.get("primary") == Some(&Value::Bool(true))) {
            entry["primary"] = Value::Bool(false);
        }
    }
}

/// An operation on the entries that a filter names.
fn entries(account: &mut Attributes, list: &str, filter: &str, operation: &PatchOperation) -> Result<(), String> {
    let (kind, value) = match filter.split_once(" and value eq ") {
        Some((kind, value)) => (kind, Some(literal(value))),
        None => (filter, None),
    };
    let kind = literal(kind.strip_prefix("type eq ").expect("entries are named by type"));
    if let Some(new) = operation.value.as_ref().filter(|_| operation.op == Op::Replace) {
        demote(account, list, std::slice::from_ref(new));
    }
    let Some(Value::Array(entries)) = account.get_mut(list) else { return Err(format!("noTarget: {list}")) };
    let text = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str).map(fold);
    // What has no type equals no type, the empty one included.
    let named = |entry: &Value| {
        text(entry, "type") == Some(fold(&kind))
            && value.as_ref().is_none_or(|value| text(entry, "value") == Some(fold(value)))
    };
    if !entries.iter().any(named) {
        return Err(format!("noTarget: {list}[{filter}]"));
    }
    match (operation.op, &operation.value) {
        (Op::Remove, _) => entries.retain(|entry| !named(entry)),
        (Op::Replace, Some(new)) => {
            for entry in entries.iter_mut().filter(|entry| named(entry)) {
                entry.clone_from(new);
            }
        }
        _ => panic!("the planner only replaces and removes entries by filter"),
    }
    Ok(())
}

fn literal(text: &str) -> String {
    serde_json::from_str(text).expect("a filter's values are string literals")
}

fn within<'a>(map: &'a mut Attributes, name: &str) -> &'a mut Attributes {
    let slot = map.entry(name).or_insert_with(|| Value::Object(Map::new()));
    slot.as_object_mut().expect("sub-attributes lie in objects")
}
