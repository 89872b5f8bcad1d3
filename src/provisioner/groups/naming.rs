//! What becomes of a group's name: there are servers that change it by no path, refuse that or answer 200 and do nothing, and
//! servers that keep it in a form of their own.

use std::sync::Arc;

use super::GroupPass;
use super::whole::is_tried;
use crate::api::IgnoredReason;
use crate::plan::groups::{Change, Group, GroupOperation, same_name};
use crate::plan::{Applied, Path, Request, in_domain_of};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::engine::Kind as _;
use crate::scim::{Error, Lesson, ObservedQuirks, Resource};

const NAME: &str = "displayName";

impl<E: Effects> Provisioner<E> {
    /// Attributes of the group were written, and the answer shows this.
    pub(super) async fn group_named(
        &self,
        pass: &mut GroupPass,
        id: &str,
        attributes: &[Path],
        shown: Option<&Resource>,
    ) {
        let before = self.mirror.groups.look(|known| known.name_of(id).map(str::to_owned));
        let declared = pass.object.spec.display_name.clone();
        let renamed = attributes.contains(&Path::core(NAME));
        let now = if renamed { self.name_after(pass, id, before.as_deref(), shown).await } else { before.clone() };
        pass.account = None;
        if renamed {
            self.group_notes.name_sent(&pass.uid(), &declared, before.clone());
        }
        if renamed && now.is_some() && now == before {
            // What else was written is known as it was.
            let name = before.unwrap_or_default();
            self.group_renamed(pass, id, &name, attributes);
            if !self.names_otherwise(pass) {
                self.name_not_kept(pass);
            }
            return;
        }
        let done = now.as_deref().is_none_or(|now| same_name(now, &declared));
        if is_tried(pass) {
            self.learn_whole_groups(pass, true);
        } else if renamed && now.is_some() {
            self.learn_of_names(pass, done);
        }
        pass.own.written = true;
        let name = now.filter(|_| !done).unwrap_or_else(|| name_as_kept(pass));
        self.group_renamed(pass, id, &name, attributes);
        pass.status.display_name = Some(name);
    }

    /// The name after it was written: as the answer shows it, or, where none was seen to be changed here, as the group does.
    async fn name_after(
        &self,
        pass: &GroupPass,
        id: &str,
        before: Option<&str>,
        shown: Option<&Resource>,
    ) -> Option<String> {
        let known = pass.session.seen.look(ObservedQuirks::renames_groups) || !pass.session.policy.profile.learns;
        let told = shown.and_then(Group::shown_name);
        // There are servers that answer with what was.
        match told.filter(|told| known || before != Some(told)) {
            Some(told) => Some(told.to_owned()),
            None if known => None,
            None => {
                let (looked, _) = self.look_again(pass, id, &Change::default()).await?;
                Group::shown_name(&looked).map(str::to_owned)
            }
        }
    }

    /// A name was changed.
    fn learn_of_names(&self, pass: &mut GroupPass, as_sent: bool) {
        if as_sent {
            pass.session.seen.take_in(ObservedQuirks::group_renamed);
        }
        let in_vain = self.group_notes.name(&pass.uid()).map_or(0, |known| known.in_vain);
        if in_vain > 0 && pass.session.policy.profile.pathless_groups {
            self.apply_lessons(&pass.session, [Lesson::PathlessGroups]);
            self.go_on_as_learnt(pass);
        }
    }

    /// A change of the name alone was refused: true where it is sent in another form.
    pub(super) fn names_otherwise_than_refused(
        &self,
        pass: &mut GroupPass,
        operation: &GroupOperation,
        error: &Error,
    ) -> bool {
        let patch = matches!(operation.request, Request::Patch { .. });
        if !patch || operation.attributes != [Path::core(NAME)] || !pass.session.policy.profile.learns {
            return false;
        }
        let before =
            pass.bound_id().and_then(|id| self.mirror.groups.look(|known| known.name_of(id).map(str::to_owned)));
        self.group_notes.name_sent(&pass.uid(), &pass.object.spec.display_name, before);
        let begins = self.names_otherwise(pass);
        if begins {
            self.note_failure(error);
        }
        begins
    }

    /// Nothing came of a change of the name: it goes without a path next, and then with the whole group. False where nothing
    /// is left to try.
    fn names_otherwise(&self, pass: &mut GroupPass) -> bool {
        let learns = pass.session.policy.profile.learns;
        match self.group_notes.name_in_vain(&pass.uid()) {
            1 if learns && !pass.session.policy.profile.pathless_groups => {
                pass.session = Arc::new(pass.session.with_pathless_groups());
                true
            }
            1 | 2 if learns => {
                self.go_on_as_learnt(pass);
                self.replaces_whole_group(pass, "the server changes the group's name by no PATCH".to_owned())
            }
            _ => false,
        }
    }

    /// In whatever form: that is named.
    fn name_not_kept(&self, pass: &mut GroupPass) {
        self.go_on_as_learnt(pass);
        self.note_part(pass, NAME, IgnoredReason::NotPersisted, "");
    }
}

/// The declared name as the server keeps it, which may keep a domain before it: not where it keeps as it was what was written.
fn name_as_kept(pass: &GroupPass) -> String {
    let (kept, name) = (pass.status.display_name.as_deref().unwrap_or_default(), &pass.object.spec.display_name);
    let written = Applied::read(pass.status.applied_attributes.as_deref(), false);
    if written.has("displayName", Some(&kept.into())) { name.clone() } else { in_domain_of(kept, name) }
}
