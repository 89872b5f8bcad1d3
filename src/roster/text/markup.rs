//! What programs write in place of letters and of values: HTML's names, `_x000D_`, the kind of a list.

use super::cleaned;

/// HTML's names of U+00A0 to U+00FF, in their order.
const LATIN: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute \
    micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil \
    Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute \
    Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute \
    icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";
const PLAIN: [(&str, char); 5] = [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\'')];

/// A value as it is meant, for an attribute; or why it can't be told.
pub fn meant(text: String) -> Result<String, String> {
    if let Some(problem) = in_place_of_a_value(&text) {
        return Err(problem.to_owned());
    }
    let text = without_returns(text)?;
    match decoded(&text) {
        // A letter that no text has is none in HTML either.
        Some(plain) if plain.contains(|letter: char| letter.is_control() && !"\t\r\n".contains(letter)) => {
            Err("it has the name of a letter that no text has, such as &#0;: take it out".to_owned())
        }
        Some(plain) => Ok(cleaned(&plain).unwrap_or(plain)),
        None => Ok(text),
    }
}

/// What is no value of anybody, and the same for all.
pub fn same_for_all(text: &str) -> Option<&'static str> {
    const KINDS: [&str; 5] = ["[List]", "[Record]", "[Table]", "[Binary]", "[Function]"];
    const NAMESPACES: [&str; 2] = ["Microsoft.Open.AzureAD.", "Microsoft.Online.Administration."];
    if KINDS.contains(&text) || text.contains("[object Object]") {
        Some(
            "a program wrote that there is a list or an object, and not what is in it: expand the column where it is exported",
        )
    } else {
        let is_type = NAMESPACES.iter().any(|space| text.starts_with(space));
        is_type.then_some("PowerShell wrote the type of an object, and not what is in it: select its properties")
    }
}

/// What a program wrote in place of a value, or with it.
pub fn in_place_of_a_value(text: &str) -> Option<&'static str> {
    let is_object = || text.starts_with("@{") && text.ends_with('}') && text.contains('=');
    let is_lookup = || {
        text.split_once(";#").is_some_and(|(id, value)| {
            !id.is_empty() && !value.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let object = || is_object().then_some("PowerShell wrote a whole object: select one of its properties");
    let lookup = || {
        is_lookup()
            .then_some("it is a lookup of SharePoint, a number and a value: take the value, split(row.x, \";#\")[1]")
    };
    same_for_all(text).or_else(object).or_else(lookup)
}

/// What HTML or a workbook wrote for a letter, and what as; a name with it is another name.
pub fn escape_of(text: &str) -> Option<String> {
    let entity = entities(text).next().map(|(at, length, _)| text[at..at + length].to_owned());
    entity.or_else(|| controls(text).next().map(|at| text[at..at + 7].to_owned()))
}

/// The places of `_x000D_` and other letters that XML has no sign for, as workbooks write them.
fn controls(text: &str) -> impl Iterator<Item = usize> {
    text.match_indices("_x00").filter_map(|(at, _)| {
        let code = text.get(at + 4..at + 7)?.strip_suffix('_')?;
        u8::from_str_radix(code, 16).is_ok_and(|code| code < 0x20).then_some(at)
    })
}

/// Without the carriage returns at the ends of lines.
fn without_returns(text: String) -> Result<String, String> {
    if controls(&text).next().is_none() {
        return Ok(text);
    }
    let lines = text.split('\n').map(|line| {
        let line = line.trim_end();
        line.strip_suffix("_x000D_").or_else(|| line.strip_suffix("_x000d_")).unwrap_or(line)
    });
    let text = lines.collect::<Vec<_>>().join("\n").trim().to_owned();
    if let Some(at) = controls(&text).next() {
        return Err(format!("it has {}, which a workbook wrote for a letter: take it out", &text[at..at + 7]));
    }
    Ok(text)
}

/// A text with the letters that HTML has names for. `None` where it has none of these: nothing else is changed. The parts
/// of a link are separated by the same sign.
fn decoded(text: &str) -> Option<String> {
    if text.contains("://") {
        return None;
    }
    let mut plain = String::with_capacity(text.len());
    let mut from = 0;
    for (at, length, letter) in entities(text) {
        plain.push_str(&text[from..at]);
        plain.push(letter);
        from = at + length;
    }
    plain.push_str(&text[from..]);
    (from > 0).then_some(plain)
}

/// The names of letters in a text: where each stands, its length, and the letter.
fn entities(text: &str) -> impl Iterator<Item = (usize, usize, char)> {
    text.match_indices('&').filter_map(|(at, _)| {
        let inner = &text[at + 1..];
        let end = inner.bytes().take(10).position(|byte| byte == b';')?;
        Some((at, end + 2, letter_of(&inner[..end])?))
    })
}

fn letter_of(name: &str) -> Option<char> {
    let number = |digits: &str, radix: u32| {
        let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
        u32::from_str_radix(digits, radix).ok().filter(|_| is_number).and_then(char::from_u32)
    };
    if let Some(code) = name.strip_prefix('#') {
        return code.strip_prefix(['x', 'X']).map_or_else(|| number(code, 10), |code| number(code, 16));
    }
    let plain = PLAIN.iter().find(|(known, _)| *known == name).map(|(_, letter)| *letter);
    let latin = || (0xA0_u8..=0xFF).zip(LATIN.split_whitespace()).find(|(_, known)| *known == name);
    plain.or_else(|| latin().map(|(code, _)| char::from(code)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(text: &str) -> String {
        let sign = |letter: char| match letter {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '\'' => "&#39;".to_owned(),
            letter if letter.is_ascii() => letter.to_string(),
            letter => format!("&#x{:X};", u32::from(letter)),
        };
        text.chars().map(sign).collect()
    }

    #[test]
    fn letters_have_the_names_that_html_gives_them() {
        for (text, plain) in [
            ("R&amp;D", "R&D"),
            ("M&uuml;ller &#8211; O&#39;Brien", "Müller – O'Brien"),
            ("Stra&szlig;e&nbsp;1", "Straße 1"),
            ("&THORN;&yuml;&Auml;&#xe9;", "ÞÿÄé"),
            ("&amp;amp;", "&amp;"),
            ("R&D; S&P; AT&T &copyright; &amp", "R&D; S&P; AT&T &copyright; &amp"),
            ("https://x/?a=1&amp;b=2&lt;3", "https://x/?a=1&amp;b=2&lt;3"),
            ("Engineer_x000D_", "Engineer"),
            ("Street 1_x000D_\nLondon", "Street 1\nLondon"),
            ("svc_x2000_a and _x00e9_", "svc_x2000_a and _x00e9_"),
        ] {
            assert_eq!(meant(text.to_owned()).as_deref(), Ok(plain), "{text}");
        }
        assert_eq!((LATIN.split_whitespace().count(), letter_of("times")), (96, Some('×')));
        for text in
            ["&#0;", "&#x1b;[0m", "a_x000D_b", "a_x0001_", "[List]", "[object Object],[object Object]", "12;#Ada"]
        {
            assert!(meant(text.to_owned()).is_err(), "{text}");
        }
        for plain in ["[List] of ships", "@ada", "#1;#2", "12;", "@{ada}", "{a=b}"] {
            assert_eq!(meant(plain.to_owned()).as_deref(), Ok(plain));
        }
    }

    proptest! {
        /// What has no name of a letter is as it was, whatever else is in it.
        #[test]
        fn nothing_else_is_changed(text in "[^&;]*|[^&]*|[^;]*|(&[b-z]{2}[0-9 ]|[a-z &;#]){0,20}") {
            prop_assume!(entities(&text).next().is_none());
            prop_assert_eq!(decoded(&text), None);
            if controls(&text).next().is_none() && in_place_of_a_value(&text).is_none() {
                prop_assert_eq!(meant(text.clone()), Ok(text));
            }
        }

        #[test]
        fn what_a_page_wrote_is_what_was_meant(text in "\\PC*") {
            prop_assume!(!text.contains("://"));
            let plain = decoded(&encoded(&text)).unwrap_or_else(|| text.clone());
            prop_assert_eq!(plain, text);
        }
    }
}
