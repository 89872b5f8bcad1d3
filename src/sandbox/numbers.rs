//! Ids as JSON numbers, as some services have them: in the store they are text.

use serde_json::Value;

use super::dialect::Numbers;
use super::error::{Fail, Outcome};
use super::schema::Object;

/// The first of them: one more than a double can tell from its neighbours.
pub(super) const FIRST: u64 = 9_007_199_254_740_993;

/// A resource as it is shown.
pub(super) fn shown(body: &mut Object, numbers: Numbers) {
    if numbers == Numbers::None {
        return;
    }
    references(body.get_mut("members"), &mut to_number);
    if numbers == Numbers::All {
        body.get_mut("id").into_iter().for_each(to_number);
        references(body.get_mut("groups"), &mut to_number);
        for manager in body.values_mut().filter_map(|extension| extension.get_mut("manager")) {
            manager.get_mut("value").into_iter().for_each(to_number);
        }
    }
}

/// What a client wrote, as it is kept.
pub(super) fn taken(body: &mut Value, numbers: Numbers) -> Outcome<()> {
    if numbers == Numbers::None {
        return Ok(());
    }
    let mut texts = false;
    let mut to_text = |value: &mut Value| {
        texts |= value.is_string();
        if let Some(id) = value.as_u64() {
            *value = id.to_string().into();
        }
    };
    if let Some(Value::Array(operations)) = body.get_mut("Operations") {
        for operation in operations.iter_mut().filter(|one| one["path"] == "members") {
            references(operation.get_mut("value"), &mut to_text);
        }
    } else {
        references(body.get_mut("members"), &mut to_text);
    }
    if texts && numbers == Numbers::All {
        return Err(Fail::value("members.value: a number is expected"));
    }
    if let Some(id) = body.get_mut("id")
        && let Some(number) = id.as_u64()
    {
        *id = number.to_string().into();
    }
    Ok(())
}

fn references(list: Option<&mut Value>, each: &mut dyn FnMut(&mut Value)) {
    list.and_then(Value::as_array_mut).into_iter().flatten().filter_map(|one| one.get_mut("value")).for_each(each);
}

fn to_number(value: &mut Value) {
    if let Some(id) = value.as_str().and_then(|text| text.parse::<u64>().ok()) {
        *value = id.into();
    }
}
