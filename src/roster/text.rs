//! Values as spreadsheets and directories save them: letters that nobody sees, cells that are no values.

mod markup;

use encoding_rs::WINDOWS_1252;
use unicode_normalization::{UnicodeNormalization, is_nfc};

use self::markup::{escape_of, in_place_of_a_value};
pub use self::markup::{meant, same_for_all};
use super::decoding::DAMAGED;

/// A value as it is meant: composed (NFC), with plain spaces and none around it, and without what nobody sees. `None`
/// where it is already.
pub fn cleaned(text: &str) -> Option<String> {
    if text.is_ascii() || (is_nfc(text) && !text.contains(|letter| is_hidden(letter) || is_space(letter))) {
        let trimmed = text.trim();
        return (trimmed.len() < text.len()).then(|| trimmed.to_owned());
    }
    let seen = text.nfc().filter(|letter| !is_hidden(*letter));
    let clean: String = seen.map(|letter| if is_space(letter) { ' ' } else { letter }).collect();
    // What a page or a chat put around a value.
    Some(clean.trim().to_owned())
}

/// Says nothing in any script. Joiners and selectors of variants, which some scripts write with, aren't among them.
fn is_hidden(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{200b}'
        | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe0e}'
        | '\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e007f}')
}

/// Any but the plain one, and but that which Chinese and Japanese names are written with.
fn is_space(letter: char) -> bool {
    letter.is_whitespace() && !letter.is_ascii() && letter != '\u{3000}'
}

/// What keeps a text from being a key, beside standing for nothing: a key may have any form that tells people apart.
pub fn unfit_key(text: &str) -> Option<String> {
    // Of the marks in it a link is made.
    let is_link = text.contains("://");
    let nothing = || same_for_all(text).map(|why| format!("is none: {why}"));
    unseen(text).or_else(|| unfilled(text)).or_else(nothing).or_else(|| if is_link { None } else { marked(text) })
}

/// What keeps a text from being a userName, beside standing for nothing.
pub fn unfit_user_name(text: &str) -> Option<String> {
    // Digits, letters and the sign of addresses as Japanese keyboards write them beside the plain ones.
    let is_wide =
        |letter: char| matches!(letter, '\u{ff10}'..='\u{ff19}' | '\u{ff20}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}');
    let wide = || {
        let letter = text.chars().find(|letter| is_wide(*letter))?;
        let number = u32::from(letter);
        Some(format!("has U+{number:04X}, a full-width letter: write it as on a Western keyboard"))
    };
    unseen(text).or_else(wide).or_else(|| unfilled(text)).or_else(|| wrapped(text)).or_else(|| marked(text))
}

/// What directories, mail programs, pages and workbooks have around an address, or in place of a name. As a userName it
/// would be another account; as a key it may be what tells people apart.
fn wrapped(text: &str) -> Option<String> {
    const KINDS: [&str; 8] = ["smtp", "sip", "sips", "x500", "x400", "eum", "spo", "xmpp"];
    const BEGINS: &str = "“”„«»‹›‘’\"'`([{*|";
    const ENDS: &str = "“”„«»‹›‘’\"'`)}*|!";
    if ["i:0", "c:0"].iter().any(|start| text.starts_with(start)) && text.contains('|') {
        return Some(
            "is a claim of SharePoint: take what is behind the last |, such as split(row.x, \"|\")[2]".to_owned(),
        );
    }
    if text.split_once(':').is_some_and(|(kind, _)| KINDS.iter().any(|known| known.eq_ignore_ascii_case(kind))) {
        return Some("is an address with its kind before it (SMTP:, SIP:, X500:): write the address alone".to_owned());
    }
    // "ada lovelace"@example.com is an address, and so is ada@[192.0.2.1].
    let is_quoted = text.starts_with('"') && text.contains("\"@");
    let is_marked = text.starts_with(|letter| BEGINS.contains(letter))
        || text.ends_with(|letter| ENDS.contains(letter))
        || (text.ends_with(']') && !text.contains("@["))
        || text.contains(char::is_whitespace);
    if text.contains('@') && is_marked && !is_quoted {
        return Some(AROUND.to_owned());
    }
    let escape = || {
        escape_of(text).map(|sign| format!("has {sign}, which a program wrote for another letter: write the letter"))
    };
    in_place_of_a_value(text).map(|why| format!("is none: {why}")).or_else(escape)
}

fn unseen(text: &str) -> Option<String> {
    let is_unseen = |letter: char| {
        let selects = matches!(letter, '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}');
        letter.is_control() || selects || matches!(letter, '\u{200c}' | '\u{200d}' | '\u{3000}')
    };
    text.chars().find(|letter| is_unseen(*letter)).map(|letter| format!("has {}", named(letter)))
}

const AROUND: &str =
    "is an address with something around it (mailto:, a name, <>, another address): write one address alone";

/// `mailto:`, `Ada <ada@example.com>`, several addresses, or one with a mark behind it; or a template.
fn unfilled(text: &str) -> Option<String> {
    let is_link = text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("mailto:"));
    let is_list = text.matches('@').count() > 1 && text.contains([';', ',']) && !text.contains('=');
    let is_marked = text.contains(['<', '>']) || text.ends_with([';', ',', '.', ':']) || text.starts_with('\'');
    if is_link || is_list || (text.contains('@') && is_marked) {
        return Some(AROUND.to_owned());
    }
    let is_template = text.contains("${") || text.contains("{{");
    is_template.then(|| "is a template that nothing has filled in".to_owned())
}

fn marked(text: &str) -> Option<String> {
    if text.contains("%40") {
        return Some("is encoded as in a URL: write @".to_owned());
    }
    text.contains('?').then(|| format!("has a question mark: {LOST}"))
}

fn named(letter: char) -> String {
    format!("U+{:04X}, which nobody sees", u32::from(letter))
}

/// What exports write where there is nothing. As a key or a userName it would be a person of that name.
pub fn is_placeholder(text: &str) -> bool {
    const NOTHING: [&str; 8] = ["null", "(null)", "<null>", "none", "n/a", "#n/a", "undefined", "<na>"];
    // Somebody may be called Nan.
    text == "NaN" || NOTHING.iter().any(|word| word.eq_ignore_ascii_case(text)) || !text.contains(char::is_alphanumeric)
}

/// What stands for no externalId: a placeholder, or zeros.
pub fn is_nobodys_id(text: &str) -> bool {
    is_placeholder(text) || text.eq_ignore_ascii_case("nan") || text.chars().all(|letter| matches!(letter, '0' | '-'))
}

/// What a question mark within a name says.
pub const LOST: &str = "a letter was replaced by ?, as PowerShell does by default: save the file as UTF-8, such as by Export-Csv -Encoding UTF8";

/// What a spreadsheet made of a cell, so that it isn't its value.
pub fn spoiled(text: &str) -> Option<String> {
    let text = text.trim();
    let what = if text.contains(DAMAGED) {
        "a letter is damaged (U+FFFD): save the file as UTF-8"
    } else if text.starts_with('=') {
        "it is a formula: save its value"
    } else if is_error(text) {
        "it is an error of the spreadsheet"
    } else if is_shortened(text) {
        "it is a number that a spreadsheet shortened, such as 1.23E+11: format the column as text"
    } else if !text.is_empty() && text.chars().all(|letter| letter == '#') {
        "the column was too narrow: save its values"
    } else if is_type_name(text) {
        "PowerShell wrote the type of a list and not its values: join them before Export-Csv, such as by \
         @{n='x';e={$_.x -join ';'}}, or select the columns that are read"
    } else if is_questioned(text) {
        LOST
    } else if is_garbled(text) {
        "its letters were read in the wrong encoding once, such as Ã¤ for ä: save the file as UTF-8 from where it comes"
    } else {
        let stray = text.chars().find(|letter| letter.is_control() && !"\t\r\n\u{85}".contains(*letter));
        return stray.map(|letter| format!("it has {}: take it out", named(letter)));
    };
    Some(what.to_owned())
}

/// `#REF!`, `#NAME?`, `#¡VALOR!` and `Err:502`, and what Excel says in other languages where a search found nothing.
fn is_error(text: &str) -> bool {
    const NOT_FOUND: [&str; 9] = ["#N/A", "#NV", "#N/D", "#N/B", "#I/T", "#YOK", "#Н/Д", "#SAKNAS", "Loading..."];
    let inner = text.strip_prefix('#').and_then(|rest| rest.strip_suffix(['!', '?']));
    let is_capital = |letter: char| letter.is_uppercase() || letter.is_ascii_digit() || "/_¡¿ ".contains(letter);
    let of_libre_office = text.strip_prefix("Err:").is_some_and(|code| code.len() == 3 && code.parse::<u16>().is_ok());
    NOT_FOUND.contains(&text)
        || of_libre_office
        || inner.is_some_and(|inner| inner.len() > 2 && inner.chars().all(is_capital))
}

/// `1.23457E+11`, also with a comma, a small letter, or without the plus.
fn is_shortened(text: &str) -> bool {
    let Some((number, power)) = text.split_once(['E', 'e']) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let signed = power.strip_prefix('+');
    // Without a point and a plus it may be the number of a room.
    let Some((whole, part)) = number.split_once(['.', ',']).or(signed.map(|_| (number, "0"))) else { return false };
    digits(signed.unwrap_or(power)) && digits(whole.trim_start_matches('-')) && digits(part)
}

/// `System.String[]` and the like, which `Export-Csv` writes for what isn't one value.
fn is_type_name(text: &str) -> bool {
    (text.starts_with("System.") && text.ends_with("[]"))
        || ["System.Collections.", "Microsoft.ActiveDirectory.Management.", "Microsoft.Graph.PowerShell."]
            .iter()
            .any(|space| text.starts_with(space))
}

/// `J?rg`, `?zg?r`, `zo?@example.com` or `??`, where the letters of a name were none of the encoding. A question ends
/// with the mark, and a link has other signs beside it.
pub fn is_questioned(text: &str) -> bool {
    let mut letters = text.chars().peekable();
    let (mut before_letter, mut marks, mut before) = (false, 0, ' ');
    while let Some(letter) = letters.next() {
        marks += usize::from(letter == '?');
        // "Left?Yes" is a question and its answer.
        let is_answered = |next: char| before.is_lowercase() && next.is_uppercase();
        let is_within = |next: &char| *next == '@' || (next.is_alphabetic() && !is_answered(*next));
        before_letter |= letter == '?' && letters.peek().is_some_and(is_within);
        before = letter;
    }
    let only_marks = marks > 1 && text.chars().all(|letter| letter == '?' || letter == ' ');
    only_marks || (before_letter && !is_link(text))
}

/// `Andr?` may be a question; where other letters were lost it is none.
pub fn may_be_questioned(text: &str) -> bool {
    let mut letters = text.chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        let ends = letters.peek().is_none_or(|next| !next.is_alphanumeric() && *next != '?');
        if letter == '?' && before.is_alphabetic() && ends {
            return !is_link(text);
        }
        before = letter;
    }
    false
}

fn is_link(text: &str) -> bool {
    text.contains(['/', '=', '&', ':'])
}

/// UTF-8 that was read as Windows-1252 and saved: what it was before is UTF-8 again.
fn is_garbled(text: &str) -> bool {
    if text.is_ascii() || !text.contains(|letter| ('Â'..='ô').contains(&letter)) {
        return false;
    }
    let (bytes, _, unmappable) = WINDOWS_1252.encode(text);
    !unmappable && std::str::from_utf8(&bytes).is_ok()
}

/// A cell without what keeps a spreadsheet from taking it for a number or a formula (`="00123"`, `'00123`, `'+49`), and
/// without quotation marks that stand behind a space; empty where a database wrote that there is nothing (`\N`).
pub fn unquoted(text: &str) -> &str {
    if text == "\\N" {
        return "";
    }
    let spaced = Some(text.trim()).filter(|inner| text.starts_with([' ', '\t']) && inner.len() > 1);
    let quoted = text.strip_prefix('=').or(spaced).and_then(|rest| rest.strip_prefix('"')?.strip_suffix('"'));
    let guarded =
        text.strip_prefix('\'').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || "=+-@".contains(c)));
    quoted.filter(|inner| !inner.contains('"')).or(guarded).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_cell_from_being_a_number_is_not_its_value() {
        for (cell, value) in [
            ("=\"00123\"", "00123"),
            ("'00123", "00123"),
            ("'+49 30", "+49 30"),
            ("'t Hooft", "'t Hooft"),
            (" \"Countess\" ", "Countess"),
            (" \"a\" and \"b\"", " \"a\" and \"b\""),
            ("\"", "\""),
            (" \"", " \""),
            ("\\N", ""),
        ] {
            assert_eq!(unquoted(cell), value, "{cell}");
        }
    }

    #[test]
    fn a_letter_that_was_replaced_by_a_mark_is_told_from_a_question() {
        for damaged in [
            "J?rg M?ller",
            "?rsted",
            "Jos?? P??rez",
            "??",
            "?? ??",
            "Gro?e Stra?e",
            "j?rg@example.com",
            "zo?@example.com",
        ] {
            assert!(spoiled(damaged).is_some_and(|what| what.contains("replaced by ?")), "{damaged}");
        }
        for plain in [
            "Why?",
            "Contractor?",
            "?",
            "https://example.com/a?b=c",
            "mailto:ada@example.com?subject=x",
            "Who? Me",
            "Left?Yes",
        ] {
            assert_eq!(spoiled(plain), None, "{plain}");
        }
    }

    #[test]
    fn an_error_of_a_spreadsheet_is_told_in_any_language() {
        for error in [
            "#REF!",
            "#BEZUG!",
            "#NV",
            "#WERT!",
            "#DIV/0!",
            "#NAME?",
            "#¡VALOR!",
            "#¿NOMBRE?",
            "#N/D",
            "#ЗНАЧ!",
            "Err:502",
        ] {
            assert!(spoiled(error).is_some_and(|what| what.contains("an error")), "{error}");
        }
        for plain in ["#1", "#1 fan!", "#Team!", "NV", "Err: none", "#ops"] {
            assert_eq!(spoiled(plain), None, "{plain}");
        }
    }

    #[test]
    fn a_mark_at_a_words_end_may_be_a_letter() {
        for doubtful in ["Andr?", "Andr? Martin", "Martin, Ren?-Luc", "Contractor?"] {
            assert!(may_be_questioned(doubtful) && spoiled(doubtful).is_none(), "{doubtful}");
        }
        for plain in ["?", "5?", "Why??", "https://example.com/a?", "Ada"] {
            assert!(!may_be_questioned(plain), "{plain}");
        }
    }

    #[test]
    fn a_number_that_was_shortened_is_told_from_a_name() {
        for shortened in ["1.23457E+11", "1,23457E+11", "1.5e+05", "1.23456789012E11", "1E+11"] {
            assert!(spoiled(shortened).is_some(), "{shortened}");
        }
        for plain in ["1E11", "12e3", "E+11", "1.5", "a1.5E3", "3E", "Room 1.5E3"] {
            assert_eq!(spoiled(plain), None, "{plain}");
        }
    }
}
