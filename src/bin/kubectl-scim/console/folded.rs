//! Texts as they are compared and searched.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// A text as the server compares it: without letter case.
pub fn folded(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).collect()
}

/// A text as a search compares it: without letter case and accents, which not every keyboard has.
pub fn searched(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let letters = text.nfkd().flat_map(char::to_lowercase).nfd().filter(|letter| !is_combining_mark(*letter));
    letters.fold(String::with_capacity(text.len()), |mut found, letter| {
        match letter {
            'ø' => found.push('o'),
            'ł' => found.push('l'),
            'đ' => found.push('d'),
            'ı' => found.push('i'),
            'æ' => found.push_str("ae"),
            'œ' => found.push_str("oe"),
            'ß' => found.push_str("ss"),
            letter => found.push(letter),
        }
        found
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_knows_neither_letter_case_nor_accents_and_a_comparison_knows_accents() {
        for (text, typed) in [
            ("José Ñandú", "jose nandu"),
            ("JOSE\u{301}", "jose"),
            ("Łukasz Sørensen", "lukasz sorensen"),
            ("Groß Æther", "gross aether"),
            ("İpek Işık", "ipek isik"),
            ("Ａｄａ", "ada"),
        ] {
            assert_eq!(searched(text), typed, "{text}");
        }
        assert_eq!(searched("\u{5e9}\u{5dc}\u{5d5}\u{5dd}"), "\u{5e9}\u{5dc}\u{5d5}\u{5dd}");
        assert_ne!(folded("José"), folded("jose"), "they are two userNames");
    }
}
