//! docs/api.md says what crds/crds.yaml says: every field of every kind. docs/cli.md says what the command line says.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};

const HEAD: &str = "# API reference

Written from [crds/crds.yaml](../crds/crds.yaml) by `make reference`; `kubectl explain` tells the same of a cluster.
`[]` in a path is each item of a list, `{}` each value of a map. A field without a default may be left out unless it says
*required*. What a rule says is checked by the API server.
";

/// The fields of objects that have been written, and where: what is the same again only names that place.
type Written = BTreeMap<String, (String, String)>;

/// The page of these CRDs.
fn page(crds: &[Value]) -> String {
    let mut text = HEAD.to_owned();
    let kinds = crds.iter().map(|crd| crd["spec"]["names"]["kind"].as_str().unwrap_or_default());
    let links: Vec<String> = kinds.map(|kind| format!("[{kind}](#{})", kind.to_lowercase())).collect();
    let _ = writeln!(text, "\n{}", links.join(", "));
    let mut written = Written::new();
    for crd in crds {
        write_kind(&mut text, &mut written, &crd["spec"]);
    }
    text
}

fn write_kind(text: &mut String, written: &mut Written, spec: &Value) {
    let (names, version) = (&spec["names"], &spec["versions"][0]);
    let kind = names["kind"].as_str().unwrap_or_default();
    let schema = &version["schema"]["openAPIV3Schema"];
    let scope = spec["scope"].as_str().unwrap_or_default().to_lowercase();
    let short = joined(&names["shortNames"]);
    let short = if short.is_empty() { short } else { format!(", short name {short}") };
    let api = format!("{}/{}", word(&spec["group"]), word(&version["name"]));
    let _ = writeln!(text, "\n## {kind}\n\n{}\n\n`{api}`, {scope}{short}.", words(schema));
    for rule in rules(schema) {
        let _ = writeln!(text, "\nRule: {rule}.");
    }
    for part in ["spec", "status"] {
        let _ = writeln!(text, "\n| field | type | bounds | what it is |\n|---|---|---|---|");
        write_fields(text, written, kind, part, &schema["properties"][part]);
    }
}

/// The rows of all that lies below `path`.
fn write_fields(text: &mut String, written: &mut Written, kind: &str, path: &str, schema: &Value) {
    let none = Map::new();
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().unwrap_or(&none) {
        let path = format!("{path}.{name}");
        let (inner, end) = innermost(field);
        let below = format!("{path}{end}");
        let fields = inner["properties"].as_object().unwrap_or(&none);
        // Descriptions of the same type differ by where it is used; its fields don't.
        let before = written.get(&inner["properties"].to_string()).filter(|_| !fields.is_empty()).cloned();
        let mut said = words(field);
        for rule in rules(field).chain(rules(inner).filter(|_| !end.is_empty())) {
            let _ = write!(said, "<br>Rule: {rule}.");
        }
        if let Some((of, place)) = &before {
            let _ = write!(said, "<br>Its fields are those of `{place}` of [{of}](#{}).", of.to_lowercase());
        }
        let bounds = bounds(field, inner, required.contains(&name.as_str()));
        let _ = writeln!(text, "| `{path}` | {} | {bounds} | {} |", type_of(field), said.trim());
        if before.is_none() && !fields.is_empty() {
            written.insert(inner["properties"].to_string(), (kind.to_owned(), below.clone()));
            write_fields(text, written, kind, &below, inner);
        }
    }
}

/// What a list or a map is of, and how that is written in a path.
fn innermost(schema: &Value) -> (&Value, String) {
    for (of, sign) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[of].is_object() {
            let (inner, end) = innermost(&schema[of]);
            return (inner, format!("{sign}{end}"));
        }
    }
    (schema, String::new())
}

fn type_of(schema: &Value) -> String {
    if schema["items"].is_object() {
        return format!("list of {}", type_of(&schema["items"]));
    }
    if schema["additionalProperties"].is_object() {
        return format!("map of {}", type_of(&schema["additionalProperties"]));
    }
    match (word(&schema["type"]), word(&schema["format"])) {
        ("", _) => "any".to_owned(),
        (_, "date-time") => "time".to_owned(),
        (known, _) => known.to_owned(),
    }
}

/// What its value may be, and what it is when it is left out.
fn bounds(field: &Value, inner: &Value, required: bool) -> String {
    let mut all: Vec<String> = required.then(|| "*required*".to_owned()).into_iter().collect();
    if !field["default"].is_null() {
        all.push(format!("default {}", code(&field["default"])));
    }
    all.extend(range(&field["minItems"], &field["maxItems"], "items"));
    all.extend(range(&field["minProperties"], &field["maxProperties"], "entries"));
    if inner["enum"].is_array() {
        all.push(format!("one of {}", joined(&inner["enum"])));
    }
    all.extend(range(&inner["minimum"], &inner["maximum"], ""));
    all.extend(range(&inner["minLength"], &inner["maxLength"], "characters"));
    if inner["pattern"].is_string() {
        all.push(code(&inner["pattern"]));
    }
    all.join("; ")
}

fn range(least: &Value, most: &Value, of: &str) -> Option<String> {
    let number = |value: &Value| value.as_f64().map(|number| number.to_string());
    let said = match (number(least), number(most)) {
        (Some(least), Some(most)) => format!("{least} to {most} {of}"),
        (Some(least), None) => format!("at least {least} {of}"),
        (None, Some(most)) => format!("at most {most} {of}"),
        (None, None) => return None,
    };
    Some(said.trim_end().to_owned())
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// One line that a table can hold: the description.
fn words(schema: &Value) -> String {
    word(&schema["description"]).split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn rules(schema: &Value) -> impl Iterator<Item = String> {
    let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    rules.map(|rule| word(&rule["message"]).replace('|', "\\|"))
}

fn code(value: &Value) -> String {
    let said = value.as_str().map_or_else(|| value.to_string(), str::to_owned).replace('|', "\\|");
    if said.is_empty() { "\"\"".to_owned() } else { format!("`{said}`") }
}

fn joined(list: &Value) -> String {
    list.as_array().into_iter().flatten().map(code).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_reference_is_what_the_crds_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crds = fs::read_to_string(root.join("crds/crds.yaml")).expect("crds/crds.yaml");
    let crds: Vec<Value> = serde_saphyr::from_multiple(&crds).expect("YAML");
    let crds: Vec<Value> = crds.into_iter().filter(Value::is_object).collect();
    let expected = page(&crds);
    written_or_current("docs/api.md", &expected);
}

#[test]
fn the_page_of_the_command_line_is_what_it_says_of_itself() {
    let said = Command::new(env!("CARGO_BIN_EXE_kubectl-scim")).arg("docs").output().expect("kubectl-scim");
    assert!(said.status.success(), "{said:?}");
    written_or_current("docs/cli.md", &String::from_utf8(said.stdout).expect("text"));
}

/// A generated page: written with `WRITE_REFERENCE`, else the same as the file.
fn written_or_current(file: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("WRITE_REFERENCE").is_some() {
        fs::write(&path, expected).expect("the page is written");
        return;
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    // The first line that differs says it; the whole page would not.
    let differs = found.lines().zip(expected.lines()).find(|(now, wanted)| now != wanted);
    assert!(found == expected, "{file} is out of date; run `make reference`: {differs:?}");
}

#[test]
fn a_field_says_all_that_its_schema_says() {
    let reference = json!({"description": "A Secret.", "type": "object", "required": ["name"],
        "properties": {"name": {"type": "string", "maxLength": 253, "pattern": "^a|b$"}}});
    let spec = json!({"properties": {
        "first": reference,
        "hosts": {"type": "array", "maxItems": 3, "items": {"type": "string", "enum": ["a", "b"], "description": "Not it."},
            "description": "Which\nhosts.", "x-kubernetes-validations": [{"message": "write each once", "rule": "x"}]},
        "mode": {"type": "string", "default": "Apply"},
        "second": {"type": "object", "additionalProperties": reference},
    }, "required": ["first"]});
    let mut text = String::new();
    write_fields(&mut text, &mut Written::new(), "Thing", "spec", &spec);
    let expected = [
        "| `spec.first` | object | *required* | A Secret. |",
        r"| `spec.first.name` | string | *required*; at most 253 characters; `^a\|b$` |  |",
        "| `spec.hosts` | list of string | at most 3 items; one of `a`, `b` | Which hosts.<br>Rule: write each once. |",
        "| `spec.mode` | string | default `Apply` |  |",
        "| `spec.second` | map of object |  | <br>Its fields are those of `spec.first` of [Thing](#thing). |",
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}
