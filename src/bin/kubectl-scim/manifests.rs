//! Manifests as files have them: one object, several, or lists; what kustomize and charts print; standard input.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use scim_operator::api::{ClusterScimConnection, GROUP, ScimConnection};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::duplicates::Declarations;
pub use crate::manifest::{Manifest, Place};
use crate::schema::Schemas;

/// No file may be larger.
const LONGEST: u64 = 128 * 1024 * 1024;
/// So many errors are told; the first ones say most.
const MOST_ERRORS: usize = 20;

/// A file's content; `-` is standard input.
pub fn bytes(file: &Path) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let most = LONGEST + 1;
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut content)
    } else {
        std::fs::File::open(file).and_then(|open| open.take(most).read_to_end(&mut content))
    };
    let length = read.with_context(|| format!("{} can't be read", shown(file)))?;
    // What is cut off would count as not declared.
    if length as u64 == most {
        bail!("{} is larger than {} MiB: split it into several files", shown(file), LONGEST / (1024 * 1024));
    }
    Ok(content)
}

fn shown(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}

/// The connections in a file.
pub fn connections(file: &Path) -> Result<Vec<ScimConnection>> {
    let mut found = Vec::new();
    for manifest in read(&[file.to_owned()], false, "")?.ours {
        match manifest.kind().1 {
            "ScimConnection" => found.push(manifest.read::<ScimConnection>()?),
            "ClusterScimConnection" => found.push(manifest.read::<ClusterScimConnection>()?.into_connection()),
            _ => {}
        }
    }
    Ok(found)
}

/// What files hold.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// Objects of our kinds, checked and completed as the API server would.
    pub ours: Vec<Manifest>,
    /// `ConfigMap`s, `Secret`s and `Namespace`s.
    pub core: Vec<Manifest>,
    /// How many there are of other kinds, which are nobody's here.
    pub skipped: BTreeMap<String, u64>,
    /// The directories without any manifest, each as a sentence.
    pub empty: Vec<String>,
}

impl Manifests {
    /// An error where a directory without manifests is a mistake.
    pub fn has_no_empty_directory(&self) -> Result<()> {
        if self.empty.is_empty() { Ok(()) } else { bail!("{}", self.empty.join("\n")) }
    }
}

/// Everything in files and directories. All that is wrong is told at once. `namespace` is that of objects that name none.
pub fn read(files: &[PathBuf], recursive: bool, namespace: &str) -> Result<Manifests> {
    let mut ours = Vec::new();
    let found = each(files, recursive, namespace, |manifest| {
        ours.push(manifest);
        Ok(())
    })?;
    found.has_no_empty_directory()?;
    Ok(Manifests { ours, ..found })
}

/// The same, and each object of our kinds is handed over as soon as it is read: of thousands, only what the visitor makes of
/// them is kept. Where anything is wrong, what was handed over is not to be used.
pub fn each(
    files: &[PathBuf],
    recursive: bool,
    namespace: &str,
    mut visit: impl FnMut(Manifest) -> Result<()>,
) -> Result<Manifests> {
    let (files, empty) = expanded(files, recursive)?;
    let mut found = Manifests { empty, ..Manifests::default() };
    let mut errors = Vec::new();
    let schemas = Schemas::shipped();
    let mut declarations = Declarations::new(namespace);
    for (file, named) in files {
        let mut once = |manifest: Manifest| declarations.add(&manifest).map(|()| manifest);
        objects(&file, named, &mut |read| match read.and_then(&mut once).map(|one| (is_ours(&one), one)) {
            Ok((true, manifest)) => match schemas.complete(manifest) {
                Ok(manifest) => errors.extend(visit(manifest).err().map(|error| error.to_string())),
                Err(wrong) => errors.extend(wrong),
            },
            Ok((false, manifest)) => match manifest.kind() {
                ("", "ConfigMap" | "Secret" | "Namespace") => found.core.push(manifest),
                (_, kind) => *found.skipped.entry(kind.to_owned()).or_default() += 1,
            },
            Err(why) => errors.push(why),
        })?;
    }
    let more = errors.len().saturating_sub(MOST_ERRORS);
    errors.truncate(MOST_ERRORS);
    if more > 0 {
        errors.push(format!("and {more} more"));
    }
    if !errors.is_empty() {
        bail!("{}", errors.join("\n"));
    }
    Ok(found)
}

fn is_ours(manifest: &Manifest) -> bool {
    manifest.kind().0 == GROUP
}

/// A file, and whether it was named itself.
type Named = (PathBuf, bool);

/// The files that are meant, each once, in order; and the directories that have none, as sentences.
fn expanded(files: &[PathBuf], recursive: bool) -> Result<(Vec<Named>, Vec<String>)> {
    let (mut found, mut empty) = (Vec::new(), Vec::new());
    for file in files {
        if !file.is_dir() {
            found.push((file.clone(), true));
            continue;
        }
        let before = found.len();
        walk(file, recursive, &mut found)?;
        if found.len() == before {
            let none = format!("{} holds no .yaml, .yml or .json", file.display());
            if !recursive && has_directories(file) {
                bail!("{none}; -R looks into the directories in it too");
            }
            empty.push(none);
        }
    }
    let mut known = HashSet::new();
    found.retain(|(file, _)| known.insert(file.canonicalize().unwrap_or_else(|_| file.clone())));
    Ok((found, empty))
}

fn has_directories(directory: &Path) -> bool {
    std::fs::read_dir(directory).is_ok_and(|all| all.flatten().any(|entry| entry.path().is_dir()))
}

fn walk(directory: &Path, recursive: bool, found: &mut Vec<(PathBuf, bool)>) -> Result<()> {
    let can_not = || format!("{} can't be read", directory.display());
    let entries = std::fs::read_dir(directory).with_context(can_not)?;
    let mut paths =
        entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>().with_context(can_not)?;
    paths.sort();
    for path in paths {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        // A link to a directory above would never end.
        if path.is_dir() && recursive && !path.is_symlink() {
            walk(&path, recursive, found)?;
        } else if path.is_file() && ["yaml", "yml", "json"].contains(&extension) {
            found.push((path, false));
        }
    }
    Ok(())
}

/// Every object in a file, or what is wrong with it. A file that wasn't named itself may hold something else, such as a
/// chart's values.
fn objects(file: &Path, named: bool, visit: &mut dyn FnMut(Result<Manifest, String>)) -> Result<()> {
    let name = shown(file);
    let text = String::from_utf8(bytes(file)?).map_err(|_| anyhow!("{name} is not text in UTF-8"))?;
    for (number, (line, document)) in documents(&text).into_iter().enumerate() {
        let place = Place { file: name.clone(), document: number + 1, line };
        let mut item = |object| visit(Ok(Manifest { place: place.clone(), object }));
        match parsed(document, line, &mut item) {
            Ok(None | Some(Value::Null)) => {}
            Ok(Some(object)) => {
                let is_object = object["apiVersion"].is_string() && object["kind"].is_string();
                if is_object {
                    visit(Ok(Manifest { place, object }));
                } else if named || object["apiVersion"].as_str().is_some_and(|version| version.starts_with(GROUP)) {
                    visit(Err(format!("{place}: it is not a manifest: there is no apiVersion and kind in it")));
                }
            }
            Err(why) => visit(Err(format!("{place}: {why}"))),
        }
    }
    Ok(())
}

/// The documents of a YAML stream, each with the number of its first line. A line that begins with `---` begins one,
/// whatever is around it.
fn documents(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let (mut begin, mut first, mut at) = (0, 1, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let marker = line.trim_end();
        let is_marker = marker == "---" || marker.starts_with("--- ");
        if is_marker && at > begin {
            found.push((first, &text[begin..at]));
        }
        if is_marker {
            // What follows the marker on its line is of the document.
            let alone = marker == "---";
            begin = if alone { at + line.len() } else { at + 3 };
            first = if alone { number + 2 } else { number + 1 };
        }
        at += line.len();
    }
    found.push((first, &text[begin..]));
    found.retain(|(_, document)| document.lines().any(|line| !line.trim().is_empty() && !line.starts_with('#')));
    found
}

/// The object of a document; none where it is a list, whose items were handed over one by one.
fn parsed(document: &str, first: usize, item: &mut dyn FnMut(Value)) -> Result<Option<Value>, String> {
    if document.trim_start().starts_with('{') {
        let mut json = serde_json::Deserializer::from_str(document);
        let read = ListOrObject { item }.deserialize(&mut json).and_then(|read| json.end().map(|()| read));
        return read.or_else(|_| serde_json::from_str(document).map(Some)).map_err(|error| {
            format!("line {} column {}: it is not JSON", first + error.line().saturating_sub(1), error.column())
        });
    }
    let read = serde_saphyr::with_deserializer_from_str(document, |yaml| ListOrObject { item }.deserialize(yaml));
    read.or_else(|_| serde_saphyr::from_str(document).map(Some)).map_err(|error| {
        let place = error.location().map(|at| {
            let line = first + usize::try_from(at.line()).unwrap_or_default().saturating_sub(1);
            format!("line {line} column {}: ", at.column())
        });
        let why = error.without_snippet().to_string();
        let why = why.lines().next().unwrap_or_default().to_owned();
        format!("{}it is not YAML: {why}", place.unwrap_or_default())
    })
}

/// An object, or a list that is never held as a whole. Anything else is read in the ordinary way.
struct ListOrObject<'i> {
    item: &'i mut dyn FnMut(Value),
}

impl<'de> DeserializeSeed<'de> for ListOrObject<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, document: D) -> Result<Self::Value, D::Error> {
        document.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ListOrObject<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut object, mut is_list) = (Map::new(), false);
        while let Some(name) = map.next_key::<String>()? {
            if name == "items" {
                map.next_value_seed(Items { item: self.item })?;
                is_list = true;
            } else {
                object.insert(name, map.next_value()?);
            }
        }
        Ok((!is_list).then_some(Value::Object(object)))
    }
}

/// The items of a list, one by one.
struct Items<'i> {
    item: &'i mut dyn FnMut(Value),
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, items: D) -> Result<(), D::Error> {
        items.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element()? {
            (self.item)(item);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(text: &str, name: &str, read: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        let file = std::env::temp_dir().join(format!("kubectl-scim-{}-{name}.yaml", std::process::id()));
        std::fs::write(&file, text).unwrap();
        let found = read(&file);
        std::fs::remove_file(&file).unwrap();
        found
    }

    fn told(text: &str, name: &str) -> String {
        format!("{:#}", with(text, name, connections).unwrap_err())
    }

    const CONNECTION: &str = "apiVersion: scim-operator.dev/v1alpha1\nkind: ScimConnection\nmetadata: {name: a}\n\
        spec: {baseUrl: https://scim.example.com, auth: {bearerToken: {secretKeyRef: {name: key, key: token}}}}\n";

    #[test]
    fn objects_are_found_among_others_and_completed() {
        let list = format!(
            "# chart\n---\n{CONNECTION}---\napiVersion: apps/v1\nkind: Deployment\n---\n\n--- # last\nkind: Secret\napiVersion: v1\n"
        );
        let found = with(&list, "list", |file| read(&[file.to_owned()], false, "")).unwrap();
        assert_eq!((found.ours.len(), found.core.len(), found.skipped["Deployment"]), (1, 1, 1));
        assert_eq!(found.ours[0].object["spec"]["resyncInterval"], "30m", "{:?}", found.ours[0]);
        let json = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": [found.ours[0].object]});
        assert_eq!(with(&json.to_string(), "json", connections).unwrap().len(), 1);
    }

    #[test]
    fn i29_what_is_wrong_is_told_by_file_document_and_line() {
        let half = told(&format!("{CONNECTION}---\n{}", CONNECTION.replace("metadata: {name: a}\n", "")), "half");
        assert!(half.contains("half.yaml: document 2 (line 6): ") && half.contains("metadata.name"), "{half}");
        let unknown = told(&CONNECTION.replace("baseUrl", "baseURL"), "unknown");
        assert!(unknown.contains("spec.baseURL") && unknown.contains("baseUrl"), "{unknown}");
        let broken = told(&format!("{CONNECTION}---\nspec: [1,\n---\n"), "broken");
        assert!(broken.contains("document 2 (line 6): line ") && broken.contains("is not YAML"), "{broken}");
        assert!(told("just text", "text").contains("not a manifest"));
        let rule = told(
            &CONNECTION.replace("https:", "http:").replace(
                "auth: {",
                "auth: {basic: {usernameSecretKeyRef: {name: a, key: b}, passwordSecretKeyRef: {name: a, key: b}}, ",
            ),
            "rule",
        );
        assert!(rule.contains("spec"), "{rule}");
    }
}
