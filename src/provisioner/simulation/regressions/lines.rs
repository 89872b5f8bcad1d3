//! What is logged of a pass.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::super::events::{Event, Spec};
use super::super::outside::Listing;
use super::super::setup::CONNECTION;
use super::super::world::World;
use super::setup;

/// Keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn lines(&self) -> Vec<Value> {
        let written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = written.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).expect("JSON")).collect()
    }
}

impl Write for Kept {
    fn write(&mut self, some: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(some)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn each_line_of_a_pass_is_of_its_connection_and_object_and_says_so_once() {
    let mut world = World::new(setup(), false);
    world.sweep(Listing::Whole);
    while world.page() {}
    world.happen(&Event::Declare(0, Spec::named(0)));
    while world.deliver() {}
    // Were there one alone, a thread that has none would say for all what is logged.
    let _other = tracing::dispatcher::Dispatch::new(tracing_subscriber::registry());
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..100 {
            world.take();
            world.advance(0);
        }
    });
    let lines = kept.lines();
    assert!(lines.iter().any(|line| line["message"] == "done" && line["operation"] == "Create"), "{lines:#?}");
    for line in lines {
        let span = (&line["span"]["connection"], &line["span"]["object"]);
        assert_eq!(span, (&format!("n/{CONNECTION}").into(), &"n/a".into()), "{line:#}");
        assert!(line.get("connection").is_none() && line.get("object").is_none(), "{line:#}");
    }
}
