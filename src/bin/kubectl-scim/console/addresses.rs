//! Where the pages of objects are.

/// Where a person is shown.
pub fn address(namespace: &str, name: &str) -> String {
    format!("/people/{namespace}/{name}")
}

/// Where a group is shown.
pub fn group_address(namespace: &str, name: &str) -> String {
    format!("/groups/{namespace}/{name}")
}

/// Where a roster is shown.
pub fn roster_address(namespace: &str, name: &str) -> String {
    format!("/rosters/{namespace}/{name}")
}

/// Whether Kubernetes would have it for a name; what isn't one would lead elsewhere within an address.
pub fn is_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    !text.is_empty() && text.len() <= 253 && text.bytes().all(inner) && !text.starts_with('.')
}
