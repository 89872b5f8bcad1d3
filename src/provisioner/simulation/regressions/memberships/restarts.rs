//! Members over a restart of the process: left as others changed them, or on their way.

use std::collections::BTreeSet;

use super::super::super::events::Event;
use super::super::super::group_events::{GroupEvent, Named};
use super::super::super::outside::{Fault, Place};
use super::super::super::setup::{GroupSetup, Setup};
use super::super::{bound, ends_well, id_of, setup, until};
use super::{change, declared, eng, looked_at, members};

/// Others put somebody in, and took somebody out, before the process begins anew; and more is declared in the same moment.
#[test]
fn i09_what_is_left_under_report_stays_left_over_a_restart_whatever_else_is_declared() {
    for seen in [true, false] {
        // Read again by each sweep.
        let groups = GroupSetup { versions: false, ..GroupSetup::default() };
        let mut world = bound(Setup { repair: (false, false, false), groups, ..setup() }, &[0, 1, 2]);
        world.happen(&Event::Invite(4, true));
        world.happen(&Event::Group(GroupEvent::Declare(0, eng(false, vec![Named::Place(0), Named::Place(1)]))));
        world.drain();
        looked_at(&mut world);
        let [ada, bob, cyd] = ["a", "b", "c"].map(|name| id_of(&world, name).expect("bound"));
        let position = |id: &str| world.outside().site.server.accounts.keys().position(|known| known == id);
        let dee = world.outside().site.server.accounts.keys().find(|id| ![&ada, &bob, &cyd].contains(id)).cloned();
        let dee = dee.expect("one more");
        let (joins, leaves) = (position(&dee).expect("there"), position(&bob).expect("there"));
        world.happen(&Event::Group(GroupEvent::Join(0, joins)));
        if seen {
            world.happen(&Event::Group(GroupEvent::Leave(0, leaves)));
            looked_at(&mut world);
        }
        let all = [0, 1, 2].map(Named::Place).to_vec();
        change(&mut world, false, all);
        world.happen(&Event::Restart);
        looked_at(&mut world);
        let mut expected = BTreeSet::from([ada, cyd, dee]);
        if !seen {
            expected.insert(bob);
        }
        assert_eq!(members(&world), expected, "{seen} {:#?}", world.trace());
    }
}

/// Nor is it left any longer once it is to be repaired.
#[test]
fn i09_whoever_is_dropped_under_report_goes_over_a_restart() {
    let groups = GroupSetup { versions: false, ..GroupSetup::default() };
    let (mut world, ada, _) = declared(Setup { repair: (false, false, false), groups, ..setup() }, false);
    change(&mut world, false, vec![Named::Place(0)]);
    world.happen(&Event::Restart);
    looked_at(&mut world);
    assert_eq!(members(&world), BTreeSet::from([ada]), "{:#?}", world.trace());
}

/// The server makes no group without members; the answer is lost, and who came with the creation is dropped meanwhile.
#[test]
fn i18_whoever_came_with_a_creation_that_got_no_answer_goes_when_they_are_dropped() {
    for (additive, restarts) in [(true, false), (true, true), (false, false), (false, true)] {
        let mut world = bound(setup(), &[0, 1]);
        let provisioner = std::sync::Arc::clone(&world.operator.provisioner);
        let epoch = provisioner.session().expect("connected").epoch;
        provisioner.mirror.groups.change(epoch, |known| known.never_empty = true);
        let both = vec![Named::Place(0), Named::Place(1)];
        world.happen(&Event::Group(GroupEvent::Declare(0, eng(additive, both))));
        while world.deliver_group() {}
        until(&mut world, Place::Request);
        world.happen(&Event::Fault(Fault::Lost));
        while !world.operator.flight.is_empty() {
            world.advance(0);
        }
        assert_eq!(members(&world).len(), 2, "{:#?}", world.trace());
        if restarts {
            world.happen(&Event::Restart);
        }
        world.happen(&Event::Group(GroupEvent::Members(0, vec![Named::Place(1)])));
        let world = ends_well(world);
        let bob = id_of(&world, "b").expect("bound");
        assert_eq!(members(&world), BTreeSet::from([bob]), "{additive} {restarts} {:#?}", world.trace());
    }
}
