//! The world as one of its two servers sees it.

use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;

use serde_json::Value;

use super::effects::Simulated;
use super::outside::{Fault, Outside, look};
use super::setup::BASE_URLS;
use super::site::Answer;
use crate::plan::Request;
use crate::scim::{Client, Kind, fold};

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
        ];
        match self.strikes(if creates { &kinds[..5] } else { &kinds }) {
            Some(Fault::Refused) => Answer::Broken,
            Some(Fault::Forbidden) => Answer::Forbidden,
            Some(Fault::Method) => Answer::Unsupported,
            Some(Fault::Missing) => Answer::NotFound,
            Some(Fault::Throttled) => Answer::Throttled,
            Some(Fault::ContentType) => Answer::ContentType,
            fault => {
                let answer = match kind {
                    Kind::Users => self.carry_out(&uid, request),
                    Kind::Groups => self.carry_out_group(&uid, request),
                };
                if fault.is_none() { answer } else { Answer::Broken }
            }
        }
    }
}
