//! Who may use whom, as ARCHITECTURE.md says: read from the imports of the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module by its path in the crate; the crate itself is empty.
type Module = Vec<String>;

/// What each top-level module may use of the others.
const MAY_USE: [(&str, &[&str]); 9] = [
    ("api", &[]),
    ("scim", &[]),
    ("plan", &["api", "scim"]),
    ("status", &["api", "plan"]),
    ("roster", &["api", "plan", "scim"]),
    ("runtime", &["api", "scim"]),
    ("directory", &["api", "plan", "scim"]),
    ("provisioner", &["api", "directory", "plan", "runtime", "scim", "status"]),
    ("controller", &["api", "directory", "plan", "provisioner", "roster", "runtime", "scim", "status"]),
];

/// What these modules of the provisioner must not use: the engine knows no kind.
const MUST_NOT_USE: [(&str, &str); 4] =
    [("engine", "users"), ("engine", "groups"), ("effects", "engine"), ("schedule", "engine")];

/// Words that only what touches the world may say.
const PURE: [&str; 3] = ["plan", "status", "roster"];
const IMPURE: [&str; 5] = ["Timestamp::now(", "tokio::", "reqwest::", "kube::Client", "std::fs::"];

#[test]
fn each_module_uses_only_what_the_architecture_lets_it() {
    let modules = modules();
    let mut wrong = BTreeSet::new();
    for (module, uses) in &modules {
        let Some(own) = module.first() else { continue };
        let Some((_, may)) = MAY_USE.iter().find(|(name, _)| name == own) else { continue };
        for used in uses.iter().filter_map(|used| used.first()).filter(|used| *used != own) {
            if !may.contains(&used.as_str()) {
                wrong.insert(format!("{} uses {used}", module.join("::")));
            }
        }
        for (from, to) in MUST_NOT_USE {
            let of = |module: &Module, name: &str| module.len() > 1 && module[0] == "provisioner" && module[1] == name;
            if of(module, from) && uses.iter().any(|used| of(used, to)) {
                wrong.insert(format!("{} uses provisioner::{to}", module.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_two_files_need_each_other_but_parent_and_child() {
    let modules = modules();
    let related = |one: &Module, other: &Module| one.starts_with(other) || other.starts_with(one);
    let reach = |from: &Module| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(module) = next.pop() {
            for used in modules.get(&module).into_iter().flatten().filter(|used| !related(&module, used)) {
                if seen.insert(used.clone()) {
                    next.push(used.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&Module, BTreeSet<Module>> = modules.keys().map(|module| (module, reach(module))).collect();
    let circles: BTreeSet<String> =
        modules.keys().filter(|module| reached[module].contains(*module)).map(|module| module.join("::")).collect();
    assert!(circles.is_empty(), "these need each other: {circles:#?}");
}

/// A file longer than this is about more than one thing.
const LONGEST: usize = 400;

#[test]
fn no_file_is_longer_than_it_can_be_read_at_once() {
    let long: Vec<String> = ["src", "tests", "benches"]
        .into_iter()
        .flat_map(all_files)
        .filter_map(|(path, text)| {
            let lines = text.lines().count();
            (lines > LONGEST).then(|| format!("{}: {lines} lines", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn what_decides_touches_nothing() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let of = module_of(&path);
        if !of.first().is_some_and(|top| PURE.contains(&top.as_str())) {
            continue;
        }
        wrong.extend(IMPURE.iter().filter(|word| text.contains(**word)).map(|word| format!("{of:?} says {word}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Words of who has the API server's client.
const CLIENT: [&str; 4] = ["kube::Client", ".kube.", "Api::", "Api<"];
/// Who may have it in the provisioner: what its tasks share, the live effects, the credentials, and the connection's test.
const MAY_HAVE_THE_CLIENT: [&str; 4] = ["mod.rs", "live.rs", "connection/credentials.rs", "connection/probe.rs"];

#[test]
fn the_provisioner_reaches_the_api_server_by_its_effects_alone() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Ok(inside) = path.strip_prefix("src/provisioner") else { continue };
        if MAY_HAVE_THE_CLIENT.iter().any(|may| inside == Path::new(may)) {
            continue;
        }
        wrong.extend(CLIENT.iter().filter(|word| text.contains(**word)).map(|word| format!("{inside:?} says {word}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_lock_is_taken_in_the_file_that_declares_it_and_nowhere_else() {
    let mut wrong = Vec::new();
    for (path, text) in sources().into_iter().filter(|(path, _)| path.starts_with("src/provisioner")) {
        let (own, public) = locks_of(&text);
        wrong.extend(public.into_iter().map(|name| format!("{}: {name} is visible to others", path.display())));
        // The memory of a dry run stands in for the API server, and is a run's alone.
        let given = text.lines().filter(|line| line.contains("pub") && line.contains("Guard<'_")).map(str::trim);
        let given = given.filter(|_| !path.starts_with("src/provisioner/dry_run"));
        wrong.extend(given.map(|line| format!("{}: a lock is given away: {line}", path.display())));
        let foreign = locked(&text).into_iter().filter(|name| !own.contains(name));
        wrong.extend(foreign.map(|name| format!("{}: the lock of {name} is another's", path.display())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// So many parts a provisioner has: each guards its own state, and none is a lock.
const MOST_PARTS: usize = 12;

#[test]
fn a_provisioner_has_few_parts_and_no_lock() {
    let sources = sources();
    let text = &sources[Path::new("src/provisioner/mod.rs")];
    let body = text.split("pub struct Provisioner").nth(1).and_then(|rest| rest.split('}').next()).expect("the struct");
    let parts = body.lines().filter(|line| line.trim_end().ends_with(',')).count();
    assert!((1..=MOST_PARTS).contains(&parts), "{parts} parts: {body}");
    assert!(LOCKS.iter().all(|lock| !body.contains(lock)), "{body}");
}

/// The types that are locked.
const LOCKS: [&str; 2] = ["Mutex<", "RwLock<"];

/// The fields of the file's structs that are locks, by name, or `0`; and those of them that others see.
fn locks_of(text: &str) -> (BTreeSet<String>, Vec<String>) {
    let (mut own, mut public) = (BTreeSet::new(), Vec::new());
    for line in text.lines().map(str::trim).filter(|line| LOCKS.iter().any(|lock| line.contains(lock))) {
        let (name, seen) = match (line.split_once("struct "), line.split_once(": ")) {
            (Some((_, named)), _) if named.contains('(') => ("0", named.contains("(pub")),
            (_, Some((name, _))) if line.ends_with(',') => {
                let name = name.rsplit(' ').next().unwrap_or_default();
                (name, line.starts_with("pub"))
            }
            _ => continue,
        };
        own.insert(name.to_owned());
        public.extend(seen.then(|| name.to_owned()));
    }
    (own, public)
}

/// The fields whose lock the file takes: by `lock(&self.field)`, or by a method of a lock.
fn locked(text: &str) -> BTreeSet<String> {
    let is_of_path = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let taken = text.match_indices("lock(&").filter_map(|(at, call)| {
        let path = text[at + call.len()..].split(|c| !is_of_path(c)).next()?;
        path.contains('.').then(|| last(path))
    });
    let methods = [".lock()", ".try_lock()", ".read().unwrap", ".write().unwrap"];
    let by_method = methods.iter().flat_map(|method| text.match_indices(method)).filter_map(|(at, _)| {
        let path = text[..at].rsplit(|c| !is_of_path(c)).next()?;
        path.contains('.').then(|| last(path))
    });
    taken.chain(by_method).collect()
}

/// What each module names by `use`, by the name that it has there. What is private serves the module's children.
type Names = BTreeMap<Module, BTreeMap<String, Module>>;

fn modules() -> BTreeMap<Module, BTreeSet<Module>> {
    let sources = sources();
    let known: BTreeSet<Module> = sources.keys().map(|path| module_of(path)).collect();
    let names: Names = sources.iter().map(|(path, text)| named_by(&module_of(path), text, &known)).collect();
    let uses = |own: &Module, text: &str| {
        let paths = imports(text).into_iter().filter_map(|import| absolute(own, &import.path, &known));
        paths.map(|path| resolve(path, &names)).filter(|used| used != own).collect::<BTreeSet<_>>()
    };
    sources.iter().map(|(path, text)| (module_of(path), uses(&module_of(path), text))).collect()
}

/// The module, and its names.
fn named_by(own: &Module, text: &str, known: &BTreeSet<Module>) -> (Module, BTreeMap<String, Module>) {
    let mut found = Vec::new();
    for (at, word) in text.match_indices("use ") {
        let line = text[..at].rsplit('\n').next().unwrap_or_default().trim_start();
        if line.is_empty() || line.starts_with("pub") {
            expand(&text[at + word.len()..], &mut Vec::new(), &mut found);
        }
    }
    let absolute = |import: Import| Some((import.name, absolute(own, &import.path, known)?));
    (own.clone(), found.into_iter().filter_map(absolute).collect())
}

/// The sources, of the library and the binaries, without their tests.
fn sources() -> BTreeMap<PathBuf, String> {
    let product = |(path, text): (PathBuf, String)| {
        let tests = path.iter().any(|part| part == "tests" || part == "simulation");
        if tests || path.to_string_lossy().ends_with("tests.rs") {
            return None;
        }
        let product = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let code = product.lines().filter(|line| !line.trim_start().starts_with("//"));
        Some((path, code.collect::<Vec<_>>().join("\n")))
    };
    all_files("src").into_iter().filter_map(product).collect()
}

fn all_files(folder: &str) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut next = vec![PathBuf::from(folder)];
    while let Some(folder) = next.pop() {
        for entry in fs::read_dir(&folder).expect("the sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                next.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = fs::read_to_string(&path).expect("a source");
                found.insert(path, text);
            }
        }
    }
    found
}

fn module_of(path: &Path) -> Module {
    let inside = path.strip_prefix("src").expect("in src").with_extension("");
    let mut parts: Module = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let is_root = |name: &str| ["lib", "main"].contains(&name) && (parts.len() == 1 || parts[0] == "bin");
    if parts.last().is_some_and(|last| last == "mod" || is_root(last)) {
        parts.pop();
    }
    parts
}

/// What an import names.
struct Import {
    path: Module,
    /// The path's last part, or what `as` makes of it.
    name: String,
}

/// Every path that begins with `crate` or `super`, one for each name in braces.
fn imports(text: &str) -> Vec<Import> {
    let mut found = Vec::new();
    for root in ["crate::", "super::"] {
        for (at, _) in text.match_indices(root) {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == ':' || c == '_') {
                continue;
            }
            expand(&text[at..], &mut Vec::new(), &mut found);
        }
    }
    found
}

/// The text up to what can't be part of a name, and the rest.
fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len()))
}

fn expand(text: &str, begun: &mut Module, found: &mut Vec<Import>) {
    let (name, rest) = word(text);
    if !name.is_empty() {
        begun.push(name.to_owned());
    }
    match rest.strip_prefix("::") {
        Some(rest) if rest.starts_with('{') => {
            let (mut depth, mut from) = (0, 1);
            for (at, c) in rest.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                if depth == 0 || (c == ',' && depth == 1) {
                    let one = rest[from..at].trim_start();
                    if !one.is_empty() {
                        expand(one, &mut begun.clone(), found);
                    }
                    from = at + 1;
                }
                if depth == 0 {
                    break;
                }
            }
        }
        Some(rest) => expand(rest, begun, found),
        None => {
            let alias = rest.strip_prefix(" as ").map(|rest| word(rest).0);
            let name = alias.unwrap_or(name).to_owned();
            found.push(Import { path: begun.clone(), name });
        }
    }
}

/// The path from the crate's root; none where it leads out of the crate.
fn absolute(own: &Module, import: &Module, known: &BTreeSet<Module>) -> Option<Module> {
    let joined = |base: &[String], rest: &[String]| base.iter().chain(rest).cloned().collect();
    match import.first()?.as_str() {
        "crate" => {
            // A binary is a crate of its own.
            let root = if own.first().is_some_and(|top| top == "bin") { &own[..own.len().min(2)] } else { &[] };
            Some(joined(root, &import[1..]))
        }
        "self" => Some(joined(own, &import[1..])),
        "super" => {
            let supers = import.iter().take_while(|part| *part == "super").count();
            Some(joined(own.get(..own.len().checked_sub(supers)?)?, &import[supers..]))
        }
        child => known.contains(&joined(own, &[child.to_owned()])).then(|| joined(own, import)),
    }
}

/// What is named by one module after another is found within so many.
const MOST_HOPS: usize = 10;

/// The file that a path leads to: where it was declared, whoever names it, too. What `*` names isn't followed.
fn resolve(mut path: Module, names: &Names) -> Module {
    let mut file = Module::new();
    for _ in 0..MOST_HOPS {
        let end = (0..=path.len()).rev().find(|end| names.contains_key(&path[..*end])).unwrap_or_default();
        let next = path.get(end).and_then(|part| names.get(&path[..end])?.get(part));
        file = path[..end].to_vec();
        let Some(target) = next else { break };
        path = target.iter().chain(&path[end + 1..]).cloned().collect();
    }
    file
}
