//! Which accounts are imported: conditions on their attributes.

use std::str::FromStr;

use scim_operator::plan::Path;
use scim_operator::plan::protect::Protected;
use scim_operator::scim::Resource;
use serde_json::Value;

use super::convert::ENTERPRISE;

/// What an account must be like: an attribute, and a pattern with `*` and `?`.
#[derive(Clone, Debug)]
pub struct Condition {
    path: Path,
    /// What of an entry is looked at.
    sub: Option<String>,
    pattern: Protected,
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A filter in the path has a sign of its own.
        let (path, pattern) = text
            .rsplit_once('=')
            .filter(|(path, _)| !path.is_empty())
            .ok_or("write PATH=PATTERN, such as title=*Engineer")?;
        let (path, sub) = match path.split_once("].") {
            Some((entry, sub)) => (format!("{entry}]"), Some(sub.to_owned())),
            None => (path.to_owned(), None),
        };
        let path = path.strip_prefix("enterprise.").map(|name| format!("{ENTERPRISE}:{name}")).unwrap_or(path);
        Ok(Self { path: Path::parse(&path), sub, pattern: Protected::new([pattern.to_owned()]) })
    }
}

impl Condition {
    pub(super) fn fits(&self, account: &Resource) -> bool {
        let value = self.path.read(account);
        let value = match (&self.sub, value) {
            (Some(sub), Some(entry)) => entry.get(sub),
            (None, Some(Value::Object(entry))) => entry.get("value"),
            (_, value) => value,
        };
        let text = match value {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Bool(flag)) => flag.to_string(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        self.pattern.matches([text.as_str()]).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn conditions_look_at_attributes_and_entries() {
        let ada = json!({
            "title": "Software Engineer", "active": true, "emails": [{"type": "work", "value": "ada@example.com"}],
            ENTERPRISE: {"department": "Engines"},
        });
        let ada = Resource(ada.as_object().cloned().unwrap());
        for (condition, fits) in [
            ("title=*engineer", true),
            ("title=Engineer", false),
            ("nickName=", true),
            ("active=true", true),
            ("enterprise.department=Eng*", true),
            ("emails[type eq \"work\"].value=*@example.com", true),
            ("emails[type eq \"home\"].value=*@example.com", false),
        ] {
            assert_eq!(condition.parse::<Condition>().unwrap().fits(&ada), fits, "{condition}");
        }
        assert!("title".parse::<Condition>().is_err() && "=x".parse::<Condition>().is_err());
    }
}
