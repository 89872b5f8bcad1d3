//! What requests about a user mean, beside what they mean of anything.

use kube::ResourceExt;

use super::whole_lists::names_entries;
use super::{UserPass, UserStop};
use crate::api::{ClaimedAccount, OperationType, Reason, ScimUserSpec};
use crate::directory::has_finalizer;
use crate::plan::{ACTIVE, Account, Binding, Operation, Path, Request, User, at_server, is_named};
use crate::provisioner::Provisioner;
use crate::provisioner::connection::session::Session;
use crate::provisioner::effects::Effects;
use crate::provisioner::engine::{Kind as _, SearchRefused, is_of_the_search};
use crate::provisioner::mirror::users::Known;
use crate::scim::{Attributes, Class, Error, Lesson, MatchBy, Resource, Written, composed, fold, is_special};

/// What may be the matter where nobody can be made inactive.
const NO_STATE: &str = "this server may have no inactive accounts: deletionPolicy.users: Delete removes the account of a deleted \
                        object instead";

impl<E: Effects> Provisioner<E> {
    /// What a refused search means.
    pub(super) fn user_search_refused(
        &self,
        session: &Session,
        (attribute, value): (&str, &str),
        error: &Error,
    ) -> SearchRefused<User> {
        match error.class() {
            class
                if refuses_filter(class, attribute, value)
                    || (class == Class::Transient && is_of_the_search(error)) =>
            {
                // One value that it can't read says nothing of others.
                if !is_special(value) && class != Class::Transient {
                    self.apply_lessons(session, [Lesson::NoFilter(attribute.to_owned())]);
                }
                SearchRefused::List
            }
            Class::NotFound => SearchRefused::Collection,
            // What stands before the service refuses the letters of a filter; where it is the key, the list is refused, too.
            Class::Forbidden if !error.is_scim() => SearchRefused::List,
            _ => SearchRefused::Failed,
        }
    }

    /// The server did what was asked: what the answer shows is taken in, and what it doesn't is read back.
    pub(super) fn user_took_effect(&self, pass: &mut UserPass, operation: &Operation, written: Written) {
        let settled = pass.status.observed_generation == pass.object.metadata.generation;
        if settled && operation.kind == OperationType::Update {
            self.notes.repaired(&pass.uid(), &operation.attributes, self.effects.now());
        }
        pass.own.read_since = false;
        pass.own.replaced |= pass.own.unchanged.is_some() && matches!(operation.request, Request::Put { .. });
        let entries = |path: &Path| matches!(path, Path::Entry { .. });
        pass.own.list_sent |= pass.own.whole_lists && operation.attributes.iter().any(entries);
        self.learn_forms(pass, &operation.request);
        self.learn_whole_users(pass, &operation.request);
        if pass.own.written.is_empty() {
            pass.own.before = self.shown_before(pass, operation);
        }
        pass.own.written.extend(operation.attributes.iter().cloned());
        if names_entries(&operation.request) {
            pass.own.by_filter.extend(operation.attributes.iter().cloned());
        }
        match (&operation.request, written.resource) {
            // The engine forgot it.
            (Request::Delete { .. }, _) => {}
            (Request::Create(_), Some(resource)) => {
                pass.status = at_server(&pass.status, pass.server());
                pass.status.id = resource.id().map(str::to_owned);
                let name = resource.user_name().unwrap_or(&pass.object.spec.user_name);
                pass.status.user_name = Some(name.to_owned());
                self.account_shown(pass, operation, resource);
            }
            (_, Some(resource)) => self.account_shown(pass, operation, resource),
            // The answer doesn't show the result: it is read back before it is judged. But it shows that the account is there.
            (request, None) => {
                if let Some(id) = request.target() {
                    self.in_mirror(pass, |snapshot| {
                        snapshot.sightings.shown(id);
                        snapshot.invalidate(id);
                    });
                }
                pass.account = Some(Account::Unknown);
            }
        }
    }

    /// What the account showed before a write, as far as that is known.
    fn shown_before(&self, pass: &UserPass, operation: &Operation) -> Option<Resource> {
        if matches!(operation.request, Request::Create(_)) {
            return Some(Resource::default());
        }
        match pass.account.clone().unwrap_or_else(|| self.known_account(pass, pass.server())) {
            Account::Found { resource, .. } => Some(resource),
            _ => None,
        }
    }

    /// What a refusal means that is special to users; none where it means what it means of anything.
    pub(super) async fn user_refused(
        &self,
        pass: &mut UserPass,
        operation: &Operation,
        error: &Error,
    ) -> Option<Result<(), UserStop>> {
        pass.own.removal_refused |= operation.removes();
        if let Request::Create(body) = &operation.request {
            // It may have made an account all the same: who is there is looked for before another is sent.
            self.notes.doubt_active(&pass.uid(), error.class() == Class::Transient && names_active(body, error));
        }
        match (error.class(), &operation.request) {
            (Class::Rejected, request) if self.tries_without_types(pass, request, error) => Some(Ok(())),
            (Class::Rejected, Request::Create(body))
                if is_about_active(body, error) && self.leaves_active_out(pass) =>
            {
                self.note_failure(error);
                Some(Ok(()))
            }
            // It may mean that the person is there already (promise I7).
            (Class::Rejected, Request::Create(_))
                if pass.session.policy.profile.unsure_of_duplicates && !pass.looked_up_after_conflict =>
            {
                pass.looked_up_after_conflict = true;
                Some(self.look_for_duplicate(pass, error).await)
            }
            (Class::Empty, Request::Patch { .. } | Request::Put { .. }) => {
                pass.own.written.extend(operation.attributes.iter().cloned());
                pass.account = Some(Account::Unknown);
                Some(Ok(()))
            }
            // It is inactive already, and whoever was invited may not be told so: nothing more can be done.
            (Class::Rejected | Class::Forbidden | Class::Conflict, Request::Patch { .. } | Request::Put { .. })
                if pass.is_deleting() && self.shows_inactive(pass) =>
            {
                self.note_failure(error);
                pass.own.written.extend(operation.attributes.iter().cloned());
                Some(Ok(()))
            }
            (
                Class::Rejected | Class::Forbidden | Class::Unsupported | Class::Conflict | Class::ContentType,
                Request::Delete { .. },
            ) if self.deactivates_first(pass, operation) => {
                self.note_failure(error);
                Some(Ok(()))
            }
            (_, request) if self.gives_up_whole_user(pass, request, error) => Some(Ok(())),
            (Class::Rejected, request) if pass.tries_whole_lists(request) => Some(Ok(())),
            (Class::Rejected, _) if self.tries_nested(pass, operation, error) => Some(Ok(())),
            _ if self.tries_whole_user(pass, operation, error) => Some(Ok(())),
            (Class::Unsupported, request) if self.changes_method(pass, request, error, false) => Some(Ok(())),
            // No such route, or no such account: it is read before that is known.
            (Class::NotFound, request @ (Request::Patch { id, .. } | Request::Put { id, .. })) if !error.is_scim() => {
                if let Err(stop) = self.read(pass, id).await {
                    return Some(Err(stop));
                }
                let exists = matches!(pass.account, Some(Account::Found { .. }));
                self.changes_method(pass, request, error, exists).then_some(Ok(()))
            }
            (Class::Precondition, _) if !pass.own.read_again => {
                pass.own.read_again = true;
                pass.account = Some(Account::Unknown);
                Some(Ok(()))
            }
            (Class::Conflict, Request::Patch { .. } | Request::Put { .. })
                if operation.attributes == [Path::core("userName")] =>
            {
                self.note_failure(error);
                let message = self.name_is_taken(pass, error);
                Some(Err(self.own_error(pass, Reason::Conflict, message)))
            }
            // By PATCH and by PUT, or what there is of them.
            (Class::Rejected, Request::Patch { id, .. } | Request::Put { id, .. })
                if operation.kind == OperationType::Deactivate && !self.passes_for_missing(pass, id, error) =>
            {
                self.note_failure(error);
                Some(Err(self.own_error(pass, Reason::Rejected, format!("{error}; {NO_STATE}"))))
            }
            _ => None,
        }
    }

    /// The account is inactive, as far as that is known.
    fn shows_inactive(&self, pass: &UserPass) -> bool {
        let account = pass.account.clone().unwrap_or_else(|| self.known_account(pass, pass.server()));
        matches!(account, Account::Found { resource, .. } if resource.active() == Some(false))
    }

    async fn look_for_duplicate(&self, pass: &mut UserPass, error: &Error) -> Result<(), UserStop> {
        self.take_back_claim(pass).await?;
        self.find(pass).await?;
        match pass.account {
            Some(Account::Absent { .. }) => Err(self.failed(pass, error)),
            _ => Ok(()),
        }
    }

    /// The server refuses a userName that no object's account has, as far as is known: one that was deactivated keeps
    /// its name.
    fn name_is_taken(&self, pass: &UserPass, error: &Error) -> String {
        let name = &pass.object.spec.user_name;
        let known = match self.mirror.users.look(|known| known.by_identity(name, None)) {
            Known::Found(resource) => resource.id().map(str::to_owned),
            Known::Listed(id) => Some(id),
            _ => None,
        };
        let which = known.map_or_else(|| "another account".to_owned(), |id| format!("the account {id}"));
        format!(
            "{error}; {which} there has the userName {name:?}, as a deactivated one of a deleted object keeps it: rename or \
             delete it at the server, or declare another userName"
        )
    }
}

/// The server doesn't look for accounts by this attribute. userName is what each must know; of another attribute a 5xx
/// says the same, for servers answer that too to what they can't filter by.
pub(super) fn refuses_filter(class: Class, attribute: &str, value: &str) -> bool {
    let breaks = class == Class::Transient && (attribute != "userName" || is_special(value));
    breaks || matches!(class, Class::Rejected | Class::Unsupported)
}

/// A creation is refused for saying `active`, by the server's own words.
fn names_active(body: &Attributes, error: &Error) -> bool {
    body.contains_key(ACTIVE) && error.says_unsupported() && is_named(error.words(), ACTIVE)
}

/// The same in other words, or about something else: nothing was made, and without `active` it is tried again.
fn is_about_active(body: &Attributes, error: &Error) -> bool {
    let named = is_named(error.words(), ACTIVE);
    names_active(body, error) || (body.contains_key(ACTIVE) && named && !error.says_missing())
}

/// The value by which the server looks accounts up.
pub(super) fn identity(spec: &ScimUserSpec, match_by: MatchBy) -> String {
    let email = spec.attributes.emails.iter().flatten().next().map(|email| email.value.clone());
    match match_by {
        MatchBy::UserName => composed(&spec.user_name),
        MatchBy::Email => email.unwrap_or_else(|| composed(&spec.user_name)),
    }
}

/// What identifies an account that is about to be taken.
pub(super) fn claim_of_binding(pass: &UserPass, binding: &Binding) -> ClaimedAccount {
    let (server, uid) = (Some(pass.server().to_owned()), pass.object.uid());
    let same = |claimed: &ClaimedAccount| {
        claimed.uid == uid && claimed.server == server && fold(&claimed.user_name) == fold(&binding.name)
    };
    pass.object.claimed_account().filter(same).unwrap_or_else(|| {
        let shown = match &pass.account {
            Some(Account::Found { resource, .. }) => Some(resource),
            _ => None,
        };
        let email = shown.and_then(|shown| shown.emails().next().map(str::to_owned));
        let email = email.filter(|_| pass.session.policy.profile.match_by == MatchBy::Email);
        let external_id = shown.and_then(|shown| shown.external_id().map(str::to_owned));
        let (server, uid) = (server.clone(), uid.clone());
        ClaimedAccount { user_name: binding.name.clone(), email, external_id, server, uid }
    })
}

/// The account that a creation was sent for, or that was being taken, without a record of what came of it.
pub(super) fn unrecorded(pass: &UserPass) -> Option<ClaimedAccount> {
    pass.object.claimed_at(pass.server()).filter(|_| pass.status.id.is_none() && has_finalizer(&pass.object))
}

/// What identifies the account that a creation is about to make.
pub(super) fn claim_of_creation(pass: &UserPass) -> ClaimedAccount {
    let (spec, match_by) = (&pass.object.spec, pass.session.policy.profile.match_by);
    let email = (match_by == MatchBy::Email).then(|| identity(spec, match_by));
    let external_id = User::created_as(pass).1.map(str::to_owned);
    let (server, uid) = (Some(pass.server().to_owned()), pass.object.uid());
    ClaimedAccount { user_name: composed(&spec.user_name), email, external_id, server, uid }
}

/// The server says that somebody is there already, and shows nobody.
pub(super) fn exists_hidden(pass: &UserPass, error: &Error) -> String {
    let words = error.detail().unwrap_or_default();
    let names_external_id = error.words().contains("externalid");
    let what = match &pass.object.spec.external_id {
        Some(external_id) if names_external_id => format!(
            "the server says that another account has the externalId {external_id:?}, and shows none: it may be inactive, or \
             hidden from this key. Look for it there, and bind it by the annotation scim-operator.dev/remote-id, or declare \
             another externalId"
        ),
        _ => "the server says that this user exists already, and shows no account with this userName; look there for one \
              with the same e-mail"
            .to_owned(),
    };
    if words.is_empty() { what } else { format!("{what}. The server's words: {words}") }
}

/// The reason, and what may be the matter, where a write is answered as if there were no such account or method.
pub(super) fn denied(operation: &Operation) -> (Reason, &'static str) {
    match operation.request {
        Request::Patch { .. } => (
            Reason::NotSupported,
            "it seems to have no PATCH for users: set spec.dialect.writeUsers of the connection to Put",
        ),
        Request::Put { .. } => (
            Reason::NotSupported,
            "it seems to have no PUT for users: set spec.dialect.writeUsers of the connection to Patch",
        ),
        _ => (Reason::Rejected, "it doesn't delete users, or not this one: deletionPolicy may be Deactivate"),
    }
}
