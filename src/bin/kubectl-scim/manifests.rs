//! Manifests as files have them: one object, several, or lists.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use scim_operator::api::{ClusterScimConnection, GROUP, ScimConnection};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// No manifest that people write is larger.
const LONGEST: u64 = 64 * 1024 * 1024;

/// A file's content; `-` is standard input.
pub fn bytes(file: &Path) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(LONGEST).read_to_end(&mut content)
    } else {
        std::fs::File::open(file).and_then(|open| open.take(LONGEST).read_to_end(&mut content))
    };
    read.with_context(|| format!("{} can't be read", file.display()))?;
    Ok(content)
}

/// The connections in a file.
pub fn connections(file: &Path) -> Result<Vec<ScimConnection>> {
    let mut found = Vec::new();
    for object in objects(file)? {
        match kind(&object) {
            "ScimConnection" => found.push(read::<ScimConnection>(file, object)?),
            "ClusterScimConnection" => found.push(read::<ClusterScimConnection>(file, object)?.into_connection()),
            _ => {}
        }
    }
    Ok(found)
}

/// Every object in a file.
fn objects(file: &Path) -> Result<Vec<Value>> {
    let text = String::from_utf8(bytes(file)?).map_err(|_| anyhow::anyhow!("{} is not text", file.display()))?;
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&text).with_context(|| format!("{} is not YAML", file.display()))?;
    let mut found = Vec::new();
    for document in documents {
        match document {
            Value::Null => {}
            Value::Object(mut object) if object.get("items").is_some_and(Value::is_array) => {
                if let Some(Value::Array(items)) = object.remove("items") {
                    found.extend(items);
                }
            }
            Value::Object(object) => found.push(Value::Object(object)),
            _ => bail!("{} is not a manifest: there is no object in it", file.display()),
        }
    }
    Ok(found)
}

fn kind(object: &Value) -> &str {
    let ours = object["apiVersion"].as_str().is_some_and(|version| version.split('/').next() == Some(GROUP));
    if ours { object["kind"].as_str().unwrap_or_default() } else { "" }
}

fn read<T: DeserializeOwned>(file: &Path, object: Value) -> Result<T> {
    let name = format!("{} {}", kind(&object), object["metadata"]["name"].as_str().unwrap_or("without a name"));
    serde_json::from_value(object).with_context(|| format!("{}: the {name} is not complete", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str, name: &str) -> Result<Vec<ScimConnection>> {
        let file = std::env::temp_dir().join(format!("kubectl-scim-{}-{name}.yaml", std::process::id()));
        std::fs::write(&file, text).unwrap();
        let found = connections(&file);
        std::fs::remove_file(&file).unwrap();
        found
    }

    const CONNECTION: &str = "apiVersion: scim-operator.dev/v1alpha1\nkind: ScimConnection\nmetadata: {name: a}\n\
        spec: {baseUrl: https://scim.example.com, auth: {}}\n";

    #[test]
    fn connections_are_found_among_others_and_half_of_one_is_told() {
        let list = format!("---\n{CONNECTION}---\nkind: Secret\n---\n");
        assert_eq!(with(&list, "list").unwrap().len(), 1);
        let half = CONNECTION.replace(", auth: {}", "");
        let told = format!("{:#}", with(&half, "half").unwrap_err());
        assert!(told.contains("ScimConnection a is not complete") && told.contains("auth"), "{told}");
        let broken = format!("{:#}", with("spec: [", "broken").unwrap_err());
        assert!(broken.contains("is not YAML"), "{broken}");
        assert!(with("just text", "text").is_err());
    }
}
