//! Groups: what is asked otherwise than of users.

use reqwest::Method;
use serde_json::Value;
use tokio::time::Instant;

use super::answer::Body;
use super::client::{Client, Page, Written, is_of, patch_body, shown};
use super::error::{Class, Error};
use super::filter;
use super::kind::Kind;
use super::members::Slim;
use super::paging::Start;
use super::patch::PatchOperation;
use super::resource::{Resource, is_usable_id};

impl Client {
    /// One page of groups, without their members where the server can leave them out (RFC 7644 §3.9).
    pub async fn list_groups(&self, start: &Start, count: u32, deadline: Instant) -> Result<Page, Error> {
        self.listed(Kind::Groups, start, count, "excludedAttributes=members", deadline).await
    }

    /// Whether this account is in this group, at a server that shows no members and tells of one.
    pub async fn is_member(&self, group: &str, member: &str, deadline: Instant) -> Result<bool, Error> {
        let filter = format!("{} and {}", filter::eq("id", group), filter::eq("members", member));
        let page = self.page(Kind::Groups, self.filtered(Kind::Groups, &filter, 10), deadline).await?;
        Ok(page.resources.iter().any(|hit| hit.id() == Some(group)))
    }

    /// One group; `ask_members` where it shows its members only if they are asked for.
    pub async fn get_group(&self, id: &str, ask_members: bool, deadline: Instant) -> Result<Resource, Error> {
        let mut url = self.one(Kind::Groups, id)?;
        if ask_members {
            url.set_query(Some("attributes=displayName,externalId,members&includeMembers=true"));
        }
        let answer = self.send(Method::GET, Kind::Groups, url, None, None, deadline).await?;
        match answer.body_as::<Slim>()? {
            Body::Object(map) if is_of(&map, id) => Ok(Resource(map)),
            _ => Err(answer.error(Class::NotScim, Some("but the body isn't the group that was asked for"))),
        }
    }

    /// PATCH of a group, RFC 7644 §3.5.2. `bare`: the answer need not show the members (§3.9), who are many.
    pub async fn patch_group(
        &self,
        id: &str,
        operations: &[PatchOperation],
        bare: bool,
        deadline: Instant,
    ) -> Result<Written, Error> {
        let mut url = self.one(Kind::Groups, id)?;
        if bare {
            url.set_query(Some("excludedAttributes=members"));
        }
        match self.send(Method::PATCH, Kind::Groups, url, Some(&patch_body(operations)), None, deadline).await {
            Ok(answer) => Ok(shown(&answer, id, answer.of_change::<Slim>()?)),
            // Done, and what it shows isn't needed.
            Err(error) if error.is_too_large() => Ok(Written::default()),
            Err(error) => Err(error),
        }
    }
}

impl Resource {
    /// The ids of the members, where the resource shows the attribute, and each of them can be read.
    pub fn members(&self) -> Option<impl Iterator<Item = &str>> {
        let list = self.get("members")?.as_array()?;
        self.members_are_readable().then(|| list.iter().filter_map(member_id))
    }

    /// No member is shown without a usable id: with one that is, who is in isn't known.
    pub fn members_are_readable(&self) -> bool {
        let list = self.get("members").and_then(Value::as_array);
        list.into_iter().flatten().all(|member| member_id(member).is_some())
    }
}

fn member_id(member: &Value) -> Option<&str> {
    member.get("value").unwrap_or(member).as_str().filter(|id| is_usable_id(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn i11_one_member_that_can_not_be_read_makes_all_unknown() {
        let members = |list: Value| {
            let group = Resource(json!({"id": "7", "members": list}).as_object().cloned().unwrap_or_default());
            (group.members_are_readable(), group.members().map(|ids| ids.map(str::to_owned).collect::<Vec<_>>()))
        };
        assert_eq!(members(json!(["1", {"value": "2"}])), (true, Some(vec!["1".to_owned(), "2".to_owned()])));
        for odd in [json!(null), json!(1.5), json!({"display": "Ada"}), json!({"value": ""}), json!({"value": [1]})] {
            assert_eq!(members(json!(["1", odd])), (false, None));
        }
        assert_eq!(members(json!(null)), (true, None));
    }
}
