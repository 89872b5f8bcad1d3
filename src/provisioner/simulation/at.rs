//! The world as one of its two servers sees it.

use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;

use serde_json::Value;

use super::checks::id_of;
use super::effects::Simulated;
use super::outside::{Fault, Outside, look};
use super::quirks::Filters;
use super::setup::BASE_URLS;
use super::site::Answer;
use crate::api::ScimUser;
use crate::directory::is_deleting;
use crate::plan::Request;
use crate::scim::{Client, Found, Kind, fold, is_special};

impl Simulated {
    /// The world as the server sees it that this client leads to.
    pub fn at(&self, client: &Client) -> At<'_> {
        let mut outside = look(&self.0);
        let elsewhere = !format!("{client:?}").contains(BASE_URLS[outside.server]);
        if elsewhere {
            outside.swap_servers();
        }
        At { outside, elsewhere }
    }
}

/// The world, for a moment as a server sees it that the connection led to before.
pub struct At<'a> {
    outside: MutexGuard<'a, Outside>,
    elsewhere: bool,
}

impl Drop for At<'_> {
    fn drop(&mut self) {
        if self.elsewhere {
            self.outside.swap_servers();
        }
    }
}

impl Deref for At<'_> {
    type Target = Outside;

    fn deref(&self) -> &Outside {
        &self.outside
    }
}

impl DerefMut for At<'_> {
    fn deref_mut(&mut self) -> &mut Outside {
        &mut self.outside
    }
}

impl Outside {
    /// Whom a search by a filter finds, now or, where reads lag behind, a while ago.
    pub fn search(&mut self, kind: Kind, attribute: &str, value: &str, stale: bool) -> Found {
        let uid = self.observed.at_work.clone().unwrap_or_default();
        let of = |outside: &Self, stale| match kind {
            Kind::Users => outside.site.find_by(attribute, value, stale),
            Kind::Groups => outside.site.groups.named(value, stale),
        };
        let mut hits = of(self, stale);
        if stale {
            // A look-up that doesn't show what was just made hides a lost creation from its own object.
            let shown = |id: Option<&str>| hits.iter().any(|hit| hit.id() == id);
            let hidden = of(self, false).into_iter().filter(|now| !shown(now.id()));
            self.book.hidden.extend(hidden.filter_map(|now| Some((uid.clone(), now.id()?.to_owned()))));
        }
        // Of a lost creation among namesakes nobody can tell which it made, even if it is alone a moment later.
        let unnamed = |user: &ScimUser| is_deleting(user) && id_of(user).is_none_or(|id| self.site.get(id).is_none());
        let leaves = self.cluster.objects.get(&uid).is_some_and(unnamed);
        if hits.len() > 1 && leaves && kind == Kind::Users {
            self.excuse(&uid, None);
        }
        let all = match self.site.quirks.filters {
            Filters::Blind => {
                hits.clear();
                true
            }
            Filters::Plain => {
                hits.retain(|_| !is_special(value));
                true
            }
            // Whoever else is shown tells that it wasn't heeded.
            Filters::Ignored => match kind {
                Kind::Users => self.site.list(stale).len() == hits.len(),
                Kind::Groups => self.site.groups.list(stale).len() == hits.len(),
            },
            Filters::Heeded | Filters::Refused => true,
        };
        self.say(|| format!("  finds {hits:?}"));
        let hits = hits.into_iter().map(|hit| self.received(kind, hit)).collect();
        Found { hits, all, ..Found::default() }
    }

    /// A request arrives at the server; a fault may come before or after it takes effect.
    pub fn receive(&mut self, kind: Kind, request: &Request) -> Answer {
        let uid = self.observed.at_work.clone().unwrap_or_default();
        let creates = match request {
            Request::Create(body) => {
                let name = body.get("userName").and_then(Value::as_str).map(fold).unwrap_or_default();
                self.book.asked.insert((uid.clone(), name));
                true
            }
            _ => false,
        };
        let kinds = [
            Fault::Refused,
            Fault::Lost,
            Fault::Throttled,
            Fault::ContentType,
            Fault::Forbidden,
            Fault::Missing,
            Fault::Method,
            Fault::Mute,
        ];
        let fault = self.strikes(if creates { &kinds[..5] } else { &kinds });
        if matches!(fault, Some(Fault::Forbidden | Fault::Method | Fault::Missing)) {
            self.book.forbidden.extend(request.target().map(str::to_owned));
        }
        match fault {
            Some(Fault::Refused) => Answer::Broken,
            Some(Fault::Forbidden) => Answer::Forbidden,
            Some(Fault::Mute) => Answer::Mute,
            Some(Fault::Method) => Answer::Unsupported,
            Some(Fault::Missing) => Answer::NotFound,
            Some(Fault::Throttled) => Answer::Throttled,
            Some(Fault::ContentType) => Answer::ContentType,
            fault => {
                let answer = match (self.sent(kind, request), kind) {
                    (Err(refusal), _) => refusal,
                    (Ok(sent), Kind::Users) => self.carry_out(&uid, &sent),
                    (Ok(sent), Kind::Groups) => self.carry_out_group(&uid, &sent),
                };
                if fault.is_none() { answer } else { Answer::Broken }
            }
        }
    }
}
