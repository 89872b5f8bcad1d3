#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::api::Uid;

const SEC: Duration = Duration::from_secs(1);

fn uid(n: usize) -> Uid {
    format!("uid-{n}").into()
}

#[derive(Clone, Debug)]
enum Step {
    Submit(usize, Lane, bool),
    Next(bool, bool),
    Finish(usize, Outcome, f64),
    Forget(usize),
    Release,
    Sleep(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let lane = (0..4_usize).prop_map(|n| LANES[n]);
    let outcome = prop_oneof![
        Just(Outcome::Done),
        Just(Outcome::Again),
        Just(Outcome::Retry),
        Just(Outcome::Paused),
        (0..7_200_u64).prop_map(|s| Outcome::After(SEC * u32::try_from(s).unwrap())),
        (0..7_200_u64).prop_map(|s| Outcome::Rests(SEC * u32::try_from(s).unwrap())),
    ];
    prop_oneof![
        6 => (0..12_usize, lane, prop::bool::weighted(0.3)).prop_map(|(u, l, f)| Step::Submit(u, l, f)),
        6 => (prop::bool::weighted(0.2), prop::bool::weighted(0.8)).prop_map(|(o, r)| Step::Next(o, r)),
        5 => (0..12_usize, outcome, 0.0..=1.0_f64).prop_map(|(u, o, j)| Step::Finish(u, o, j)),
        1 => (0..12_usize).prop_map(Step::Forget),
        1 => Just(Step::Release),
        3 => prop_oneof![0..3_u64, 10..90_u64, 200..4_000_u64].prop_map(Step::Sleep),
    ]
}

/// The naive model of a ticket: every question is answered by looking at all of them.
#[derive(Clone, Debug)]
struct Naive {
    uid: usize,
    lane: Lane,
    place: u64,
    attempt: u32,
    since: Instant,
    own: bool,
    rests: bool,
    floor: Option<Instant>,
    status_at: Instant,
    flight: Option<bool>,
    again: Option<(Lane, bool, Instant)>,
    gone: bool,
    released: bool,
}

impl Naive {
    fn due_from(&mut self, at: Instant) {
        self.since = at;
        (self.own, self.rests) = (false, false);
        self.status_at = self.floor.unwrap_or(at).max(at + STATUS_AFTER);
    }
}

#[derive(Default)]
struct Model {
    all: Vec<Naive>,
    places: u64,
}

impl Model {
    fn submit(&mut self, uid: usize, lane: Lane, fresh: bool, now: Instant) {
        let Some(t) = self.all.iter_mut().find(|t| t.uid == uid) else {
            self.places += 1;
            self.all.push(Naive {
                uid,
                lane,
                place: self.places,
                attempt: 0,
                since: now,
                own: false,
                rests: false,
                floor: None,
                status_at: now + STATUS_AFTER,
                flight: None,
                again: None,
                gone: false,
                released: false,
            });
            return;
        };
        if t.flight.is_some() {
            let (l, f, at) = t.again.unwrap_or((lane, fresh, now));
            t.again = Some((l.min(lane), f || fresh, at));
            return;
        }
        if (fresh || lane < t.lane) && t.delayed(now) {
            t.due_from(now);
        }
        t.lane = t.lane.min(lane);
        t.attempt = if fresh { 0 } else { t.attempt };
    }

    fn finish(&mut self, uid: usize, outcome: Outcome, waits: Duration, now: Instant) {
        let Some(i) = self.all.iter().position(|t| t.uid == uid && t.flight.is_some()) else {
            return;
        };
        let mut t = self.all.swap_remove(i);
        let (again, for_status) = (t.again.take(), t.flight.take() == Some(true));
        let released = std::mem::take(&mut t.released);
        let stays = !t.gone && (for_status || outcome != Outcome::Done);
        if !for_status {
            match outcome {
                Outcome::Again => {
                    self.places += 1;
                    t.place = self.places;
                    t.due_from(now);
                }
                Outcome::After(_) | Outcome::Rests(_) if released => t.due_from(now),
                Outcome::Retry | Outcome::After(_) | Outcome::Rests(_) => {
                    t.attempt += u32::from(outcome == Outcome::Retry);
                    t.due_from(now + waits);
                    t.own = outcome != Outcome::Retry;
                    t.rests = matches!(outcome, Outcome::Rests(_));
                }
                Outcome::Done | Outcome::Paused => {}
            }
        }
        if stays {
            self.all.push(t);
        }
        if let Some((lane, fresh, at)) = again {
            self.submit(uid, lane, fresh, if stays { now } else { at });
        }
    }
}

impl Naive {
    fn delayed(&self, now: Instant) -> bool {
        self.since > now
    }
    fn due(&self, now: Instant) -> bool {
        self.flight.is_none() && self.since <= now
    }
}

fn check_next(m: &mut Model, got: Option<&Ticket>, now: Instant, only: bool, ready: bool) {
    let fits = |t: &&Naive| t.due(now) && (!only || t.lane == Lane::Removal);
    let head = m.all.iter().filter(fits).min_by_key(|t| (t.lane, t.place)).cloned();
    let owed = m.all.iter().filter(fits).filter(|t| t.status_at <= now).count();
    let Some(got) = got else {
        assert!(if ready { head.is_none() } else { owed == 0 }, "someone waits");
        return;
    };
    let t = m.all.iter_mut().find(|t| uid(t.uid) == got.uid).expect("a known ticket");
    assert!(t.due(now), "in flight twice, or too early");
    assert_eq!((t.lane, t.attempt), (got.lane, got.attempt));
    assert!(!only || t.lane == Lane::Removal);
    if got.for_status {
        assert!(t.status_at <= now && t.floor.is_none_or(|f| f <= now));
        t.floor = Some(now + STATUS_EVERY);
        t.status_at = now + STATUS_EVERY;
    } else {
        assert!(ready, "a request while the connection isn't ready");
        assert_eq!(head.as_ref().map(|h| h.uid), Some(t.uid), "out of turn");
    }
    if ready && head.is_some_and(|h| h.lane == Lane::Removal) {
        assert_eq!(t.lane, Lane::Removal, "a due removal waits behind another lane");
    }
    t.flight = Some(got.for_status);
}

fn run(steps: Vec<Step>) {
    let mut now = Instant::now();
    let (mut q, mut m) = (Queue::default(), Model::default());
    for step in steps {
        match step {
            Step::Submit(u, lane, fresh) => {
                q.submit(&uid(u), lane, fresh, now);
                m.submit(u, lane, fresh, now);
            }
            Step::Next(only, ready) => {
                let got = q.next(now, only, ready);
                check_next(&mut m, got.as_ref(), now, only, ready);
            }
            Step::Finish(u, outcome, jitter) => {
                let attempt = m.all.iter().find(|t| t.uid == u).map_or(0, |t| t.attempt);
                let waits = match outcome {
                    Outcome::After(by) | Outcome::Rests(by) => by,
                    _ => back_off(attempt + 1, jitter),
                };
                q.finish(&uid(u), outcome, jitter, now);
                m.finish(u, outcome, waits, now);
            }
            Step::Forget(u) => {
                q.forget(&uid(u));
                m.all.retain(|t| t.uid != u || t.flight.is_some());
                if let Some(t) = m.all.iter_mut().find(|t| t.uid == u) {
                    (t.gone, t.again) = (true, None);
                }
            }
            Step::Release => {
                q.release_all(now);
                for t in &mut m.all {
                    match t.flight {
                        Some(for_status) => t.released |= !for_status,
                        None if t.own && t.delayed(now) => t.due_from(now),
                        None => {}
                    }
                }
            }
            Step::Sleep(s) => now += Duration::from_secs(s),
        }
        assert_eq!(q.len(), m.all.len());
        for lane in LANES {
            assert_eq!(q.depth()[&lane], m.all.iter().filter(|t| t.lane == lane).count());
        }
        let waits = m.all.iter().filter(|t| t.due(now)).map(|t| now - t.since).max();
        assert_eq!(q.oldest(now), waits);
        for u in 0..12 {
            let there = m.all.iter().any(|t| t.uid == u && (!t.gone || t.again.is_some()));
            // What rests counts as absent until its time; whether it was put back in line since, only the queue knows.
            let rests = m.all.iter().find(|t| t.uid == u && t.rests && t.flight.is_none());
            if rests.is_none_or(|t| t.delayed(now)) {
                assert_eq!(q.contains(&uid(u)), there && rests.is_none());
            }
        }
    }
    drain(q, &m, now);
}

/// Everything that is left comes out once, in the end.
fn drain(mut q: Queue, m: &Model, mut now: Instant) {
    for t in &m.all {
        q.finish(&uid(t.uid), Outcome::Paused, 0.5, now);
    }
    let left = q.len();
    let mut seen = BTreeSet::new();
    for _ in 0..1000 {
        match q.next(now, false, true) {
            Some(t) if t.for_status => q.finish(&t.uid, Outcome::Paused, 0.5, now),
            Some(t) => {
                assert!(seen.insert(t.uid.clone()), "doubled");
                q.finish(&t.uid, Outcome::Done, 0.5, now);
            }
            None => match q.next_due(now) {
                Some(at) => {
                    assert!(at > now, "a spin");
                    now = at;
                }
                None => break,
            },
        }
    }
    assert!(q.is_empty(), "lost: {q:?}");
    assert_eq!(seen.len(), left);
    assert!(q.due.is_empty() && q.delayed.is_empty() && q.since.is_empty());
    assert!(q.status.iter().all(BTreeMap::is_empty) && q.count == [0; 4]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn i17_removals_first_and_none_lost_or_doubled(steps in prop::collection::vec(step(), 1..120)) {
        run(steps);
    }

    #[test]
    fn back_off_is_within_bounds(attempt in 1..u32::MAX, jitter in any::<f64>()) {
        let nominal = f64::from(attempt - 1).exp2().min(300.0);
        let by = back_off(attempt, jitter).as_secs_f64();
        prop_assert!(by >= nominal * 0.8 - 1e-6 && by <= nominal * 1.2 + 1e-6);
    }
}

#[test]
fn asking_while_in_flight_is_asking_again() {
    let (mut q, now) = (Queue::default(), Instant::now());
    q.submit(&uid(1), Lane::Drift, false, now);
    assert!(q.next(now, false, true).is_some());
    q.submit(&uid(1), Lane::Removal, true, now);
    assert_eq!(q.next(now, false, true), None);
    q.finish(&"uid-1".into(), Outcome::Done, 0.5, now);
    let t = q.next(now, true, true).expect("asked again");
    assert_eq!((t.lane, t.attempt), (Lane::Removal, 0));
}

#[test]
fn a_sweep_neither_advances_nor_shortens_a_delay() {
    let (mut q, now) = (Queue::default(), Instant::now());
    q.submit(&uid(1), Lane::Change, false, now);
    q.next(now, false, true);
    q.finish(&"uid-1".into(), Outcome::Retry, 0.5, now);
    q.submit(&uid(1), Lane::Drift, false, now);
    assert_eq!(q.next(now, false, true), None);
    assert_eq!(q.next_due(now), Some(now + SEC));
    assert_eq!(q.next(now + SEC, false, true).map(|t| t.attempt), Some(1));
    q.finish(&"uid-1".into(), Outcome::Retry, 0.5, now);
    q.submit(&uid(1), Lane::Change, true, now);
    assert_eq!(q.next(now, false, true).map(|t| t.attempt), Some(0));
}

#[test]
fn a_long_wait_is_told_once_then_every_five_minutes() {
    let (mut q, start) = (Queue::default(), Instant::now());
    q.submit(&uid(1), Lane::Create, false, start);
    let mut told = Vec::new();
    for s in 0..700 {
        if let Some(t) = q.next(start + SEC * s, false, false) {
            assert!(t.for_status);
            told.push(s);
            q.finish(&t.uid, Outcome::Done, 0.5, start + SEC * s);
        }
    }
    assert_eq!(told, [60, 360, 660]);
    let t = q.next(start + SEC * 700, false, true).expect("still in its place");
    assert!(!t.for_status);
}

#[test]
fn statuses_and_requests_take_turns() {
    let (mut q, start) = (Queue::default(), Instant::now());
    for n in 0..10 {
        q.submit(&uid(n), Lane::Create, false, start);
    }
    let now = start + SEC * 61;
    let kinds: Vec<bool> = std::iter::from_fn(|| q.next(now, false, true)).take(6).map(|t| t.for_status).collect();
    assert!(kinds.windows(2).all(|w| !(w[0] && w[1])), "{kinds:?}");
}

#[test]
fn a_hundred_thousand_tickets_are_no_trouble() {
    let (mut q, now) = (Queue::default(), Instant::now());
    let began = std::time::Instant::now();
    for n in 0..100_000 {
        q.submit(&uid(n), LANES[n % 4], false, now);
    }
    let mut last = Lane::Removal;
    while let Some(t) = q.next(now, false, true) {
        assert!(t.lane >= last);
        last = t.lane;
        q.finish(&t.uid, Outcome::Done, 0.5, now);
    }
    assert!(q.is_empty());
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn i17_a_removal_is_as_old_as_it_is_owed_however_often_it_was_tried() {
    let (mut queue, start, [first, second]) = (Queue::default(), Instant::now(), [uid(1), uid(2)]);
    let age = |queue: &Queue, now| queue.ages(now).get(&Lane::Removal).copied();
    let mut now = start;
    queue.submit(&first, Lane::Removal, true, now);
    for _ in 0..5 {
        assert_eq!(queue.next(now, true, true).map(|ticket| ticket.uid), Some(first.clone()));
        queue.finish(&first, Outcome::Retry, 0.5, now);
        assert_eq!(age(&queue, now), Some(now - start));
        now = queue.next_due(now).expect("a delay");
    }
    queue.submit(&second, Lane::Removal, true, now);
    queue.next(now, true, true);
    // What it waits for of its own, such as an approval, isn't owed meanwhile.
    queue.finish(&first, Outcome::After(SEC * 60), 0.5, now);
    assert_eq!(age(&queue, now + SEC), Some(SEC));
    queue.next(now + SEC, true, true);
    queue.finish(&second, Outcome::Done, 0.5, now + SEC);
    assert_eq!(age(&queue, now + SEC * 2), None);
    assert!(queue.next(now + SEC * 60, true, true).is_some());
    assert_eq!(age(&queue, now + SEC * 61), Some(SEC));
}

#[test]
fn i04_what_resumes_a_wait_leaves_the_attempts_counted() {
    let (mut queue, start, uid) = (Queue::default(), Instant::now(), Uid::from("ada"));
    let mut now = start;
    queue.submit(&uid, Lane::Create, false, now);
    for attempt in 0..12 {
        let ticket = queue.next(now, false, true).expect("a ticket");
        assert_eq!(ticket.attempt, attempt);
        queue.finish(&uid, Outcome::Retry, 0.5, now);
        now = queue.next_due(now).expect("a delay");
        assert!(queue.next(now, false, true).is_some());
        queue.finish(&uid, Outcome::After(Duration::from_secs(60)), 0.5, now);
        queue.resume(&uid, Lane::Create, now);
    }
    assert!(now - start > Duration::from_secs(900), "{:?}", now - start);
    queue.submit(&uid, Lane::Create, true, now);
    assert_eq!(queue.next(now, false, true).map(|ticket| ticket.attempt), Some(0), "a new spec begins anew");
}
