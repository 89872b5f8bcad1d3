//! Objects of a kind as a watch keeps them.

use std::collections::BTreeMap;

use kube::runtime::watcher::Event;

/// A namespace, none for what is the cluster's, and a name.
pub type Name = (String, String);

/// Objects of a kind by their names.
#[derive(Debug)]
pub struct Kept<T> {
    all: BTreeMap<Name, One<T>>,
    /// So many lists have begun.
    lists: u32,
    /// They were listed once.
    pub complete: bool,
    /// Why they can't be.
    pub problem: Option<String>,
    /// Whoever runs this has no right to.
    pub forbidden: bool,
}

/// An object, and in which list it was seen. A tree that is filled in order has room for twice as many: for pointers, not for
/// objects.
#[derive(Debug)]
struct One<T> {
    seen: u32,
    object: Box<T>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { all: BTreeMap::new(), lists: 0, complete: false, problem: None, forbidden: false }
    }
}

impl<T> Kept<T> {
    /// What a watch tells; it works again, where it didn't. What a list that begins anew doesn't show is gone when the list ends.
    pub fn apply<K: kube::Resource>(&mut self, event: Event<K>)
    where
        T: From<K>,
    {
        // A list that begins is only an attempt.
        if !matches!(event, Event::Init) {
            self.problem = None;
            self.forbidden = false;
        }
        match event {
            Event::Init => self.lists = self.lists.wrapping_add(1),
            Event::InitApply(object) | Event::Apply(object) => {
                let name = name_of(&object);
                self.all.insert(name, One { seen: self.lists, object: Box::new(object.into()) });
            }
            Event::InitDone => {
                self.all.retain(|_, one| one.seen == self.lists);
                self.complete = true;
            }
            Event::Delete(object) => drop(self.all.remove(&name_of(&object))),
        }
    }

    /// Lets go of the oldest of very many, some at a time: finding them takes a look at all.
    pub fn keep_newest<O: Ord + Copy>(&mut self, most: usize, age: impl Fn(&T) -> O) {
        if self.all.len() < most + most / 10 {
            return;
        }
        let mut ages: Vec<O> = self.iter().map(&age).collect();
        let oldest = ages.len() - most;
        let (_, &mut kept_from, _) = ages.select_nth_unstable(oldest);
        self.all.retain(|_, one| age(&one.object) >= kept_from);
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.all.values().map(|one| &*one.object)
    }

    /// One of them.
    pub fn get(&self, namespace: &str, name: &str) -> Option<&T> {
        self.all.get(&(namespace.to_owned(), name.to_owned())).map(|one| &*one.object)
    }

    /// They were listed, and nothing says that they are others by now.
    pub fn is_known(&self) -> bool {
        self.complete && self.problem.is_none()
    }

    /// They were listed, or can't be.
    pub fn is_settled(&self) -> bool {
        self.complete || self.problem.is_some()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }
}

fn name_of(object: &impl kube::Resource) -> Name {
    let metadata = object.meta();
    (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
}
