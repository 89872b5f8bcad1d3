//! The operator's own client and engine at the sandbox, whose quirks go together, any two of them in some story.

mod answers;
mod changed;
mod covering;
mod deletions;
mod doubts;
mod effects;
mod forms;
mod groups;
mod hidden;
mod kept;
mod lists;
mod losses;
mod made;
mod names;
mod organizations;
mod revived;
mod seats;
mod story;
mod successors;
mod work;
mod world;

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;

use self::covering::{by_chance, covering};
use self::story::{Outcome, live};

/// Stories at once: most of them wait for an answer.
const AT_ONCE: usize = 8;
/// No story takes longer, however busy the machine is.
const LONGEST: Duration = Duration::from_secs(600);

/// The quirks that docs/sandbox.md lists.
pub fn quirks() -> Vec<&'static str> {
    let page = include_str!("../../../../docs/sandbox.md");
    let table = page.split("| quirk |").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_default();
    table.lines().skip(2).filter_map(|row| row.split('`').nth(1)).collect()
}

/// Those that are met beside each other: whoever keeps no members at all is looked at alone, and by doubts.rs.
fn paired() -> Vec<&'static str> {
    quirks().into_iter().filter(|quirk| *quirk != "keeps_no_members").collect()
}

/// A server that takes neither PATCH nor PUT.
fn changes_nothing(quirks: &[&str]) -> bool {
    let no_patch = [
        "no_patch",
        "patch_501",
        "no_patch_route",
        "pathless_patch_422",
        "pathless_patch_500",
        "ignores_patches",
        "pretends_patches",
    ];
    // What replaces an account says active beside everything else.
    let no_put = ["no_put", "active_alone"].iter().any(|quirk| quirks.contains(quirk));
    no_put && no_patch.iter().any(|quirk| quirks.contains(quirk))
}

/// A server that wants a filter, and heeds none.
fn is_unfindable(quirks: &[&str]) -> bool {
    let heeds_none = ["refuses_filters", "filters_500", "ignores_filters", "filters_find_nobody"];
    let mute = quirks.contains(&"finds_404") && quirks.contains(&"errors_mute");
    quirks.contains(&"needs_filter") && (mute || heeds_none.iter().any(|quirk| quirks.contains(quirk)))
}

/// Lives through a story for each of these combinations; panics with what was broken.
async fn live_through(all: Vec<Vec<&'static str>>) {
    let began = std::time::Instant::now();
    let count = all.len();
    let stories = all.into_iter().map(|quirks| async move {
        let name = quirks.join("+");
        let story = tokio::spawn(async move { tokio::time::timeout(LONGEST, live(&quirks)).await });
        let failed = |why: String| Outcome { broken: vec![format!("{name}: {why}")], ..Outcome::default() };
        let outcome = match story.await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => failed(format!("doesn't end within {LONGEST:?}")),
            Err(panic) => failed(panic.to_string()),
        };
        outcome.broken.iter().for_each(|broken| println!("{broken}"));
        outcome
    });
    let outcomes: Vec<Outcome> = stream::iter(stories).buffer_unordered(AT_ONCE).collect().await;
    let requests: u64 = outcomes.iter().map(|outcome| outcome.requests).sum();
    let most = outcomes.iter().map(|outcome| outcome.requests).max().unwrap_or_default();
    println!("{count} stories, {requests} requests, {most} at most in one, {:.0?}", began.elapsed());
    let broken: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.broken.is_empty()).collect();
    let mut told: Vec<String> = broken.iter().flat_map(|outcome| outcome.broken.clone()).collect();
    told.sort();
    if count <= 3 {
        told.extend(broken.iter().flat_map(|outcome| outcome.told.clone()));
    }
    assert!(told.is_empty(), "{} of {count} stories:\n{}", broken.len(), told.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i33_a_connection_without_settings_gets_on_with_any_quirk() {
    let mut all: Vec<Vec<&str>> = quirks().into_iter().map(|quirk| vec![quirk]).collect();
    all.push(Vec::new());
    if let Ok(chosen) = std::env::var("QUIRKS") {
        let chosen: Vec<&'static str> = chosen.leak().split('+').collect();
        all = vec![chosen];
    }
    live_through(all).await;
}

/// An answer that tells nothing of members is no proof that somebody was taken out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i18_who_is_removed_is_looked_for_where_no_answer_shows_members() {
    let pairs = ["ignores_member_paths", "members_by_name"].map(|quirk| vec![quirk, "members_on_request"]);
    live_through(pairs.to_vec()).await;
}

/// For a look at any server: `SCIM_BASE=https://… SCIM_TOKEN=… cargo test --lib wire::a_server_elsewhere -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "it takes a server"]
async fn a_server_elsewhere() {
    let of = |name: &str| std::env::var(name).unwrap_or_default();
    // `make soak` takes all that is ignored.
    if of("SCIM_BASE").is_empty() {
        println!("no SCIM_BASE: nothing is looked at");
        return;
    }
    for line in story::look(&of("SCIM_BASE"), &of("SCIM_TOKEN")).await {
        println!("{line}");
    }
}

/// `PAIR=some_quirk` takes the stories that have it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i33_and_with_any_two_of_them() {
    let mut all = covering(&paired());
    if let Ok(one) = std::env::var("PAIR") {
        all.retain(|story| story.contains(&one.as_str()));
    }
    live_through(all).await;
}

/// Several at once, as the seed has them: `SEED=7` takes another one, and `make soak` takes a new one each time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i33_and_with_some_of_them_by_chance() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20);
    live_through(by_chance(&paired(), seed, 20)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: run by make soak"]
async fn i33_and_with_some_of_them_by_new_chances() {
    let seed = rand::random();
    println!("SEED={seed}");
    live_through(by_chance(&paired(), seed, 200)).await;
}
