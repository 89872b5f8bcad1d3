use super::*;

fn page(shown: u64, total: Option<u64>) -> Page {
    Page { shown, total, ..Page::default() }
}

fn cursor(shown: u64, next: &str) -> Page {
    Page { shown, next_cursor: Some(next.to_owned()), ..Page::default() }
}

/// Walks these pages, each with so many new ids, and has seen `distinct` in the end.
fn walk(profile: &Profile, pages: &[(Page, usize)], distinct: u64) -> Option<Listed> {
    let mut listing = Listing::new(profile);
    pages.iter().find_map(|(page, new)| listing.turn(page, *new)).map(|end| listing.judge(end, distinct))
}

#[test]
fn i11_a_listing_that_is_shorter_than_it_says_is_not_complete() {
    let generic = Profile::generic();
    let gap = |pages: &[(Page, usize)], distinct| walk(&generic, pages, distinct);
    assert_eq!(gap(&[(page(0, Some(250)), 0)], 0), Some(Listed::Incomplete(Gap::Hollow(250))));
    let short = [(page(100, Some(250)), 100), (page(0, Some(250)), 0)];
    assert_eq!(gap(&short, 100), Some(Listed::Incomplete(Gap::Short(100, 250))));
    let past_the_end = [(page(100, Some(250)), 100), (page(0, Some(0)), 0)];
    assert_eq!(gap(&past_the_end, 100), Some(Listed::Incomplete(Gap::Short(100, 250))));
    // What we made or removed meanwhile counts, and a total may stop short of what is there.
    assert_eq!(gap(&short, 250), Some(Listed::Complete(2)));
    let capped = [(page(50, Some(50)), 50), (page(10, Some(50)), 10), (page(0, Some(50)), 0)];
    assert_eq!(gap(&capped, 60), Some(Listed::Complete(3)));
    let trusting = Profile { trust_totals: true, ..Profile::generic() };
    assert_eq!(walk(&trusting, &[(page(100, Some(100)), 100)], 100), Some(Listed::Complete(1)));
    assert_eq!(walk(&trusting, &[(page(100, Some(100)), 60)], 60), Some(Listed::Incomplete(Gap::Short(60, 100))));
    let whole = Profile { paging: Paging::None, ..Profile::generic() };
    assert_eq!(walk(&whole, &[(page(10, Some(20)), 10)], 10), Some(Listed::Incomplete(Gap::Short(10, 20))));
}

#[test]
fn i11_an_entry_that_can_not_be_read_is_not_absent() {
    let odd = Page { unreadable: 1, ..page(10, Some(10)) };
    let end = [(odd, 9), (page(0, Some(10)), 0)];
    assert_eq!(walk(&Profile::generic(), &end, 9), Some(Listed::Incomplete(Gap::Unreadable(1))));
}

#[test]
fn i11_a_listing_that_circles_is_not_complete() {
    let generic = Profile::generic();
    let same = |total| [(page(100, total), 100), (page(100, total), 0)];
    assert_eq!(walk(&generic, &same(None), 100), Some(Listed::Incomplete(Gap::Circles)));
    assert_eq!(walk(&generic, &same(Some(250)), 100), Some(Listed::Incomplete(Gap::Short(100, 250))));
    let again = [(page(7, Some(7)), 7), (page(7, Some(7)), 0)];
    assert_eq!(walk(&generic, &again, 7), Some(Listed::Complete(2)), "all of it again past the end");
    // As long as was asked for, or as servers make them where nobody asks: that may not be all.
    assert_eq!(walk(&generic, &same(Some(100)), 100), Some(Listed::Incomplete(Gap::Repeated(100))));
    let usual = [(page(50, Some(50)), 50), (page(50, Some(50)), 0)];
    assert_eq!(walk(&generic, &usual, 50), Some(Listed::Incomplete(Gap::Repeated(50))));
    let cursors = Profile { paging: Paging::Cursor, ..Profile::generic() };
    let round = [(cursor(10, "b"), 10), (cursor(10, "c"), 10), (cursor(10, "b"), 0)];
    assert_eq!(walk(&cursors, &round, 20), Some(Listed::Incomplete(Gap::Circles)));
    let stuck = [(cursor(10, "b"), 10), (cursor(10, "b"), 10)];
    assert_eq!(walk(&cursors, &stuck, 20), Some(Listed::Incomplete(Gap::Circles)));
    let empty = [(cursor(10, "b"), 10), (cursor(0, "c"), 0), (page(5, None), 5)];
    assert_eq!(walk(&cursors, &empty, 15), Some(Listed::Complete(3)), "a cursor may lead over an empty page");
}

#[test]
fn i11_a_listing_whose_place_is_lost_begins_again_once() {
    let mut listing = Listing::new(&Profile { paging: Paging::Cursor, ..Profile::generic() });
    assert!(!listing.begin_again(), "the first page has no place to lose");
    assert_eq!(listing.turn(&cursor(10, "b"), 10), None);
    assert!(listing.begin_again() && listing.start().is_first());
    assert_eq!(listing.turn(&cursor(10, "c"), 0), None, "what was seen before comes again");
    assert_eq!(listing.turn(&page(5, None), 5), Some(Ok(())));
    assert_eq!(listing.judge(Ok(()), 15), Listed::Complete(3));
    assert!(!listing.begin_again());
}

#[test]
fn i11_a_server_that_heeds_no_place_is_asked_for_more_at_once() {
    let asks = |pages: &[(u64, usize)]| {
        let mut listing = Listing::new(&Profile::generic());
        let mut asked = Vec::new();
        for (shown, new) in pages {
            asked.push(listing.size());
            let Some(end) = listing.turn(&page(*shown, Some(*shown)), *new) else { continue };
            if !listing.widens(&end) {
                let distinct = pages.iter().map(|(_, new)| *new as u64).sum();
                return (asked, Some(listing.judge(end, distinct)));
            }
        }
        (asked, None)
    };
    // There were 130 all along.
    let (asked, listed) = asks(&[(100, 100), (100, 0), (130, 30), (130, 0)]);
    assert_eq!((asked, listed), (vec![100, 100, 1000, 1000], Some(Listed::Complete(4))));
    // It shows no more, whatever it is asked for.
    let (asked, listed) = asks(&[(100, 100), (100, 0), (100, 0), (100, 0)]);
    assert_eq!((asked, listed), (vec![100, 100, 1000, 1000], Some(Listed::Incomplete(Gap::Repeated(100)))));
    let (asked, listed) = asks(&[(7, 7), (7, 0)]);
    assert_eq!((asked, listed), (vec![100, 100], Some(Listed::Complete(2))));
}

/// A person's word counts, and so does what the pages show.
#[test]
fn i11_a_list_that_shows_cursors_and_heeds_none_is_walked_by_index() {
    let led = |shown| Page { total: Some(25), ..cursor(shown, "b") };
    let pages = [(led(10), 10), (led(10), 0), (led(10), 10), (led(5), 5), (led(0), 0)];
    assert_eq!(walk(&Profile::generic(), &pages, 25), Some(Listed::Complete(5)));
    let mut set = Listing::new(&Profile::generic()).paged_as_set(true);
    assert_eq!(set.turn(&led(10), 10), None);
    assert_eq!(*set.start(), Start::Index(11));
}
