//! Few stories in which any two quirks are met together: a covering array of pairs, computed greedily.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// So many quirks are in one story at most.
const TOGETHER: usize = 9;

/// What is never met while another quirk is on: the first of each row hide the second ones, and each other.
const HIDDEN: [(&[&str], &[&str]); 15] = [
    (
        &["no_patch", "patch_501", "no_patch_route", "says_no_patch"],
        &[
            "no_filtered_paths",
            "no_member_paths",
            "ignores_member_paths",
            "one_operation",
            "no_group_renames",
            "remove_empties",
            "removes_by_index",
            "add_replaces",
            "replace_empties",
            "no_extension_paths",
            "ignores_patches",
            "pretends_patches",
            "heeds_active_alone",
            "patches_active_alone",
            "pathless_group_renames",
            "ignores_group_renames",
            "members_again_409",
            "strangers_out_404",
        ],
    ),
    (&["ignores_patches", "pretends_patches", "heeds_active_alone", "patches_active_alone"], &[]),
    (&["empty_changes", "word_answers"], &["bare_answers", "short_answers"]),
    (&["no_put"], &["put_keeps_members", "refuses_read_only"]),
    (
        &["refuses_filters", "filters_500", "ignores_filters", "filters_find_nobody"],
        &[
            "refuses_special_letters",
            "refuses_external_id_filters",
            "external_id_filters_500",
            "external_id_finds_nobody",
        ],
    ),
    (&["refuses_external_id_filters", "external_id_filters_500", "external_id_finds_nobody"], &[]),
    (&["refuses_paging", "paging_500"], &["second_page_500", "small_pages"]),
    (&["scim_json_415", "scim_json_unread", "scim_json_unread_500"], &[]),
    (&["unknown_member", "unknown_member_400", "unknown_member_500", "drops_unknown_members"], &[]),
    (&["errors_as_message", "errors_nested", "errors_as_problem", "errors_mute", "errors_as_text"], &[]),
    (&["empty_creations"], &["names_in_domain"]),
    (&["no_deletes", "ignores_deletes"], &["deletes_members_500", "deletes_want_bodies"]),
    (&["no_group_renames"], &["pathless_group_renames", "ignores_group_renames"]),
    (
        &["keeps_no_members", "hides_members"],
        &["members_on_request", "members_by_name", "shows_five_members", "lists_without_members"],
    ),
    (&["refuses_inactive"], &["removes_inactive", "deactivation_leaves_groups"]),
];

/// With these on hardly anything else is met, or three together can't be told apart: only pairs have them.
const ALONE: [&str; 5] = ["hollow_lists", "two_seats", "breaks", "shows_five_members", "names_in_domain"];

/// No request finds out what a server does that has one of the first and one of the second: who is in a group isn't shown, and
/// others than those who are named are taken out of it, or nobody who is in tells that; what was made isn't told, and has
/// another name or is in no list; a 403 has no word of a rate; whoever is in a group isn't deleted, and neither is the group.
const NEVER_TOGETHER: [(&str, &[&str]); 9] = [
    ("hides_members", &["remove_empties", "removes_by_index", "add_replaces", "replace_empties"]),
    ("hides_members", &["ignores_member_paths", "deactivation_leaves_groups"]),
    ("hides_members", &["members_on_request", "members_by_name", "lists_without_members"]),
    ("ignores_deletes", &["deletes_members_500"]),
    ("shows_five_members", &["remove_empties", "removes_by_index", "add_replaces", "replace_empties"]),
    ("shows_five_members", &["hollow_lists", "two_seats"]),
    ("names_in_domain", &["empty_creations"]),
    ("needs_filter", &["empty_creations"]),
    ("rate_403", &["errors_mute"]),
];

/// Combinations that a story has found and that aren't served yet: whoever serves one takes it out.
const NOT_SERVED: [&[&str]; 6] = [
    // Said to be in by the operator's own record, and not in.
    &["hides_members", "refuses_inactive_members"],
    &["hides_members", "no_patch", "few_operations"],
    &["remove_empties", "answers_names_for_ids", "errors_mute", "unique_emails"],
    // Beside further ones, somebody stays in a group that must not be empty.
    &["hides_members", "no_empty_groups"],
    // The account of somebody who left stays.
    &["names_in_domain", "echoes_creations", "answers_names_for_ids"],
    // Requests without an end.
    &["put_keeps_members", "add_replaces", "few_operations"],
];

/// In place of a story that has one of these, those that lack one quirk of it: each other pair is met all the same.
fn served(story: Vec<&'static str>) -> Vec<Vec<&'static str>> {
    let Some(known) = NOT_SERVED.iter().find(|known| known.iter().all(|quirk| story.contains(quirk))) else {
        return vec![story];
    };
    let without = |left_out: &&str| story.iter().filter(|quirk| *quirk != left_out).copied().collect();
    known.iter().map(without).flat_map(served).collect()
}

fn apart(one: &str, other: &str) -> bool {
    NEVER_TOGETHER
        .iter()
        .any(|(first, second)| (one == *first && second.contains(&other)) || (other == *first && second.contains(&one)))
}

/// Which quirk hides which, by their places.
struct Hiding(Vec<Vec<bool>>);

impl Hiding {
    fn of(quirks: &[&str]) -> Self {
        let hides = |one: &str, other: &str| {
            let first =
                |(by, of): &(&[&str], &[&str])| by.contains(&one) && (of.contains(&other) || by.contains(&other));
            one != other && (ALONE.contains(&one) || HIDDEN.iter().any(first))
        };
        Self(quirks.iter().map(|one| quirks.iter().map(|other| hides(one, other)).collect()).collect())
    }

    /// The pairs of a story that are met: none of the others hides one of the two.
    fn met(&self, story: &[usize]) -> impl Iterator<Item = (usize, usize)> {
        let seen = |place: usize, beside: usize| {
            !story.iter().any(|other| *other != beside && *other != place && self.0[*other][place])
        };
        let pairs = story.iter().enumerate().flat_map(|(at, one)| story[at + 1..].iter().map(|other| (*one, *other)));
        pairs.filter(move |(one, other)| seen(*one, *other) && seen(*other, *one))
    }
}

/// Stories in which each two of them are met.
pub fn covering(quirks: &[&'static str]) -> Vec<Vec<&'static str>> {
    let (count, hiding) = (quirks.len(), Hiding::of(quirks));
    let mut open = vec![vec![true; count]; count];
    let mut all = Vec::new();
    for (one, other) in (0..count).flat_map(|one| (one + 1..count).map(move |other| (one, other))) {
        if !open[one][other] || apart(quirks[one], quirks[other]) {
            continue;
        }
        let mut story = vec![one, other];
        // The two that it is for are met, whatever else is.
        let gain = |story: &[usize]| {
            let mut both = false;
            let count = hiding.met(story).inspect(|pair| both |= *pair == (one, other));
            let count = count.filter(|(one, other)| open[*one][*other]).count();
            if both { count } else { 0 }
        };
        while story.len() < TOGETHER {
            let with = |next: usize| gain(&[story.as_slice(), &[next]].concat());
            let fits = |next: &usize| !story.iter().any(|known| known == next || apart(quirks[*known], quirks[*next]));
            let next = (0..count).filter(fits).map(|next| (with(next), next)).max();
            let Some((_, next)) = next.filter(|(after, _)| *after > gain(&story)) else { break };
            story.push(next);
        }
        for (one, other) in hiding.met(&story) {
            (open[one][other], open[other][one]) = (false, false);
        }
        all.extend(served(story.into_iter().map(|place| quirks[place]).collect()));
    }
    all
}

/// So many stories of three to six quirks each, by a seed; those that only pairs have are left out.
pub fn by_chance(quirks: &[&'static str], seed: u64, count: usize) -> Vec<Vec<&'static str>> {
    let mut chance = StdRng::seed_from_u64(seed);
    let among: Vec<&'static str> = quirks.iter().filter(|quirk| !ALONE.contains(quirk)).copied().collect();
    let hides = |one: &str, other: &str| {
        HIDDEN.iter().any(|(by, of)| by.contains(&one) && (of.contains(&other) || by.contains(&other)))
    };
    let story = |_| {
        let size = chance.random_range(3..=6);
        let mut story: Vec<&'static str> = Vec::new();
        while story.len() < size {
            let next = among[chance.random_range(0..among.len())];
            let fits =
                |known: &&str| *known != next && !apart(known, next) && !hides(known, next) && !hides(next, known);
            if story.iter().all(fits) {
                story.push(next);
            }
        }
        served(story).swap_remove(0)
    };
    (0..count).map(story).collect()
}

#[test]
fn any_two_quirks_are_met_in_some_story() {
    let quirks = super::paired();
    let (stories, hiding) = (covering(&quirks), Hiding::of(&quirks));
    let place = |name: &&str| quirks.iter().position(|quirk| quirk == name).expect("a quirk");
    let mut met: BTreeSet<(usize, usize)> = BTreeSet::new();
    for story in &stories {
        let story: Vec<usize> = story.iter().map(place).collect();
        met.extend(hiding.met(&story).map(|(one, other)| (one.min(other), one.max(other))));
    }
    let never: usize = NEVER_TOGETHER.iter().map(|(_, second)| second.len()).sum();
    let never = never + NOT_SERVED.iter().filter(|known| known.len() == 2).count();
    assert_eq!(met.len(), quirks.len() * (quirks.len() - 1) / 2 - never);
    assert!(stories.len() < 550, "{} stories", stories.len());
}
