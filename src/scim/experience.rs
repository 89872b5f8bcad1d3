//! What a client came to know of its server while it asked: however many requests are on their way, each thing is learnt once.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

use super::lesson::Lesson;
use super::profile::{ContentType, Paging, Profile};

/// A server that refuses a list is asked for it otherwise so often.
const MOST_TRIES: u8 = 5;

/// Whether `application/json` is to be tried with the next write.
const UNTRIED: u8 = 0;
const DUE: u8 = 1;
const TRIED: u8 = 2;

/// What was learnt.
#[derive(Debug)]
pub(super) struct Experience {
    plain_json: AtomicBool,
    no_paging: AtomicBool,
    no_user_list: AtomicBool,
    no_group_list: AtomicBool,
    /// The longest page that isn't refused.
    page_size: AtomicU32,
    /// Tries to list otherwise.
    tries: AtomicU8,
    trial: AtomicU8,
}

impl Experience {
    /// What the dialect says already.
    pub fn new(profile: &Profile) -> Self {
        Self {
            plain_json: (profile.content_type == ContentType::Json).into(),
            no_paging: (profile.paging == Paging::None).into(),
            no_user_list: (!profile.list_users).into(),
            no_group_list: (!profile.list_groups).into(),
            page_size: u32::MAX.into(),
            tries: 0.into(),
            trial: UNTRIED.into(),
        }
    }

    /// All of it.
    pub fn lessons(&self) -> Vec<Lesson> {
        let size = Some(self.page_size.load(Ordering::Relaxed)).filter(|size| *size < u32::MAX);
        let plain = [
            (self.plain_json(), Lesson::PlainJson),
            (self.no_paging(), Lesson::NoPaging),
            (self.no_user_list(), Lesson::NoUserList),
            (self.no_group_list.load(Ordering::Relaxed), Lesson::NoGroupList),
        ];
        let plain = plain.into_iter().filter(|(learnt, _)| *learnt).map(|(_, lesson)| lesson);
        plain.chain(size.map(Lesson::PageSize)).collect()
    }

    pub fn plain_json(&self) -> bool {
        self.plain_json.load(Ordering::Relaxed)
    }

    pub fn sends_plain_json(&self, plain: bool) {
        self.plain_json.store(plain, Ordering::Relaxed);
    }

    /// What may have taken effect isn't sent again at once: the next write is the try.
    pub fn try_plain_json(&self) {
        let _ = self.trial.compare_exchange(UNTRIED, DUE, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Whether this write is the try; true once.
    pub fn takes_trial(&self) -> bool {
        self.trial.compare_exchange(DUE, TRIED, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    pub fn no_paging(&self) -> bool {
        self.no_paging.load(Ordering::Relaxed)
    }

    pub fn lists_whole(&self) {
        self.no_paging.store(true, Ordering::Relaxed);
    }

    pub fn no_user_list(&self) -> bool {
        self.no_user_list.load(Ordering::Relaxed)
    }

    pub fn groups_need_filter(&self) {
        self.no_group_list.store(true, Ordering::Relaxed);
    }

    pub fn needs_filter(&self) {
        self.no_user_list.store(true, Ordering::Relaxed);
    }

    /// So many a page, where so many are asked for.
    pub fn page_size(&self, asked: u32) -> u32 {
        asked.min(self.page_size.load(Ordering::Relaxed))
    }

    pub fn shortens_pages(&self, size: u32) {
        self.page_size.fetch_min(size.max(1), Ordering::Relaxed);
    }

    /// Whether a list may be asked for otherwise once more.
    pub fn may_try(&self) -> bool {
        let more = |tries: u8| (tries < MOST_TRIES).then_some(tries + 1);
        self.tries.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }
}
