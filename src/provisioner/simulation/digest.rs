//! Tells one state of a world from another, by everything that there is to be told of it.

use std::fmt::{Debug, Write};
use std::hash::{DefaultHasher, Hasher};

use kube::ResourceExt;
use serde::Serialize;

use super::cluster::WatchEvent;
use super::cluster_groups::GroupWatchEvent;
use super::world::World;
use crate::api::{ScimGroup, ScimUser, Uid};

/// Hashes what `Debug` writes. What stands in braces counts in any order, for maps have none.
struct Digest {
    open: Vec<Level>,
    quoted: bool,
    escaped: bool,
}

/// One pair of braces or brackets, and what stands in it so far.
#[derive(Default)]
struct Level {
    ordered: bool,
    items: Vec<u64>,
    item: u64,
}

fn mix(hash: u64, value: u64) -> u64 {
    (hash.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95)
}

impl Level {
    fn end_item(&mut self) {
        let item = std::mem::take(&mut self.item);
        if item != 0 {
            self.items.push(item);
        }
    }

    fn hash(mut self) -> u64 {
        self.end_item();
        if !self.ordered {
            self.items.sort_unstable();
        }
        self.items.iter().fold(1 + u64::from(self.ordered), |hash, item| mix(hash, *item))
    }
}

impl Digest {
    fn new() -> Self {
        Self { open: vec![Level { ordered: true, ..Level::default() }], quoted: false, escaped: false }
    }

    fn of(&mut self, what: &impl Debug) {
        write!(self, "{what:?},").expect("a digest takes whatever is written to it");
    }

    /// Texts, in their order.
    fn texts(&mut self, texts: &[String]) {
        for text in texts {
            let mut hash = DefaultHasher::new();
            hash.write(text.as_bytes());
            self.add(hash.finish());
        }
        self.of(&texts.len());
    }

    fn add(&mut self, value: u64) {
        if let Some(level) = self.open.last_mut() {
            level.item = mix(level.item, value);
        }
    }

    fn take(&mut self, read: u8) {
        let structural = !self.quoted;
        self.quoted ^= read == b'"' && !self.escaped;
        self.escaped = self.quoted && read == b'\\' && !self.escaped;
        match read {
            b' ' if structural => {}
            b'{' | b'[' | b'(' if structural => {
                self.open.push(Level { ordered: read != b'{', ..Level::default() });
            }
            b'}' | b']' | b')' if structural && self.open.len() > 1 => {
                let hash = self.open.pop().map(Level::hash).unwrap_or_default();
                self.add(hash);
            }
            b',' if structural => {
                if let Some(level) = self.open.last_mut() {
                    level.end_item();
                }
            }
            _ => self.add(u64::from(read) + 1),
        }
    }

    fn end(mut self) -> u64 {
        let hash = self.open.pop().map(Level::hash).unwrap_or_default();
        self.open.iter().fold(hash, |hash, level| mix(hash, level.item))
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for read in text.bytes() {
            self.take(read);
        }
        Ok(())
    }
}

/// What can be told of an object beside how often it was written.
fn object<K: ResourceExt>(object: &K, spec: &impl Serialize, status: &impl Serialize) -> String {
    let meta = object.meta();
    let deleted = meta.deletion_timestamp.as_ref();
    let told =
        (meta.uid.as_ref(), meta.generation, deleted, meta.finalizers.as_ref(), object.annotations(), object.labels());
    serde_json::to_string(&(told, spec, status)).unwrap_or_default()
}

fn user(user: &ScimUser) -> String {
    object(user, &user.spec, &user.status)
}

fn group(group: &ScimGroup) -> String {
    object(group, &group.spec, &group.status)
}

impl World {
    /// What the cluster, the server and the operator have written down, what every pass has heard so far, and what the
    /// checks remember.
    pub fn digest(&self, more: &impl Debug) -> u64 {
        let mut digest = Digest::new();
        digest.of(more);
        let operator = &self.operator.provisioner;
        operator.schedule.inspect(|queue, windows| digest.of(&(queue, windows)));
        operator.mirror.users.look(|users| digest.of(users));
        operator.mirror.groups.look(|groups| digest.of(groups));
        operator.group_notes.inspect(|notes| digest.of(notes));
        operator.notes.inspect(|notes| digest.of(notes));
        operator.guards.inspect(|gate| digest.of(gate));
        let directory = &operator.directory;
        let mut known: Vec<String> = directory.all().iter().map(|known| user(known)).collect();
        for each in directory.all_groups() {
            let members = directory.membership(&Uid::of(&each.metadata), |members| {
                let mut digest = Digest::new();
                digest.of(members);
                digest.end()
            });
            known.push(format!("{} {members:?}", group(&each)));
        }
        known.sort_unstable();
        digest.texts(&known);
        let mut flight: Vec<_> = self.operator.flight.iter().map(|flight| (&flight.ticket, flight.steps)).collect();
        flight.sort_by(|(one, _), (other, _)| one.uid.cmp(&other.uid));
        digest.of(&flight);
        let outside = self.outside();
        let cluster = &outside.cluster;
        let news = cluster.events.iter().map(|news| match news {
            WatchEvent::Applied(applied) => user(applied),
            WatchEvent::Deleted(uid) => uid.to_string(),
        });
        digest.texts(&news.collect::<Vec<_>>());
        let news = cluster.group_events.iter().map(|news| match news {
            GroupWatchEvent::Applied(applied) => group(applied),
            GroupWatchEvent::Deleted(uid) => uid.to_string(),
        });
        digest.texts(&news.collect::<Vec<_>>());
        digest.texts(&cluster.objects.values().map(user).collect::<Vec<_>>());
        digest.texts(&cluster.groups.values().map(group).collect::<Vec<_>>());
        let status = serde_json::to_string(&(&cluster.connection.spec, &cluster.connection.status));
        digest.texts(&[status.unwrap_or_default()]);
        let observed = &outside.observed;
        digest.of(&(&outside.site, outside.now, &outside.heard, &observed.places, &observed.held, &observed.admitted));
        let book = &outside.book;
        digest.of(&(
            &book.admitted,
            &book.approved,
            &book.ours,
            &book.made,
            &book.taken,
            &book.excused,
            &book.rejected,
        ));
        digest.of(&(&book.asked, &book.denied, &book.hidden, &book.lost, &book.groups));
        digest.end()
    }
}

#[test]
fn a_digest_heeds_the_order_of_lists_and_none_else() {
    use std::collections::{BTreeMap, HashMap};
    let of = |what: &dyn Debug| {
        let mut digest = Digest::new();
        digest.of(&what);
        digest.end()
    };
    let map: HashMap<u32, Vec<u32>> = (0..50).map(|number| (number, vec![number, 1])).collect();
    let same: HashMap<u32, Vec<u32>> = (0..50).rev().map(|number| (number, vec![number, 1])).collect();
    assert_eq!(of(&map), of(&same));
    assert_eq!(of(&map), of(&map.iter().collect::<BTreeMap<_, _>>()));
    assert_ne!(of(&vec![1, 2]), of(&vec![2, 1]));
    assert_ne!(of(&("a, b", "c")), of(&("a", "b, c")));
    assert_ne!(of(&"a\"}"), of(&"a\"]"));
    assert_ne!(of(&Some(1)), of(&None::<u32>));
}
