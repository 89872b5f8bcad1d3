//! What becomes of a group's name: there are servers that change it by no path, refuse that or answer 200 and do nothing,
//! servers that keep it in a form of their own, and servers that show it only later.

use std::sync::Arc;

use jiff::SignedDuration;

use super::GroupPass;
use super::whole::is_tried;
use crate::api::{IgnoredReason, ScimGroup, Uid};
use crate::plan::groups::{Change, Group, GroupOperation, NameForm, NameSent, same_name};
use crate::plan::{Account, Applied, Path, Request, in_domain_of, is_named};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::engine::{Kind as _, LOOK_AGAIN};
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
        let before = self.name_in_mirror(id);
        let declared = pass.object.spec.display_name.clone();
        let renamed = attributes.contains(&Path::core(NAME));
        let form = form_of(pass);
        pass.account = None;
        let now = if renamed {
            self.name_sent(pass, before.clone(), form);
            self.name_after(pass, id, before.as_deref(), shown).await
        } else {
            before.clone()
        };
        if renamed && now.is_some() && now == before {
            // It may be older than the request. What else was written is known as it was.
            self.group_notes.of_name(&pass.uid(), |name| name.waits = true);
            self.group_renamed(pass, id, &before.unwrap_or_default(), attributes);
            self.go_on_as_learnt(pass);
            return;
        }
        let done = now.as_deref().is_none_or(|now| same_name(now, &declared));
        if renamed && now.is_some() {
            self.learn_of_name(pass, form, done);
        } else if is_tried(pass) {
            self.learn_whole_groups(pass, !renamed);
        }
        pass.own.written = true;
        let name = now.filter(|_| !done).unwrap_or_else(|| name_as_kept(pass));
        self.group_renamed(pass, id, &name, attributes);
        pass.status.display_name = Some(name);
    }

    fn name_in_mirror(&self, id: &str) -> Option<String> {
        self.mirror.groups.look(|known| known.name_of(id).map(str::to_owned))
    }

    /// The server took the declared name.
    pub(super) fn name_sent(&self, pass: &GroupPass, before: Option<String>, form: NameForm) {
        let (sent, taken) = (pass.object.spec.display_name.clone(), Some(self.effects.now()));
        self.group_notes.name_sent(&pass.uid(), NameSent { sent, before, taken, form, ..NameSent::default() });
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
        match shown.and_then(Group::shown_name) {
            // There are servers that answer with what was.
            Some(told) if before != Some(told) => Some(told.to_owned()),
            None if known => None,
            _ => {
                let (looked, _) = self.look_again(pass, id, &Change::default()).await?;
                Group::shown_name(&looked).map(str::to_owned)
            }
        }
    }

    /// A name was changed in this form.
    fn learn_of_name(&self, pass: &mut GroupPass, form: NameForm, as_sent: bool) {
        let in_vain = self.group_notes.name(&pass.uid()).map_or(0, |known| known.in_vain);
        match form {
            NameForm::Pathless if in_vain > 0 => self.apply_lessons(&pass.session, [Lesson::PathlessGroups]),
            NameForm::Path | NameForm::Pathless if as_sent => pass.session.seen.take_in(ObservedQuirks::group_renamed),
            NameForm::Whole if as_sent => self.apply_lessons(&pass.session, [Lesson::PutGroups]),
            _ => {}
        }
        self.go_on_as_learnt(pass);
    }

    /// The name was taken, and a reading showed the one before, so long ago that another one isn't older: it is read again.
    pub(super) fn reads_name_again(&self, pass: &mut GroupPass) {
        let waits = |name: &NameSent| name.waits && name.sent == pass.object.spec.display_name && self.is_late(name);
        if self.group_notes.name(&pass.uid()).is_some_and(|name| waits(&name)) {
            pass.account = Some(Account::Unknown);
        }
    }

    fn is_late(&self, name: &NameSent) -> bool {
        let since = name.taken.map(|taken| self.effects.now().duration_since(taken));
        since.is_some_and(|since| since >= SignedDuration::try_from(LOOK_AGAIN).unwrap_or_default())
    }

    /// The group was read in a pass: what became of its name, and whether it goes in another form now.
    pub(super) fn name_read(&self, pass: &mut GroupPass, resource: &Resource) {
        let uid = pass.uid();
        let of_this = resource.id().is_some() && resource.id() == pass.bound_id();
        let Some(shown) = Group::shown_name(resource).filter(|_| of_this) else { return };
        let declared = &pass.object.spec.display_name;
        let Some(name) = self.group_notes.name(&uid).filter(|name| name.sent == *declared && name.waits) else {
            return;
        };
        let late = self.is_late(&name);
        self.group_notes.of_name(&uid, |name| name.was_shown(shown, late));
        if name.before.as_deref() != Some(shown) {
            self.learn_of_name(pass, name.form, same_name(shown, &name.sent));
        } else if late && self.group_notes.name(&uid).is_some_and(|name| name.waits) {
            self.group_notes.of_name(&uid, |name| name.waits = false);
            if !self.names_otherwise(pass, true) {
                self.name_not_kept(pass);
            }
        }
    }

    /// A reading showed the group, wherever it was asked for.
    pub(super) fn name_was_shown(&self, uid: &Uid, shown: &str) {
        let Some(name) = self.group_notes.name(uid).filter(|name| name.taken.is_some()) else { return };
        let late = self.is_late(&name);
        self.group_notes.of_name(uid, |name| name.was_shown(shown, late));
    }

    /// Groups were listed, from this instant on.
    pub(super) fn names_were_listed(&self, groups: &[Arc<ScimGroup>], began: jiff::Timestamp) {
        for group in groups {
            let uid = Uid::of(&group.metadata);
            let sent = self.group_notes.name(&uid).filter(|name| name.taken.is_some_and(|taken| taken < began));
            let id = group.status.as_ref().and_then(|status| status.id.as_deref()).filter(|_| sent.is_some());
            if let Some(shown) = id.and_then(|id| self.name_in_mirror(id)) {
                self.name_was_shown(&uid, &shown);
            }
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
        // Where a name was seen to be changed, it is about this one.
        let is_right = pass.session.seen.look(ObservedQuirks::renames_groups);
        let learns = pass.session.policy.profile.learns && !is_right;
        if !patch || operation.attributes != [Path::core(NAME)] || !learns {
            return false;
        }
        let before = pass.bound_id().and_then(|id| self.name_in_mirror(id));
        let sent = pass.object.spec.display_name.clone();
        self.group_notes.name_sent(&pass.uid(), NameSent { sent, before, ..NameSent::default() });
        // What is said of the name itself, and of no path, the whole group would be answered, too.
        let of_name = is_named(error.words(), NAME) && !error.has_word("path");
        let begins = self.names_otherwise(pass, !of_name);
        if begins {
            self.note_failure(error);
        }
        begins
    }

    /// Nothing came of a change of the name: it goes without a path next, and then with the whole group. False where nothing
    /// is left to try. Where a name was seen to be changed the form is right, and it goes once more.
    fn names_otherwise(&self, pass: &mut GroupPass, whole: bool) -> bool {
        let in_vain = self.group_notes.name_in_vain(&pass.uid());
        let profile = &pass.session.policy.profile;
        if !profile.learns {
            return false;
        }
        if pass.session.seen.look(ObservedQuirks::renames_groups) {
            return in_vain == 1;
        }
        match in_vain {
            // Learnt of other groups, or at another time.
            1 if profile.pathless_groups => {
                self.unlearn(&pass.session, &[Lesson::PathlessGroups]);
                self.go_on_as_learnt(pass);
                true
            }
            1 => {
                pass.session = Arc::new(pass.session.with_pathless_groups());
                true
            }
            2 if whole => {
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

/// How the pass changes a name.
fn form_of(pass: &GroupPass) -> NameForm {
    match pass.session.policy.profile.pathless_groups {
        _ if is_tried(pass) => NameForm::Whole,
        true => NameForm::Pathless,
        false => NameForm::Path,
    }
}

/// The declared name as the server keeps it, which may keep a domain before it: not where it keeps as it was what was written.
fn name_as_kept(pass: &GroupPass) -> String {
    let (kept, name) = (pass.status.display_name.as_deref().unwrap_or_default(), &pass.object.spec.display_name);
    let written = Applied::read(pass.status.applied_attributes.as_deref(), false);
    if written.has("displayName", Some(&kept.into())) { name.clone() } else { in_domain_of(kept, name) }
}
