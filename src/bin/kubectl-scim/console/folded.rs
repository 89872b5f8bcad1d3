//! Texts as a search compares them.

/// A text as a search compares it.
pub fn folded(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    text.nfkc().flat_map(char::to_lowercase).collect()
}
