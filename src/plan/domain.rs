//! Names that a server keeps with a domain before them: `PRIMARY/team` for `team`, or the other way round.

use crate::scim::fold;

/// The domain with its separator, where a name has one, and the name without it.
fn split(name: &str) -> (&str, &str) {
    let is_plain =
        |domain: &str| !domain.is_empty() && domain.chars().all(|c| c.is_alphanumeric() || "._-".contains(c));
    match name.find(['/', '\\']) {
        Some(end) if is_plain(&name[..end]) && end + 1 < name.len() => name.split_at(end + 1),
        _ => ("", name),
    }
}

/// One of the two is the other with a domain before it.
pub fn is_same_in_domain(one: &str, other: &str) -> bool {
    let ((domain, name), (other_domain, other_name)) = (split(one.trim()), split(other.trim()));
    domain.is_empty() != other_domain.is_empty() && fold(name) == fold(other_name)
}

/// A new name as a server keeps it that keeps the present one with a domain.
pub fn in_domain_of(present: &str, name: &str) -> String {
    let (domain, own_domain) = (split(present).0, split(name).0);
    if own_domain.is_empty() { format!("{domain}{name}") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i06_a_name_is_the_same_in_a_domain_of_the_server_alone() {
        for (one, other, same) in [
            ("PRIMARY/team", "team", true),
            ("team", "CORP\\Team", true),
            ("PRIMARY/team", "SECONDARY/team", false),
            ("team", "team", false),
            ("PRIMARY/team", "other", false),
            ("a b/team", "team", false),
            ("/team", "team", false),
            ("team/", "team", false),
        ] {
            assert_eq!(is_same_in_domain(one, other), same, "{one} {other}");
        }
        assert_eq!(in_domain_of("PRIMARY/team", "crew"), "PRIMARY/crew");
        assert_eq!(in_domain_of("team", "crew"), "crew");
        assert_eq!(in_domain_of("PRIMARY/team", "STORE/crew"), "STORE/crew");
    }
}
