//! What comes with a key that was pasted: white space, a word before it, quotation marks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A token as it is sent. RFC 6750 §2.1 has no white space in it, and RFC 9110 §5.5 none around a header's value: what was
/// pasted with it can't be meant.
pub fn token(text: &str) -> &str {
    let text = text.trim();
    match text.split_once(char::is_whitespace) {
        Some((scheme, rest)) if scheme.trim_end_matches(':').eq_ignore_ascii_case("bearer") => rest.trim_start(),
        // The whole header was pasted.
        Some((name, rest)) if name.eq_ignore_ascii_case("authorization:") => token(rest),
        _ => text,
    }
}

/// A password as it is sent: an editor's newline at its end is no part of it, a space may be.
pub fn password(text: &str) -> &str {
    text.trim_end_matches(['\r', '\n'])
}

/// What may be wrong with a key that the server refused; never a part of it.
pub fn suspicion(key: &str) -> Option<&'static str> {
    let quoted = ['"', '\'', '`'].iter().any(|mark| key.len() > 1 && key.starts_with(*mark) && key.ends_with(*mark));
    if key.trim() != key {
        Some("begins or ends with white space, which is sent as a part of it")
    } else if quoted {
        Some("stands in quotation marks, which are sent as a part of it")
    } else if key.contains(char::is_whitespace) {
        Some("has white space in it")
    } else if key.starts_with('<') || key.starts_with("${") || key.eq_ignore_ascii_case("changeme") {
        Some("looks like a placeholder")
    } else if is_encoded(key) {
        Some("looks like base64 of something, which is sent as it is: write what it was made of")
    } else {
        None
    }
}

/// A Secret's `data` is encoded, and its `stringData` isn't: whoever takes the one for the other encodes twice. Of a key made at
/// random hardly any comes out as a text.
fn is_encoded(key: &str) -> bool {
    let Ok(bytes) = STANDARD.decode(key) else { return false };
    let text = bytes.trim_ascii_end();
    text.len() >= 16 && text.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pasted_around_a_token_is_no_part_of_it() {
        for pasted in
            ["s3cret", "s3cret \n", "\ts3cret\t", "Bearer s3cret", "bearer: s3cret\n", "Authorization: Bearer s3cret"]
        {
            assert_eq!(token(pasted), "s3cret", "{pasted:?}");
        }
        assert_eq!(token(" \n\t"), "");
        assert_eq!(token("Bearer"), "Bearer");
        assert_eq!(password("a b \r\n"), "a b ");
    }

    #[test]
    fn what_may_be_wrong_with_a_key_is_said_without_the_key() {
        for key in [
            "key ",
            "\"key\"",
            "'key'",
            "two keys",
            "<your token>",
            "${TOKEN}",
            "changeme",
            "c2Nyb29nZS1tY2R1Y2stMTIzNAo=",
        ] {
            assert!(suspicion(key).is_some(), "{key:?}");
        }
        for key in [
            "eyJhbGciOi.J9-_~+/==",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
            "0123456789abcdef0123456789abcdef",
            "c2hvcnQ=",
        ] {
            assert_eq!(suspicion(key), None, "{key}");
        }
    }
}
