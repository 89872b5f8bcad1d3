//! The commands that messages name: all are made here, and each can be pasted as it stands.

use std::fmt;

/// An object as kubectl names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    resource: &'a str,
    namespace: Option<&'a str>,
    name: &'a str,
}

impl<'a> Named<'a> {
    /// An object of a namespace.
    pub fn namespaced(resource: &'a str, namespace: &'a str, name: &'a str) -> Self {
        Self { resource, namespace: Some(namespace), name }
    }

    /// The same by its `namespace/name`.
    pub fn by_full_name(resource: &'a str, full_name: &'a str) -> Self {
        match full_name.split_once('/') {
            Some((namespace, name)) => Self::namespaced(resource, namespace, name),
            None => Self { resource, namespace: None, name: full_name },
        }
    }

    /// A connection; one without a namespace is of the cluster.
    pub fn connection(namespace: &'a str, name: &'a str) -> Self {
        if namespace.is_empty() {
            Self { resource: "clusterscimconnection", namespace: None, name }
        } else {
            Self::namespaced("scimconnection", namespace, name)
        }
    }

    /// Sets an annotation, `key=value`.
    pub fn annotate(&self, annotation: &str) -> String {
        format!("kubectl annotate {self} {annotation}")
    }

    /// Sets a label; `known` is the value that it has by now.
    pub fn label(&self, key: &str, value: &str, known: Option<&str>) -> String {
        let replace = if known.is_some() { " --overwrite" } else { "" };
        format!("kubectl label {self} {key}={value}{replace}")
    }

    /// Sets a field of the spec to a text.
    pub fn set(&self, field: &str, value: &str) -> String {
        let patch = serde_json::json!({"spec": {field: value}});
        format!("kubectl patch {self} --type=merge -p '{patch}'")
    }
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.resource)?;
        if let Some(namespace) = self.namespace {
            write!(f, " -n {namespace}")?;
        }
        write!(f, " {}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i15_each_command_names_its_object_as_kubectl_takes_it() {
        let user = Named::by_full_name("scimuser", "identity/ada");
        assert_eq!(user.annotate("a=b"), "kubectl annotate scimuser -n identity ada a=b");
        assert_eq!(Named::namespaced("secret", "n", "key").label("a", "b", None), "kubectl label secret -n n key a=b");
        let relabelled = Named::namespaced("secret", "n", "key").label("a", "b", Some("c"));
        assert_eq!(relabelled, "kubectl label secret -n n key a=b --overwrite");
        let set = |named: Named| named.set("approvedHold", "3f2a");
        assert_eq!(
            set(Named::connection("identity", "datadog")),
            r#"kubectl patch scimconnection -n identity datadog --type=merge -p '{"spec":{"approvedHold":"3f2a"}}'"#
        );
        assert_eq!(
            set(Named::connection("", "datadog")),
            r#"kubectl patch clusterscimconnection datadog --type=merge -p '{"spec":{"approvedHold":"3f2a"}}'"#
        );
        assert_eq!(
            Named::connection("", "datadog").annotate("a=b"),
            "kubectl annotate clusterscimconnection datadog a=b"
        );
    }
}
