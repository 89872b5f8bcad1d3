use super::*;
use serde_json::json;

fn group(name: &str, version: &str) -> Resource {
    let value = json!({"id": "g", "displayName": name, "meta": {"version": version}, "members": [{"value": "1"}]});
    Resource(value.as_object().cloned().unwrap_or_default())
}

#[test]
fn a_page_never_overwrites_what_a_later_write_of_the_group_reported() {
    let mut store = GroupMirror::default();
    store.begin();
    store.apply(&group("new", "2"));
    assert_eq!(store.page(vec![group("old", "1")]), 1);
    assert_eq!(store.page(vec![group("old", "1")]), 0, "a list that repeats itself ends");
    store.end(true);
    assert!(matches!(store.by_name("new"), Account::Found { .. }));
    assert_eq!(store.by_name("old"), Account::Absent { fresh: false });
}

#[test]
fn i11_no_listing_no_absence() {
    let mut store = GroupMirror::default();
    assert_eq!(store.by_name("g"), Account::Unknown);
    store.begin();
    store.end(false);
    assert_eq!(store.by_name("g"), Account::Unknown);
}

#[test]
fn i06_what_is_known_of_groups_survives_a_reconnection_and_no_change_of_server() {
    let mut store = GroupMirror::default();
    store.lead_to("here", 1);
    store.begin();
    store.page(vec![group("g", "1")]);
    store.end(true);
    store.lead_to("here", 2);
    assert!(!store.is_of(1), "a listing of before counts no more");
    assert!(matches!(store.by_name("g"), Account::Found { .. }));
    assert_eq!(store.by_name("other"), Account::Unknown, "what was listed before is no proof of absence");
    store.lead_to("elsewhere", 3);
    assert_eq!((store.by_id("g"), store.by_name("g")), (Account::Unknown, Account::Unknown));
}

#[test]
fn i11_a_page_that_was_on_its_way_brings_no_deleted_group_back() {
    let mut store = GroupMirror::default();
    store.begin();
    store.apply(&group("g", "1"));
    store.forget("g");
    store.page(vec![group("g", "1")]);
    store.end(true);
    assert_eq!(store.by_name("g"), Account::Absent { fresh: false });
}

#[test]
fn i12_a_group_that_was_invalidated_is_read() {
    let mut store = GroupMirror::default();
    store.begin();
    store.page(vec![group("g", "1")]);
    store.invalidate("g");
    assert_eq!(store.page(vec![group("g", "1")]), 1, "asked for before, it tells nothing");
    store.end(true);
    assert_eq!((store.by_id("g"), store.by_name("g")), (Account::Unknown, Account::Listed("g".into())));
    store.begin();
    store.page(vec![group("g", "2")]);
    store.end(true);
    assert!(matches!(store.by_name("g"), Account::Found { .. }));
}

#[test]
fn i09_a_time_of_change_tells_of_members_once_it_was_seen_to() {
    let at = |time: &str| {
        let value = json!({"id": "g", "displayName": "G", "meta": {"lastModified": time}});
        Resource(value.as_object().cloned().unwrap_or_default())
    };
    for (later, tells) in [("1", None), ("2", Some(true))] {
        let mut store = GroupMirror::default();
        store.apply(&at("1"));
        store.members_changed("g");
        store.apply(&at(later));
        store.members_read("g");
        assert_eq!(store.unchanged("g"), tells);
        store.apply(&at("3"));
        assert_eq!(store.unchanged("g"), Some(false));
    }
}

#[test]
fn members_are_read_anew_where_the_version_changed() {
    let mut store = GroupMirror::default();
    store.apply(&group("g", "1"));
    assert_eq!(store.unchanged("g"), Some(false));
    store.members_read("g");
    assert_eq!(store.unchanged("g"), Some(true));
    store.begin();
    store.page(vec![group("g", "2")]);
    assert_eq!(store.unchanged("g"), Some(false));
}

#[test]
fn i11_a_list_that_broke_off_forgets_no_group() {
    let mut store = GroupMirror::default();
    store.begin();
    store.page(vec![group("g", "1")]);
    store.end(true);
    store.begin();
    store.end(false);
    assert!(matches!(store.by_id("g"), Account::Found { .. }));
}
