//! Protected identities: accounts that nothing here may lock out.

use unicode_normalization::UnicodeNormalization;

/// Globs over userName, e-mail and id. `*` stands for any run of characters, `?` for any one;
/// upper and lower case are the same, and there is no escape.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Protected {
    globs: Vec<Glob>,
    /// Identities of the key's owner, folded.
    exact: Vec<Vec<char>>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob {
    written: String,
    folded: Vec<char>,
}

impl Glob {
    pub(super) fn new(pattern: impl Into<String>) -> Self {
        let written = pattern.into();
        let folded = folded(&written);
        Self { written, folded }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        fits(&self.folded, &folded(text))
    }
}

impl Protected {
    /// The patterns as the connection declares them.
    pub fn new<S: Into<String>>(patterns: impl IntoIterator<Item = S>) -> Self {
        Self { globs: patterns.into_iter().map(Glob::new).collect(), exact: Vec::new() }
    }

    /// With these identities too, letter by letter: the owner of the key (promise I14).
    #[must_use]
    pub fn with_identities<'a>(mut self, identities: impl IntoIterator<Item = &'a str>) -> Self {
        self.exact.extend(identities.into_iter().map(folded));
        self
    }

    /// The patterns without the key's owner.
    #[must_use]
    pub fn patterns_alone(&self) -> Self {
        Self { globs: self.globs.clone(), exact: Vec::new() }
    }

    /// Nobody is protected.
    pub fn is_empty(&self) -> bool {
        self.globs.is_empty() && self.exact.is_empty()
    }

    /// The first pattern, as written, that one of these identities fits. Give it what is declared
    /// and what was found: userName, e-mails, id.
    pub fn matches<'a>(&self, identities: impl IntoIterator<Item = &'a str>) -> Option<&str> {
        if self.is_empty() {
            return None;
        }
        identities.into_iter().find_map(|identity| {
            let text = folded(identity);
            if self.exact.contains(&text) {
                return Some("the owner of the key");
            }
            let found = self.globs.iter().find(|glob| fits(&glob.folded, &text))?;
            Some(found.written.as_str())
        })
    }
}

/// Composed letters (NFC), whatever wrote them.
fn folded(text: &str) -> Vec<char> {
    text.nfc().map(fold).collect()
}

/// One character to one character, so that `?` keeps its meaning; goes through upper case, so that
/// `ς` is `σ` and `ſ` is `s`.
fn fold(c: char) -> char {
    fn only(mut chars: impl Iterator<Item = char>, or: char) -> char {
        match (chars.next(), chars.next()) {
            (Some(one), None) => one,
            _ => or,
        }
    }
    let upper = only(c.to_uppercase(), c);
    only(upper.to_lowercase(), upper)
}

/// Greedy, with a single place to go back to (the last `*`): at most pattern × text steps, and
/// linear for what people write.
fn fits(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after, from)) = star else {
                    return false;
                };
                star = Some((after, from + 1));
                p = after;
                t = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
            Some((c, rest)) => text.split_first().is_some_and(|(t, tail)| (*c == '?' || c == t) && naive(rest, tail)),
        }
    }

    proptest! {
        #[test]
        fn i14_globs_match_as_a_naive_matcher_does(
            pattern in "[ab?*]{0,9}", text in "[ab*]{0,12}"
        ) {
            let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(fits(&p, &t), naive(&p, &t));
        }

        #[test]
        fn i14_case_never_matters(text in "\\PC{0,20}") {
            let swapped: String = text.chars().map(fold).collect();
            prop_assert!(Protected::new([text.replace('*', "x")])
                .matches([swapped.replace('*', "x").as_str()]).is_some());
        }
    }

    #[test]
    fn i14_protected_identities_are_found_by_any_of_their_names() {
        let protected = Protected::new(["svc-scim@example.com", "*-BreakGlass@example.com", "id-?"]);
        assert_eq!(protected.matches(["bob", "Eu-breakglass@Example.com"]), Some("*-BreakGlass@example.com"));
        assert_eq!(protected.matches(["ID-7"]), Some("id-?"));
        assert_eq!(protected.matches(["id-77", "svc-scim@example.com.evil"]), None);
        assert_eq!(Protected::new(["ΟΔΟΣ"]).matches(["οδος"]), Some("ΟΔΟΣ"));
        assert_eq!(Protected::default().matches([""]), None);
        let owner = Protected::default().with_identities(["Svc*@example.com", "id-7"]);
        assert_eq!(owner.matches(["svc*@EXAMPLE.com"]), Some("the owner of the key"));
        assert_eq!(owner.matches(["svc-2@example.com", "id-77"]), None, "no pattern, but a name");
    }

    #[test]
    fn i14_a_hostile_pattern_costs_little() {
        let protected = Protected::new(["*a".repeat(200) + "b"]);
        let name = "a".repeat(4096);
        assert_eq!(protected.matches([name.as_str()]), None);
    }
}
