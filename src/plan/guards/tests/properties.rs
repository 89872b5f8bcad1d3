use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Act {
    Pass(i64),
    Ask(usize),
    Edit(usize),
    Done(usize),
    Tick,
    Restart,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => (0i64..3_000).prop_map(Act::Pass),
        1 => (0i64..150_000).prop_map(Act::Pass),
        8 => (0usize..12).prop_map(Act::Ask),
        1 => (0usize..12).prop_map(Act::Edit),
        2 => (0usize..12).prop_map(Act::Done),
        1 => Just(Act::Tick),
        1 => Just(Act::Restart),
    ];
    prop::collection::vec(act, 1..200)
}

proptest! {
    #[test]
    fn i13_no_more_than_the_limit_in_any_window(
        acts in acts(), count in 0u32..6, seconds in 1u64..100, creates in any::<bool>()
    ) {
        let window = Duration::from_secs(seconds);
        let settings = settings(false, limit(count, window));
        let mut gate = Gate::new(&settings, Remembered::default(), at(0));
        let (mut now, mut ids) = (0i64, [0i64; 12]);
        let mut sent: Vec<(i64, (usize, i64))> = Vec::new();
        let mut next = 0;
        for act in acts {
            match act {
                Act::Pass(millis) => now += millis,
                Act::Tick => drop(gate.tick(at(now))),
                Act::Restart => gate = restarted(&gate, &settings, Vec::new(), at(now)),
                Act::Edit(n) => { next += 1; ids[n] = next; }
                Act::Done(n) => {
                    gate.withdraw(&removal(n).uid);
                    next += 1;
                    ids[n] = next;
                }
                Act::Ask(n) => {
                    let guard = if creates { GuardName::Creates } else { GuardName::Removals };
                    let asks = Candidate {
                        generation: ids[n], guard: Some(guard), ..removal(n)
                    };
                    if gate.admit(asks, 0, at(now)) == Admission::Go {
                        sent.push((now, (n, ids[n])));
                    }
                }
            }
            prop_assert!(gate.usage(0, at(now)).iter().all(|view| view.buckets.len() <= BUCKETS));
            prop_assert!(gate.holds().len() <= MOST);
        }
        let span = i64::try_from(window.as_millis()).unwrap();
        for (end, _) in &sent {
            let within = sent.iter().filter(|(when, _)| *when > end - span && when <= end);
            let distinct: BTreeSet<_> = within.map(|(_, operation)| operation).collect();
            prop_assert!(distinct.len() <= count as usize, "{} in a window", distinct.len());
        }
    }

    #[test]
    fn i13_the_ledger_never_counts_too_few(
        adds in prop::collection::vec((0i64..200_000, 1u64..9, any::<bool>()), 1..300),
        seconds in 1u64..7_200
    ) {
        let window = Duration::from_secs(seconds);
        let span = i64::try_from(window.as_millis()).unwrap();
        let mut ledger = Ledger::restore(window, [], at(0));
        let (mut now, mut exact) = (0, Vec::new());
        for (pass, count, restart) in adds {
            now += pass;
            ledger.add(count, at(now));
            exact.push((now, count));
            if restart {
                ledger = Ledger::restore(window, ledger.buckets().to_vec(), at(now));
            }
            let counted = |from: i64| -> u64 {
                exact.iter().filter(|(when, _)| *when > from).map(|(_, n)| n).sum()
            };
            let used = ledger.used(at(now));
            prop_assert!(ledger.buckets().len() <= BUCKETS);
            prop_assert!(used >= counted(now - span));
            prop_assert!(used <= counted(now - span - span / 29 - 2));
        }
    }

    #[test]
    fn i13_an_approval_lets_go_what_is_the_same_once(
        changed in prop::collection::vec(0u8..4, 6..40), spread in 0i64..2
    ) {
        let mut gate = gate(false, 5);
        let all: Vec<_> = (0..changed.len()).map(removal).collect();
        let id = hold(&mut gate, &all, 0);
        let now = 40_000 + spread;
        let asks: Vec<_> = all.iter().zip(&changed).map(|(one, how)| match how {
            1 => Candidate { generation: 2, ..one.clone() },
            2 => Candidate { attributes: vec!["title".into()], ..one.clone() },
            _ => one.clone(),
        }).collect();
        for one in &asks {
            gate.admit(one.clone(), 0, at(now));
        }
        let again = gate.answer(Some(&id), None, at(now));
        let same = changed.iter().filter(|how| !matches!(how, 1 | 2)).count();
        prop_assert_eq!(again.len(), same);
        prop_assert_eq!(gate.usage(0, at(now))[0].used, same as u64);
        for (one, how) in asks.iter().zip(&changed) {
            let go = gate.admit(one.clone(), 0, at(now)) == Admission::Go;
            prop_assert_eq!(go, !matches!(how, 1 | 2));
            prop_assert_eq!(gate.admit(one.clone(), 0, at(now)) == Admission::Go, go);
        }
        prop_assert_eq!(gate.usage(0, at(now))[0].used, same as u64);
        prop_assert!(gate.answer(Some(&id), None, at(now)).is_empty());
        for one in &asks {
            gate.withdraw(&one.uid);
        }
        if same >= 5 {
            let second = hold(&mut gate, &asks, now);
            prop_assert_ne!(&second, &id);
            prop_assert!(gate.answer(Some(&id), None, at(now + 90_000)).is_empty());
        }
    }

    #[test]
    fn i13_the_same_members_give_the_same_id(
        order in Just((0..30usize).collect::<Vec<_>>()).prop_shuffle(), gap in 0i64..1_900
    ) {
        let all: Vec<_> = (0..30).map(removal).collect();
        let mut before = gate(false, 5);
        let id = hold(&mut before, &all, 0);
        let mut later = restarted(&before, &settings(false, limit(5, HOUR)), vec![id.clone()], at(0));
        let _ = later.answer(Some(&id), None, at(0));
        for (n, place) in (0i64..).zip(&order) {
            later.admit(all[*place].clone(), 0, at(n * gap));
        }
        later.tick(at(200_000));
        later.tick(at(240_000));
        for one in &all {
            prop_assert_eq!(later.admit(one.clone(), 0, at(240_000)), Admission::Go);
        }
    }
}
