//! Whether what a request didn't find is gone (promises I11, I12).

use super::failure::{looked_for_later, try_later};
use super::{Kind, Pass, Stop};
use crate::plan::{Account, Operation, Request};
use crate::provisioner::Provisioner;
use crate::provisioner::connection::session::Session;
use crate::provisioner::effects::Effects;
use crate::provisioner::mirror::Mirror;
use crate::provisioner::mirror::listing::{Gap, GapIn};
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::scim::{Class, Error, Kind as Collection, Page, Start};

/// The name of nobody (RFC 2606).
const NOBODY: &str = "nobody@example.invalid";

/// So often a 5xx is met about what no list shows before it is taken for what the server has to say of ids that it doesn't know.
const TROUBLES: u32 = 4;

impl<E: Effects> Provisioner<E> {
    /// There are servers that answer otherwise than by 404 where they don't know an id: 400, 422, or 500. It is so where the
    /// whole list was shown since the resource was, and not the resource.
    pub(in crate::provisioner) fn passes_for_missing<K: Kind>(&self, pass: &Pass<K>, id: &str, error: &Error) -> bool {
        if error.class() == Class::NotFound {
            return true;
        }
        let told = match error.status() {
            Some(400 | 422) => error.class() == Class::Rejected,
            Some(500) => error.retry_after().is_none() && self.notes.troubles(&pass.uid()) >= TROUBLES,
            _ => false,
        };
        let unlisted = || {
            let gone = |known: &K::Mirror| known.lists_all() && !known.shows(id);
            K::mirror(self).look_in(pass.session.epoch, gone) == Some(true)
        };
        told && unlisted()
    }

    /// A 404 to a read says nothing before the collection itself answers properly, and then only the second time.
    pub(super) async fn not_found<K: Kind>(&self, pass: &Pass<K>, id: &str, error: &Error) -> Result<Account, Stop<K>> {
        self.collection_answers(pass, error).await?;
        let now = self.effects.now();
        let gone = K::mirror(self).change(pass.session.epoch, |mirror| {
            let gone = mirror.missing(id, now);
            if gone {
                mirror.forget(id);
            }
            gone
        });
        if gone != Some(true) {
            return Ok(Account::Missing);
        }
        Ok(K::namesake(self, pass).unwrap_or(Account::Absent { fresh: true }))
    }

    /// A 404 to a write says nothing of the resource: it is read by its id (promise I12).
    pub(super) async fn look_at_refused<K: Kind>(
        &self,
        pass: &mut Pass<K>,
        id: &str,
        operation: &Operation<K>,
        error: &Error,
    ) -> Result<(), Stop<K>> {
        self.read(pass, id).await?;
        let is_there = matches!(pass.account, Some(Account::Found { .. }));
        if is_there && self.goes_on_in_parts(pass, operation, error) {
            return Ok(());
        }
        match (&pass.account, &operation.request) {
            // What was wanted. Whoever declares the name next must not find it here.
            (Some(Account::Missing), Request::Delete { .. }) if error.class() == Class::NotFound => {
                self.forget_resource(pass, id);
                pass.account = Some(Account::Absent { fresh: true });
                Ok(())
            }
            (Some(Account::Found { .. }), _) => {
                if K::removes_otherwise(self, pass, operation) {
                    return Ok(());
                }
                if error.class() != Class::NotFound {
                    return Err(self.failed(pass, error));
                }
                self.note_failure(error);
                let (reason, what) = K::denied(operation);
                let message = format!("{}, and still shows the {} {id:?}: {what}", error.without_advice(), K::NOUN);
                Err(self.own_error(pass, reason, message))
            }
            _ => Ok(()),
        }
    }

    /// A 404 is the object's only where the collection itself is there; else it is the connection's (promise I12).
    pub(super) async fn collection_answers<K: Kind>(&self, pass: &Pass<K>, error: &Error) -> Result<(), Stop<K>> {
        if !K::lists(&pass.session) && self.answers_searches(pass).await? {
            return Ok(());
        }
        match self.first_page::<K>(pass).await? {
            Ok(page) if page.is_hollow() => {
                let gap = Gap::Hollow(page.total.unwrap_or_default());
                let message = format!("{}; {}", error.without_advice(), GapIn(&gap, K::COLLECTION));
                Err(looked_for_later(pass, message))
            }
            Ok(_) => Ok(()),
            // It says that it lists nobody without a filter.
            Err(probe) if probe.wants_filter() => Ok(()),
            // A list that never went through may fail for good.
            Err(probe) if fails_by_itself(&probe) && !self.was_listed(pass) && self.answers_searches(pass).await? => {
                Ok(())
            }
            Err(probe) => {
                self.request_probe();
                Err(if probe.class() == Class::NotFound { try_later(pass, error) } else { self.failed(pass, &probe) })
            }
        }
    }

    /// The beginning of the collection. One entry alone may be one of those that a server counts and doesn't show.
    async fn first_page<K: Kind>(&self, pass: &Pass<K>) -> Result<Result<Page, Error>, Stop<K>> {
        let (client, start) = (&pass.session.client, first_page(&pass.session, K::COLLECTION));
        let deadline = self.turn(pass, RequestKind::Read, Priority::Write).await?;
        let first = self.effects.page(client, K::COLLECTION, &start, 1, deadline).await;
        if !first.as_ref().is_ok_and(Page::is_hollow) {
            return Ok(first);
        }
        let deadline = self.turn(pass, RequestKind::Read, Priority::Write).await?;
        Ok(self.effects.page(client, K::COLLECTION, &start, pass.session.policy.profile.page_size, deadline).await)
    }

    /// The whole collection was shown since the connection leads to this server.
    fn was_listed<K: Kind>(&self, pass: &Pass<K>) -> bool {
        K::mirror(self).look_in(pass.session.epoch, |mirror| mirror.sightings().was_listed()) != Some(false)
    }

    /// Where nothing is listed without a filter, or nothing at all, the collection is asked for somebody whom nobody can be.
    async fn answers_searches<K: Kind>(&self, pass: &Pass<K>) -> Result<bool, Stop<K>> {
        let deadline = self.turn(pass, RequestKind::Read, Priority::Write).await?;
        Ok(self.effects.find(&pass.session.client, K::COLLECTION, K::NAME, NOBODY, deadline).await.is_ok())
    }
}

/// The list is refused, or breaks, and nothing speaks of a trouble that passes or that others have, too.
fn fails_by_itself(error: &Error) -> bool {
    let of_the_list =
        matches!(error.class(), Class::Rejected | Class::Forbidden | Class::Unsupported | Class::Transient);
    let passes = matches!(error.status(), None | Some(408 | 425 | 502..=504));
    of_the_list && !passes && error.retry_after().is_none()
}

/// All of the collection can be listed.
pub(super) fn is_listed(session: &Session, collection: Collection) -> bool {
    let profile = &session.policy.profile;
    match collection {
        Collection::Users => profile.list_users,
        Collection::Groups => profile.list_groups,
    }
}

/// Where a collection is asked whether it answers at all.
pub(super) fn first_page(session: &Session, collection: Collection) -> Start {
    match collection {
        Collection::Users => Start::Index(1),
        Collection::Groups => Start::first(session.policy.profile.paging),
    }
}
