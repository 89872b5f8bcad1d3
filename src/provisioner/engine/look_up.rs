//! Looking at accounts and groups, by id and by what identifies them.

use tokio::time::Instant;

use super::absence::{first_page, is_listed};
use super::failure::{looked_for_later, waiting};
use super::{Claimed, Kind, LOOK_AGAIN, ObjectStatus, Pass, SearchRefused, Stop};
use crate::api::Reason;
use crate::directory::Object;
use crate::plan::{Account, Verdict};
use crate::provisioner::connection::session::Session;
use crate::provisioner::effects::Effects;
use crate::provisioner::mirror::Mirror;
use crate::provisioner::mirror::listing::may_pass;
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::provisioner::schedule::queue::Outcome;
use crate::provisioner::{Provisioner, overrides};
use crate::scim::{Class, Error, Found, Kind as Collection, Lesson, Resource, is_as_special};

/// What somebody is told whom only the whole list can find.
const SEARCHED_IN_LIST: &str =
    "a search by filter proves nothing at this server, so it is looked for in the whole list, which is asked for now";

/// What somebody is told whose name not every filter can carry, where there is no list.
const NOBODY_FOUND_YET: &str = "a search by filter finds nobody of this name, which proves nothing before any search at this server \
                                has found somebody, and the server lists nothing without a filter; it is searched for again in a \
                                minute";

/// A search failed, and no word of it asks for patience: what can't be searched for is looked for in the list.
pub fn is_of_the_search(error: &Error) -> bool {
    error.status().is_some() && error.retry_after().is_none()
}

/// A resource that a search found.
#[derive(Clone, Debug)]
pub enum Hit {
    /// As the server showed it just now.
    Shown(Resource),
    /// In the list, under this id.
    Listed(String),
}

impl Hit {
    /// Its id.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Shown(resource) => resource.id(),
            Self::Listed(id) => Some(id),
        }
    }
}

impl<E: Effects> Provisioner<E> {
    /// Reads the resource with this id.
    pub(in crate::provisioner) async fn read<K: Kind>(&self, pass: &mut Pass<K>, id: &str) -> Result<(), Stop<K>> {
        let deadline = self.turn(pass, RequestKind::Read, Priority::Write).await?;
        let members = K::asks_members(&pass.session);
        let answer = match self.effects.get(&pass.session.client, K::COLLECTION, id, members, deadline).await {
            Ok(resource) => K::asked_further(self, pass, resource).await,
            Err(error) => Err(error),
        };
        pass.account = match answer {
            Ok(Some(resource)) => {
                self.in_mirror(pass, |mirror| {
                    let unlisted = mirror.is_complete() && !mirror.shows(id);
                    let sightings = mirror.sightings_mut();
                    sightings.confirmed(id);
                    if unlisted {
                        sightings.found_unlisted();
                    }
                });
                K::read(self, pass, resource)?
            }
            Ok(None) => return Err(Stop::WithoutStatus(Outcome::Paused)),
            Err(error) if self.passes_for_missing(pass, id, &error) => Some(self.not_found(pass, id, &error).await?),
            Err(error) => return Err(K::read_failed(self, pass, &error)),
        };
        Ok(())
    }

    /// Looks for the resource by what identifies it: first for what was claimed without a record of what came of it, or
    /// was bound under an id that is gone; both may have another name than the one declared now.
    pub(in crate::provisioner) async fn find<K: Kind>(&self, pass: &mut Pass<K>) -> Result<(), Stop<K>> {
        pass.creations.searched = true;
        let mut keys = K::keys(pass);
        let mut found: Vec<Hit> = Vec::new();
        let claimed = K::unrecorded(self, pass).map(|Claimed { claim, key }| (claim, key.into_owned()));
        if let Some((claim, key)) = claimed {
            let hits = self.search(pass, K::NAME, &key).await?;
            if let Some(hit) = self.claimed_hit(pass, &claim, &hits).cloned() {
                self.take_hit(pass, hit);
                return Ok(());
            }
            if keys.first().is_some_and(|(_, wanted)| K::same_name(&key, wanted)) {
                found = hits;
                keys.remove(0);
            }
        }
        if let Some(former) = pass.former_name().map(str::to_owned) {
            let hits = self.search(pass, K::NAME, &former).await?;
            if let Some(hit) = self.only_free(pass, &hits).cloned() {
                self.take_hit(pass, hit);
                return Ok(());
            }
        }
        for (attribute, value) in keys {
            for hit in self.search(pass, attribute, &value).await? {
                if !found.iter().any(|known| known.id() == hit.id()) {
                    found.push(hit);
                }
            }
        }
        for hit in &found {
            if let Hit::Shown(resource) = hit {
                self.apply_response(pass, resource);
            }
        }
        match found.len() {
            0 => pass.account = Some(Account::Absent { fresh: true }),
            1 => self.take_hit(pass, found.remove(0)),
            _ => pass.account = Some(Account::Contradictory(K::several())),
        }
        Ok(())
    }

    fn take_hit<K: Kind>(&self, pass: &mut Pass<K>, hit: Hit) {
        pass.account = Some(match hit {
            Hit::Shown(resource) => {
                let id = resource.id().unwrap_or_default();
                self.in_mirror(pass, |mirror| mirror.sightings_mut().confirmed(id));
                self.apply_response(pass, &resource);
                Account::Found { resource, fresh: true }
            }
            Hit::Listed(id) => Account::Listed(id),
        });
    }

    /// The resource that was claimed, unless somebody else holds it by now; among namesakes none is certain to be ours.
    fn claimed_hit<'a, K: Kind>(&self, pass: &Pass<K>, claim: &K::Claim, hits: &'a [Hit]) -> Option<&'a Hit> {
        let same = |hit: &Hit| match hit {
            Hit::Shown(resource) => K::has_claimed_name(resource, claim),
            Hit::Listed(_) => true,
        };
        self.only_free(pass, hits.iter().filter(|hit| same(hit)))
    }

    /// The one that nobody else holds.
    fn only_free<'a, K: Kind>(&self, pass: &Pass<K>, hits: impl IntoIterator<Item = &'a Hit>) -> Option<&'a Hit> {
        let held = |hit: &Hit| K::claims(self, pass, hit.id()).holder.is_some_and(|holder| holder.has_account);
        let mut free = hits.into_iter().filter(|hit| !held(hit));
        free.next().filter(|_| free.next().is_none())
    }

    /// Those that have this value: by a filter, and where that proves nothing, in the whole list (promise I11).
    async fn search<K: Kind>(&self, pass: &Pass<K>, attribute: &str, value: &str) -> Result<Vec<Hit>, Stop<K>> {
        if !K::may_filter(&pass.session, attribute) {
            return self.search_list(pass, attribute, value);
        }
        let deadline = self.turn(pass, RequestKind::Read, Priority::Write).await?;
        let answer = self.find_all(&pass.session, K::COLLECTION, (attribute, value), deadline).await;
        // Should nothing else be found, a person is told of them.
        answer.iter().flat_map(|found| &found.alike).for_each(|alike| self.apply_response(pass, alike));
        let error = match answer {
            Ok(found) if !found.hits.is_empty() => {
                self.in_mirror(pass, |mirror| mirror.sightings_mut().filter_found(attribute));
                return Ok(found.hits.into_iter().map(Hit::Shown).collect());
            }
            Ok(_) if self.trusts_filters::<K>(&pass.session) => return Ok(Vec::new()),
            Ok(found) if found.all && (K::finds_surely(value) || !K::lists(&pass.session)) => {
                return self.found_nobody(pass, attribute, value).await;
            }
            Ok(_) => return self.search_list(pass, attribute, value),
            Err(error) => error,
        };
        match K::search_refused(self, &pass.session, (attribute, value), &error) {
            // It may go away by itself.
            SearchRefused::List if !K::lists(&pass.session) && may_pass(error.class()) => {
                Err(self.failed(pass, &error))
            }
            SearchRefused::List => {
                self.note_failure(&error);
                self.search_list(pass, attribute, value)
            }
            SearchRefused::Collection => {
                self.collection_answers(pass, &error).await?;
                Err(self.failed(pass, &error))
            }
            SearchRefused::Stop(stop) => Err(stop),
            SearchRefused::Failed => Err(self.failed(pass, &error)),
        }
    }

    /// Those that have this value, by a filter. There are servers that answer 404 where they find nobody: so it is where the
    /// collection itself answers (promise I12).
    pub(in crate::provisioner) async fn find_all(
        &self,
        session: &Session,
        collection: Collection,
        (attribute, value): (&str, &str),
        deadline: Instant,
    ) -> Result<Found, Error> {
        let answer = self.effects.find(&session.client, collection, attribute, value, deadline).await;
        let Some(error) = answer.as_ref().err().filter(|error| error.class() == Class::NotFound) else { return answer };
        let (error, start) = (error.clone(), first_page(session, collection));
        let Some(deadline) = self.in_turn(session, RequestKind::Read, Priority::Write).await else { return Err(error) };
        match self.effects.page(&session.client, collection, &start, 1, deadline).await {
            Ok(page) => Ok(Found { all: !page.is_hollow(), ..Found::default() }),
            // It says that it lists nobody without a filter.
            Err(list) if list.wants_filter() => Ok(Found { all: true, ..Found::default() }),
            // It is known to refuse that, and so it is there.
            Err(list) if !is_listed(session, collection) && list.class() == Class::Rejected => {
                Ok(Found { all: true, ..Found::default() })
            }
            Err(_) => Err(error),
        }
    }

    /// Whoever isn't found by a filter isn't there: there is no list that could tell, and a preset or a person says so.
    fn trusts_filters<K: Kind>(&self, session: &Session) -> bool {
        let said = !session.policy.profile.learns || overrides(&self.connection().spec).filters;
        said && !K::lists(session)
    }

    /// A filter let nobody through. That is so where it was ever seen to let somebody through, and the list shows nobody:
    /// some servers compare letter by letter, or find nobody at all. A value that not every filter can carry is believed
    /// where one like it was found, or where no list tells more.
    async fn found_nobody<K: Kind>(&self, pass: &Pass<K>, attribute: &str, value: &str) -> Result<Vec<Hit>, Stop<K>> {
        let surely = K::finds_surely(value);
        let known = K::mirror(self).look_in(pass.session.epoch, |mirror| {
            let like = |known: &str| is_as_special(known, value);
            let alike = if surely { None } else { mirror.sample(attribute, &like) };
            let settled = alike.is_none() && mirror.sightings().filter_is_heeded(attribute);
            let sample = if settled { None } else { alike.or_else(|| mirror.sample(attribute, &|_| true)) };
            (mirror.having(attribute, value), settled, sample)
        });
        let (listed, settled, sample) = known.unwrap_or_default();
        if !listed.is_empty() {
            return Ok(listed.into_iter().map(Hit::Listed).collect());
        }
        let Some(sample) = sample else {
            let told = settled || surely;
            return if told { Ok(Vec::new()) } else { Err(looked_for_later(pass, NOBODY_FOUND_YET.to_owned())) };
        };
        if self.finds_known::<K, K>(pass, attribute, &sample).await? {
            return Ok(Vec::new());
        }
        self.search_list(pass, attribute, value)
    }

    /// Searches for one of a collection that is known to be there. Where a filter that any server can read doesn't find it,
    /// that is learnt; one that finds nobody of another value may find others.
    pub(in crate::provisioner) async fn finds_known<S: Kind, K: Kind>(
        &self,
        pass: &Pass<K>,
        attribute: &str,
        sample: &str,
    ) -> Result<bool, Stop<K>> {
        let deadline = self.turn(pass, RequestKind::Read, Priority::Write).await?;
        match self.find_all(&pass.session, S::COLLECTION, (attribute, sample), deadline).await {
            Ok(found) if !found.hits.is_empty() => {
                S::mirror(self).change(pass.session.epoch, |mirror| mirror.sightings_mut().filter_found(attribute));
                Ok(true)
            }
            Ok(_) => {
                if S::COLLECTION == Collection::Users && S::finds_surely(sample) {
                    self.apply_lessons(&pass.session, [Lesson::NoFilter(attribute.to_owned())]);
                }
                Ok(false)
            }
            Err(error) => Err(self.failed(pass, &error)),
        }
    }

    /// The same by a complete listing that began after this was asked.
    fn search_list<K: Kind>(&self, pass: &Pass<K>, attribute: &str, value: &str) -> Result<Vec<Hit>, Stop<K>> {
        if !K::lists(&pass.session) {
            return Err(self.own_error(pass, Reason::NotSupported, found_by_nothing(attribute)));
        }
        let uid = pass.uid();
        let known = K::mirror(self).change(pass.session.epoch, |mirror| {
            let asked_before = mirror.sightings().is_searching(&uid);
            let answered = mirror.sightings_mut().search(&uid);
            (asked_before, answered.then(|| mirror.having(attribute, value)))
        });
        let (asked_before, listed) = known.unwrap_or_default();
        if let Some(listed) = listed {
            return Ok(listed.into_iter().map(Hit::Listed).collect());
        }
        if !asked_before {
            self.ask_for_sweep();
        } else if let Some(gap) = self.connection.state.gap(K::COLLECTION.path()) {
            return Err(stalled_by_gap(pass, &gap));
        }
        // What was said of this generation stands until the list shows something else (promise I1).
        if pass.status.observed_generation() == pass.object.metadata().generation {
            return Err(Stop::WithoutStatus(Outcome::After(LOOK_AGAIN)));
        }
        Err(looked_for_later(pass, SEARCHED_IN_LIST.to_owned()))
    }

    /// What the server showed, unless it was asked in a time that doesn't count any more.
    pub(in crate::provisioner) fn apply_response<K: Kind>(&self, pass: &Pass<K>, resource: &Resource) {
        self.in_mirror(pass, |mirror| mirror.apply(resource));
    }

    /// The resource is gone.
    pub(in crate::provisioner) fn forget_resource<K: Kind>(&self, pass: &Pass<K>, id: &str) {
        self.in_mirror(pass, |mirror| mirror.forget(id));
    }

    /// Changes what is known, unless the pass is of a time that doesn't count any more.
    pub(in crate::provisioner) fn in_mirror<K: Kind>(&self, pass: &Pass<K>, change: impl FnOnce(&mut K::Mirror)) {
        K::mirror(self).change(pass.session.epoch, change);
    }
}

/// What somebody is told whom neither a list nor a search can find.
fn found_by_nothing(attribute: &str) -> String {
    format!(
        "the server lists nothing without a filter, and a search by {attribute} proves nothing here, so it isn't known whether \
         it exists already, and it is not created. Allow the key to list all, bind what exists by the annotation \
         scim-operator.dev/remote-id, or set spec.dialect.filters of the connection if its searches can be trusted"
    )
}

/// What only the whole list can find isn't found while that isn't whole; as soon as it is, it is looked for again.
fn stalled_by_gap<K: Kind>(pass: &Pass<K>, gap: &str) -> Stop<K> {
    let message = format!("only the whole list can tell whether it exists already, and {gap}; nothing is created");
    let verdict = Verdict { reason: Some(Reason::Rejected), state: Some(K::FAILED), ..waiting(pass, message) };
    Stop::With(Box::new(verdict), Outcome::After(LOOK_AGAIN))
}
