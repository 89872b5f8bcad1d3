//! What deleting an object does, as far as users and groups don't differ: how it begins, and how it may end.

use super::claims::{Departure, InTheWay, Successor};
use super::commands::Named;
use super::outcome::settle;
use super::resource_type::ResourceType;
use super::step::{Step, Verdict};
use crate::api::{RELEASE, Reason};

/// What an object that waits under deletion is told: nothing blocks silently (promise I15). `full_name` is its
/// `namespace/name`.
pub fn way_out<T: ResourceType>(full_name: &str) -> String {
    let command = Named::by_full_name(T::RESOURCE, full_name).annotate(&format!("{RELEASE}=true"));
    format!("To release it without touching the {}: {command}", T::NOUN)
}

/// An object under deletion, as far as it goes without a look at its account or group.
pub(super) struct Leaving<'a> {
    /// `namespace/name`.
    pub full_name: &'a str,
    /// Something was, or may have been, sent for it.
    pub sent: bool,
    /// The annotation `release` is set.
    pub released: bool,
    /// Who takes over its account or group.
    pub successor: Option<&'a Successor>,
    /// The deletion policy is Retain.
    pub retained: bool,
    /// The connection permits it.
    pub permitted: bool,
    /// It is bound at another server, or may have made something there.
    pub elsewhere: bool,
    /// What is suspended, if anything is.
    pub suspended: Option<&'static str>,
}

impl Leaving<'_> {
    /// The first rows of the table; none where the account or group is to be looked at.
    pub fn decided<T: ResourceType>(&self) -> Option<Step<T>> {
        let noun = T::NOUN;
        if !self.sent {
            return Some(remove_finalizer("nothing was ever sent for it"));
        }
        if self.released {
            return Some(left_as_is("released by annotation"));
        }
        if let Some(successor) = self.successor {
            return Some(hand_over(self.full_name, successor));
        }
        if self.retained {
            return Some(left_as_is("the deletion policy is Retain"));
        }
        if !self.permitted {
            return Some(left_as_is("the connection's spec.actions doesn't list Deprovision"));
        }
        if self.elsewhere {
            let why = format!(
                "bound to {} of another server, or may have made one there, which is left untouched; put the connection's \
                 baseUrl and tenant back, or release the object",
                T::ONE
            );
            return Some(waits(self.full_name, Reason::BoundElsewhere, &why));
        }
        let suspended = self.suspended?;
        let why =
            format!("{suspended}: the {noun} is untouched for now; set spec.suspend to false, or release the object");
        Some(waits(self.full_name, Reason::Suspended, &why))
    }
}

/// The object goes, and what its deletion asks for is done.
pub(super) fn remove_finalizer<T: ResourceType>(message: &str) -> Step<T> {
    departs(message.to_owned(), Departure::Done)
}

/// The account or group is left, though the object goes.
pub(super) fn left_as_is<T: ResourceType>(why: &str) -> Step<T> {
    departs(format!("{why}: the {} stays as it is", T::NOUN), Departure::LeftAsIs)
}

/// The object goes without a removal: this one is bound to the account or group.
fn handed_over<T: ResourceType>(name: &str) -> Step<T> {
    departs(format!("handed over to {name}"), Departure::HandedOver(name.to_owned()))
}

fn departs<T: ResourceType>(message: String, departure: Departure) -> Step<T> {
    Step::RemoveFinalizer(Box::new(Verdict { message, executed: true, departure, ..Verdict::default() }))
}

/// The successor is bound first, and only then does the object go without a removal (promise I8).
fn hand_over<T: ResourceType>(full_name: &str, successor: &Successor) -> Step<T> {
    let name = &successor.name;
    if successor.bound {
        return handed_over(name);
    }
    let why = format!(
        "{name} declares the same {}: this object goes once that one has taken over the {}{}",
        T::NAME,
        T::NOUN,
        successor.kept_by()
    );
    settle(Verdict { awaits: Some(successor.clone()), ..waiting(full_name, Reason::Pending, &why) })
}

/// The id that is bound is `gone`, and `found` has the name (promise I6).
pub(super) fn renumbered<T: ResourceType>(full_name: &str, gone: &str, found: &str, in_the_way: &InTheWay) -> Step<T> {
    let noun = T::NOUN;
    match in_the_way {
        InTheWay::Passing(holder) => {
            let why = format!(
                "the server doesn't have {gone:?} any more, and {holder} may have the {noun} {found:?}, which has its name, \
                 or give it up: this object waits until that is certain"
            );
            waits(full_name, Reason::Pending, &why)
        }
        InTheWay::HasIt(holder) => handed_over(holder),
        InTheWay::Else => left_as_is(&format!(
            "the server doesn't have {gone:?} any more, and the {noun} {found:?}, which has its name, isn't certain to be its \
             own"
        )),
    }
}

/// Under deletion and waiting.
pub(super) fn waits<T: ResourceType>(full_name: &str, reason: Reason, message: &str) -> Step<T> {
    settle(waiting(full_name, reason, message))
}

/// The same as a verdict: the way out is always named (promise I15).
fn waiting<T: ResourceType>(full_name: &str, reason: Reason, message: &str) -> Verdict<T> {
    Verdict {
        reason: Some(reason),
        message: format!("{message}. {}", way_out::<T>(full_name)),
        state: Some(T::DELETING),
        // What goes on by itself is owed as before: it is neither observed nor answered, and what was asked of the guards
        // for it stands.
        executed: !matches!(reason, Reason::Suspended | Reason::Pending),
        ..Verdict::default()
    }
}
