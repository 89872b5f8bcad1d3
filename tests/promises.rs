//! docs/promises.md names every test of every promise, and no promise is without one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const PROMISES: usize = 33;

/// Promises that have no test yet, and what they come with.
const COMING: [(usize, &str); 1] = [(33, "what a connection learns by itself")];

/// Test functions by promise, or by a range of them, in the order of their names.
type Tests = BTreeMap<(usize, usize), Vec<String>>;

/// `i13_i20_…` is about both, `i01_to_i17_…` about all in between.
fn promises_of(name: &str) -> Vec<(usize, usize)> {
    let mut about: Vec<(usize, usize)> = Vec::new();
    let mut range = false;
    for word in name.split('_') {
        let number = word.strip_prefix('i').filter(|digits| digits.len() == 2).and_then(|digits| digits.parse().ok());
        match (number, about.last_mut()) {
            (Some(number), Some(last)) if range => last.1 = number,
            (Some(number), _) => about.push((number, number)),
            (None, Some(_)) if word == "to" && !range => {
                range = true;
                continue;
            }
            (None, _) => break,
        }
        range = false;
    }
    about
}

/// How a row is called.
fn label((first, last): (usize, usize)) -> String {
    if first == last { format!("I{first}") } else { format!("I{first} to I{last}") }
}

/// The functions of a source file that stand under `#[test]` or `#[tokio::test]`, or in `proptest!`.
fn tests_in(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if line.contains("fn ") {
            let name = line.split("fn ").nth(1).and_then(|rest| rest.split(['(', '<']).next()).unwrap_or_default();
            if is_test {
                found.push(name.to_owned());
            }
            is_test = false;
        }
    }
    found
}

fn collect(folder: &Path, tests: &mut Tests) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("its entry").path();
        if path.is_dir() {
            collect(&path, tests);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            for name in tests_in(&fs::read_to_string(&path).expect("a source")) {
                for promise in promises_of(&name) {
                    tests.entry(promise).or_default().push(name.clone());
                }
            }
        }
    }
}

fn tests_of_the_sources() -> Tests {
    let mut tests = Tests::new();
    for folder in ["src", "tests"] {
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut tests);
    }
    for names in tests.values_mut() {
        names.sort();
        names.dedup();
    }
    tests
}

/// The page with its last column as the sources have it.
fn expected(page: &str, tests: &Tests) -> String {
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| I")?.split(" | ");
        let (number, words) = (format!("I{}", cells.next()?), cells.next()?);
        let names = tests.iter().find(|(promise, _)| label(**promise) == number).map(|(_, names)| names);
        let column = match (names, COMING.iter().find(|(coming, _)| label((*coming, *coming)) == number)) {
            (Some(names), _) => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join("<br>"),
            (None, Some((_, with))) => format!("*come with {with}*"),
            (None, None) => String::new(),
        };
        Some(format!("| {number} | {words} | {column} |"))
    };
    page.lines().map(|line| row(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
}

#[test]
fn every_promise_has_its_tests_and_the_page_names_them() {
    let tests = tests_of_the_sources();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/promises.md");
    let page = fs::read_to_string(&file).expect("docs/promises.md");
    let promises: Vec<(usize, usize)> = (1..=PROMISES).map(|number| (number, number)).collect();
    for promise in &promises {
        let coming = COMING.iter().any(|(number, _)| *number == promise.0);
        assert!(
            coming || tests.contains_key(promise),
            "no test is named after {}: i{:02}_…",
            label(*promise),
            promise.0
        );
    }
    for promise in tests.keys().chain(&promises) {
        let row = page.contains(&format!("\n| {} | ", label(*promise)));
        assert!(row, "docs/promises.md has no row for {}, which tests are about", label(*promise));
    }
    let expected = expected(&page, &tests);
    if std::env::var_os("WRITE_PROMISES").is_some() {
        fs::write(&file, expected).expect("docs/promises.md is written");
        return;
    }
    // The first line that differs says it; the whole page would not.
    let differs = page.lines().zip(expected.lines()).find(|(now, wanted)| now != wanted);
    assert!(page == expected, "docs/promises.md is not what the sources say; run `make promises`: {differs:?}");
}

#[test]
fn a_name_says_which_promises_it_is_about() {
    assert_eq!(promises_of("i07_i30_killed_in_the_middle"), [(7, 7), (30, 30)]);
    assert_eq!(promises_of("i01_to_i04_hold"), [(1, 4)]);
    assert_eq!(promises_of("i18n_is_no_promise"), Vec::new());
    assert_eq!(promises_of("a_test_about_i05"), Vec::new());
    let source = "#[test]\n#[ignore]\nfn i01_a() {\n}\nfn i02_helper() {\n#[tokio::test]\nasync fn i03_b() {";
    assert_eq!(tests_in(source), ["i01_a", "i03_b"]);
}
