use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or_default()
}

#[test]
fn i12_whatever_shows_a_resource_clears_the_mark_of_one_404() {
    let shows: [fn(&mut Sightings); 2] = [
        |sightings| sightings.shown("1"),
        |sightings| {
            sightings.begin();
            let mut seen = sightings.by_page();
            sightings.on_page("1", Some(&mut seen));
        },
    ];
    for show in shows {
        let mut sightings = Sightings::default();
        assert!(!sightings.missing("1", at(0)) && !sightings.missing("1", at(59)));
        assert!(sightings.missing("1", at(60)));
        show(&mut sightings);
        assert!(!sightings.missing("1", at(500)), "it was shown since");
    }
}

#[test]
fn i11_two_looks_a_minute_apart_settle_that_a_resource_is_gone() {
    let mut sightings = Sightings::default();
    sightings.missing("1", at(0));
    sightings.missing("1", at(59));
    assert!(!sightings.is_gone("1"));
    sightings.missing("1", at(60));
    assert!(sightings.is_gone("1") && !sightings.is_gone("2"));
    sightings.shown("1");
    assert!(!sightings.is_gone("1"), "it was shown since");
}

/// Those that answer nothing keep nobody else from being asked for, and are asked for ever less often.
#[test]
fn i31_what_is_unknown_is_asked_for_in_turn() {
    let mut sightings = Sightings::default();
    let ids = |ids: &[&str]| -> Vec<RemoteId> { ids.iter().map(|id| RemoteId::from(*id)).collect() };
    let all = || ids(&["a", "b", "c"]);
    assert_eq!(sightings.to_be_asked(all(), at(0)), all());
    sightings.ask("a", at(0));
    sightings.ask("b", at(1));
    assert_eq!(sightings.to_be_asked(all(), at(30)), ids(&["c"]));
    assert_eq!(sightings.to_be_asked(all(), at(61)), ids(&["c", "a", "b"]));
    let (mut asked, mut now) = (0, 0);
    while now < 86_400 {
        for id in sightings.to_be_asked(ids(&["a"]), at(now)) {
            sightings.ask(id.as_str(), at(now));
            asked += 1;
        }
        now += 61;
    }
    assert!((20..=32).contains(&asked), "{asked} times a day");
    sightings.shown("a");
    assert_eq!(sightings.to_be_asked(ids(&["a"]), at(now)), ids(&["a"]));
}

#[test]
fn i07_a_search_is_answered_by_a_listing_that_began_after_it() {
    let mut sightings = Sightings::default();
    sightings.lead_to("here", 1);
    sightings.begin();
    assert!(!sightings.search(&"ada".into()), "the listing under way may have passed its place");
    sightings.end(true);
    assert!(!sightings.search(&"ada".into()) && sightings.answered().is_empty());
    sightings.begin();
    sightings.end(false);
    assert!(!sightings.search(&"ada".into()), "incomplete");
    sightings.begin();
    sightings.end(true);
    assert_eq!(sightings.answered(), ["ada".into()]);
    assert!(sightings.search(&"ada".into()) && sightings.search(&"ada".into()), "as often as the pass asks");
    sightings.end_search(&"ada".into());
    assert!(!sightings.search(&"ada".into()), "the next pass asks anew");
    sightings.forget_search(&"ada".into());
    sightings.begin();
    sightings.end(true);
    assert!(!sightings.search(&"ada".into()), "what was asked before its request says nothing");
}

#[test]
fn i06_what_was_missing_or_heeded_at_one_server_says_nothing_of_another() {
    let mut sightings = Sightings::default();
    sightings.lead_to("here", 1);
    sightings.missing("1", at(0));
    sightings.filter_found("userName");
    sightings.lead_to("here", 2);
    assert!(sightings.filter_is_heeded("userName"));
    sightings.lead_to("there", 3);
    assert!(!sightings.missing("1", at(500)) && !sightings.filter_is_heeded("userName"));
}
