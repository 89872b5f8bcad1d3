//! What a group tells: whether its members are shown, and how one is taken out.

use scim_operator::provisioner::schedule::limiter::RequestKind;
use scim_operator::scim::{Attributes, Kind, MemberRemoval, MembersReadable, Op, PatchOperation};
use serde_json::{Value, json};

use super::Step;
use super::writes::Trial;

impl Trial<'_> {
    /// A group with two members, whether they are shown, and how one is taken out.
    pub(super) async fn groups(&mut self, first: &str, second: &str) {
        let name = self.scratch.group.clone();
        let body: Attributes = json!({"displayName": name, "members": [{"value": first}, {"value": second}]})
            .as_object()
            .cloned()
            .unwrap_or_default();
        self.scratch.begin(Kind::Groups, &name);
        let deadline = self.server.turn(RequestKind::Create).await;
        let written = self.server.client.create(Kind::Groups, &body, deadline).await;
        let id = written.as_ref().ok().and_then(|written| written.resource.as_ref()?.id().map(str::to_owned));
        let Some(id) = id else {
            let told = written.err().map_or_else(String::new, |error| {
                if !error.class().may_have_applied() {
                    self.scratch.gone(&name);
                }
                error.to_string()
            });
            self.steps
                .push(Step::note("group", format!("no group could be made: {told}")).todo("declare no ScimGroup here"));
            return;
        };
        self.scratch.done(&name, &id);
        let both = [first, second];
        let readable = self.readable(&id, &both).await;
        let shown = match readable {
            MembersReadable::Inline => "two members, shown with the group",
            MembersReadable::OnRequest => "two members, shown if they are asked for",
            MembersReadable::Probe => "two members, told of one by one",
            MembersReadable::No => "made; its members are never shown",
        };
        self.steps.push(Step::good("group", shown));
        self.profile.members_readable = readable;
        self.member_removal(&id, second, &both).await;
    }

    async fn readable(&self, id: &str, both: &[&str]) -> MembersReadable {
        for (ask, readable) in [(false, MembersReadable::Inline), (true, MembersReadable::OnRequest)] {
            if self
                .members(id, ask)
                .await
                .is_some_and(|found| both.iter().all(|one| found.iter().any(|known| known == one)))
            {
                return readable;
            }
        }
        let deadline = self.server.read().await;
        let told = self.server.client.is_member(id, both[0], deadline).await.unwrap_or(false);
        // A server that heeds no filter would say yes to everybody.
        let deadline = self.server.read().await;
        let nobody = self.server.client.is_member(id, "scim-operator-nobody", deadline).await.unwrap_or(false);
        if told && !nobody { MembersReadable::Probe } else { MembersReadable::No }
    }

    async fn members(&self, id: &str, ask: bool) -> Option<Vec<String>> {
        let deadline = self.server.read().await;
        let group = self.server.client.get_group(id, ask, deadline).await.ok()?;
        Some(group.members()?.map(str::to_owned).collect())
    }

    /// Whether a member is in the group; none where that isn't shown.
    async fn is_member(&self, id: &str, member: &str) -> Option<bool> {
        match self.profile.members_readable {
            MembersReadable::No => None,
            MembersReadable::Probe => {
                let deadline = self.server.read().await;
                self.server.client.is_member(id, member, deadline).await.ok()
            }
            readable => {
                let members = self.members(id, readable == MembersReadable::OnRequest).await.unwrap_or_default();
                Some(members.iter().any(|known| known == member))
            }
        }
    }

    async fn member_removal(&mut self, id: &str, member: &str, both: &[&str]) {
        let own = self.profile.member_removal;
        let mut forms =
            [(MemberRemoval::Filter, "by a filter in the path"), (MemberRemoval::Values, "by a list of values")];
        forms.sort_by_key(|(form, _)| *form != own);
        for (form, name) in forms {
            let operation = match form {
                MemberRemoval::Filter => PatchOperation {
                    op: Op::Remove,
                    path: Some(format!("members[value eq {}]", Value::from(member))),
                    value: None,
                },
                MemberRemoval::Values => PatchOperation {
                    op: Op::Remove,
                    path: Some("members".into()),
                    value: Some(json!([{"value": member}])),
                },
            };
            let deadline = self.server.turn(RequestKind::Write).await;
            let sent = self.server.client.patch_group(id, &[operation], false, deadline).await;
            let stays = self.is_member(id, both[0]).await;
            if sent.is_ok() && self.is_member(id, member).await != Some(true) && stays != Some(false) {
                let seen = if stays.is_some() { "" } else { ", as far as can be seen" };
                self.steps.push(Step::good("member removal", format!("{name}{seen}")));
                self.profile.member_removal = form;
                return;
            }
            if stays == Some(false) {
                self.steps.push(Step::bad(
                    "member removal",
                    format!("{name}: the server took other members out too"),
                    "declare no ScimGroup here",
                ));
                return;
            }
        }
        self.steps.push(Step::bad("member removal", "no form takes a member out", "declare no ScimGroup here"));
    }
}
