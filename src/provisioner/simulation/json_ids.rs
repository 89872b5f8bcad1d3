//! Ids on their way between the operator and a server that writes them as JSON numbers.

use serde_json::{Value, json};

use super::outside::Outside;
use super::site::Answer;
use crate::plan::Request;
use crate::scim::{Attributes, Kind, PatchOperation, Resource};

impl Outside {
    /// A resource as the operator's client reads it.
    pub fn received(&self, kind: Kind, mut resource: Resource) -> Resource {
        if self.site.quirks.numbers {
            each_id(&mut resource.0, &mut |id| {
                if let Some(number) = id.as_str().and_then(|text| text.parse::<u64>().ok()) {
                    *id = number.into();
                }
            });
            self.observed.ids.read(kind, &mut resource.0);
        }
        resource
    }

    /// The request as the server reads it: an id that is text names nobody.
    pub fn sent(&self, kind: Kind, request: &Request) -> Result<Request, Answer> {
        if !self.site.quirks.numbers {
            return Ok(request.clone());
        }
        let mut sound = true;
        let mut read = |body: &mut Attributes| {
            each_id(body, &mut |id| {
                sound &= id.is_u64();
                *id = json!(id.to_string());
            });
        };
        let mut sent = request.clone();
        match &mut sent {
            Request::Create(body) | Request::Put { body, .. } => {
                let written = self.observed.ids.written(kind, &json!(body));
                if let Some(Value::Object(written)) = written {
                    *body = written;
                }
                read(body);
            }
            Request::Patch { operations, .. } => {
                for operation in operations {
                    self.operation_sent(kind, operation, &mut read);
                }
            }
            Request::Delete { .. } => {}
        }
        if sound { Ok(sent) } else { Err(Answer::Rejected) }
    }

    fn operation_sent(&self, kind: Kind, operation: &mut PatchOperation, read: &mut impl FnMut(&mut Attributes)) {
        let (Some(path), Some(value)) = (operation.path.clone(), operation.value.take()) else { return };
        let body = json!({"Operations": [{"path": path, "value": value}]});
        let mut written = self.observed.ids.written(kind, &body).unwrap_or(body);
        let mut holder = Attributes::from_iter([(path.clone(), written["Operations"][0]["value"].take())]);
        read(&mut holder);
        operation.value = holder.remove(&path);
    }
}

/// Every id of an account or a group, and of its members.
fn each_id(body: &mut Attributes, visit: &mut impl FnMut(&mut Value)) {
    for (name, value) in body.iter_mut() {
        match name.as_str() {
            "id" => visit(value),
            "members" => {
                let entries = value.as_array_mut().into_iter().flatten();
                entries.filter_map(|entry| entry.get_mut("value")).for_each(&mut *visit);
            }
            _ => {}
        }
    }
}
