//! What a client came to know of its server while it asked: however many requests are on their way, each thing is learnt once.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

use super::lesson::Lesson;
use super::profile::{ContentType, Paging, Profile};

/// A server that refuses a list is asked for it otherwise so often.
const MOST_TRIES: u8 = 5;

/// So many writes are sent as `application/json` to see whether it is read where the other isn't.
const MOST_TRIALS: u8 = 5;

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
    /// The next write is to be sent as `application/json`.
    trial_due: AtomicBool,
    trials_left: AtomicU8,
    /// A write in `application/scim+json` went through.
    scim_json_read: AtomicBool,
    /// A deletion is refused without a body.
    delete_body: AtomicBool,
    /// A replacement that says what is read-only is refused.
    no_read_only: AtomicBool,
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
            trial_due: false.into(),
            trials_left: MOST_TRIALS.into(),
            scim_json_read: false.into(),
            delete_body: false.into(),
            no_read_only: false.into(),
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

    /// `application/scim+json` is read here: whatever is refused is refused for something else.
    pub fn reads_scim_json(&self) {
        self.scim_json_read.store(true, Ordering::Relaxed);
    }

    /// Whether a deletion is sent with a body, which RFC 7644 doesn't ask for.
    pub fn deletes_with_body(&self) -> bool {
        self.delete_body.load(Ordering::Relaxed)
    }

    pub fn wants_body_to_delete(&self) {
        self.delete_body.store(true, Ordering::Relaxed);
    }

    /// Whether a replacement is sent without what is read-only, which servers are to ignore there (RFC 7644 §3.5.1).
    pub fn puts_no_read_only(&self) -> bool {
        self.no_read_only.load(Ordering::Relaxed)
    }

    pub fn refuses_read_only(&self) {
        self.no_read_only.store(true, Ordering::Relaxed);
    }

    /// A write was refused without a word: whether it may be for its content type, which is tried a few times.
    pub fn may_be_unread(&self) -> bool {
        !self.scim_json_read.load(Ordering::Relaxed) && self.trials_left.load(Ordering::Relaxed) > 0
    }

    /// What may have taken effect isn't sent again at once: the next write is the trial.
    pub fn try_plain_json(&self) {
        self.trial_due.store(self.trials_left.load(Ordering::Relaxed) > 0, Ordering::Relaxed);
    }

    /// Whether this write is the trial; true once.
    pub fn takes_trial(&self) -> bool {
        self.trial_due.swap(false, Ordering::Relaxed)
    }

    /// The trial was refused; `unread`: as if nothing had been sent, so that it doesn't help. Whatever else it was refused
    /// for tells nothing, and another write is the trial.
    pub fn trial_failed(&self, unread: bool) {
        self.trial_spent(unread);
        self.try_plain_json();
    }

    /// One trial less, or none any more.
    pub fn trial_spent(&self, unread: bool) {
        let fewer = |left: u8| Some(if unread { 0 } else { left.saturating_sub(1) });
        let _ = self.trials_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer);
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
