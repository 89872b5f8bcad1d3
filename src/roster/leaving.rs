//! Leavers of whose rows nothing else can be used: nothing else delays a removal (promise I17).

use kube::ResourceExt;
use serde_json::json;

use super::people::Body;
use super::recipe::Recipe;
use super::source::TableRow;
use super::target::{Drafted, Target};
use crate::api::{ScimUser, ScimUserSpec};

impl Recipe {
    /// Whoever's row it is has left, whatever else it says.
    pub fn has_left(&self, row: &TableRow) -> bool {
        let mut active = self.lines.iter().filter(|line| line.target == Target::Active && !line.on_create);
        row.deleted
            || active.any(|line| {
                let mut drafted = Drafted::default();
                let value = self.value(&line.value, row);
                let put = value.and_then(|value| line.target.put(&value, &mut drafted));
                put.is_ok() && drafted.attributes.get("active") == Some(&json!(false))
            })
    }

    /// What a ScimUser says, but for being active: nothing else can be read of its row.
    pub fn deactivated(&self, user: &ScimUser) -> Body {
        let spec = serde_json::to_value(ScimUserSpec { active: Some(false), ..user.spec.clone() }).unwrap_or_default();
        let ours = user.labels().iter().filter(|(name, _)| self.labels.iter().any(|(known, _)| known == *name));
        let labels = ours.map(|(name, value)| (name.clone(), json!(value))).collect();
        Body { spec, labels, manager_missing: false }
    }
}
