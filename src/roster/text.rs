//! Texts as spreadsheets and directories save them: encodings, letters that nobody sees, cells that are no values.

use std::borrow::Cow;

use encoding_rs::{UTF_16BE, UTF_16LE, WINDOWS_1252};
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// Where bytes could not be read: a row that has it is rejected.
const DAMAGED: char = '\u{fffd}';

/// UTF-8 or UTF-16; and, where nothing is UTF-8 but ASCII, Windows-1252, as Excel saves "CSV".
pub fn decoded(bytes: &[u8]) -> String {
    let text = if bytes.starts_with(&[0xFF, 0xFE]) || has_zeros(bytes, 1) {
        UTF_16LE.decode(bytes).0
    } else if bytes.starts_with(&[0xFE, 0xFF]) || has_zeros(bytes, 0) {
        UTF_16BE.decode(bytes).0
    } else {
        match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            // One wrong byte among letters of UTF-8 is a damage; where there are no such letters it is another code.
            Err(_) if has_utf8_letters(bytes) => String::from_utf8_lossy(bytes),
            Err(_) => WINDOWS_1252.decode(bytes).0,
        }
    };
    let text = text.trim_start_matches('\u{feff}');
    // Excel's "CSV (Macintosh)" ends lines by a carriage return alone.
    if text.contains('\r') && !text.contains('\n') { text.replace('\r', "\n") } else { text.to_owned() }
}

/// What was taken for a table, and is none.
pub fn no_table(bytes: &[u8]) -> Option<&'static str> {
    const ARCHIVE: &[u8] = b"PK\x03\x04";
    const OLD_WORKBOOK: &[u8] = &[0xD0, 0xCF, 0x11, 0xE0];
    if bytes.starts_with(ARCHIVE) || bytes.starts_with(OLD_WORKBOOK) {
        return Some("it is a workbook or an archive: save the sheet as CSV");
    }
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).trim_start().to_ascii_lowercase();
    (head.starts_with("<!doctype html") || head.starts_with("<html"))
        .then_some("it is a web page, such as that of a sign-in: download the file anew")
}

/// UTF-16 without a byte order mark: what is plain has a zero in every other byte.
fn has_zeros(bytes: &[u8], from: usize) -> bool {
    let head = &bytes[..bytes.len().min(64)];
    head.len() >= 4 && head.iter().skip(from).step_by(2).all(|byte| *byte == 0)
}

fn has_utf8_letters(bytes: &[u8]) -> bool {
    bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii())
}

/// A value as it is meant: composed (NFC), with plain spaces, and without what nobody sees. `None` where it is already.
pub fn cleaned(text: &str) -> Option<String> {
    if text.is_ascii() || (is_nfc(text) && !text.contains(|letter| is_hidden(letter) || is_space(letter))) {
        return None;
    }
    let seen = text.nfc().filter(|letter| !is_hidden(*letter));
    let clean: String = seen.map(|letter| if is_space(letter) { ' ' } else { letter }).collect();
    // What a page or a chat put around a value.
    Some(clean.trim().to_owned())
}

/// Says nothing in any script; joiners, which some scripts write with, aren't among them.
fn is_hidden(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn is_space(letter: char) -> bool {
    matches!(letter, '\u{a0}' | '\u{2007}' | '\u{202f}')
}

/// A letter that no key and no userName has, by its number.
pub fn unfit(text: &str) -> Option<String> {
    let found = text.chars().find(|letter| letter.is_control() || matches!(letter, '\u{200c}' | '\u{200d}'));
    found.map(|letter| format!("U+{:04X}, which nobody sees", u32::from(letter)))
}

/// What a spreadsheet made of a cell, so that it isn't its value.
pub fn spoiled(text: &str) -> Option<&'static str> {
    const ERRORS: [&str; 8] = ["#REF!", "#N/A", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!"];
    let text = text.trim();
    if text.contains(DAMAGED) {
        Some("a letter is damaged (U+FFFD): save the file as UTF-8")
    } else if text.starts_with('=') {
        Some("it is a formula: save its value")
    } else if ERRORS.contains(&text) {
        Some("it is an error of the spreadsheet")
    } else if is_shortened(text) {
        Some("it is a number that a spreadsheet shortened, such as 1.23E+11: format the column as text")
    } else if !text.is_empty() && text.chars().all(|letter| letter == '#') {
        Some("the column was too narrow: save its values")
    } else {
        None
    }
}

/// `1.23457E+11`, or with a comma.
fn is_shortened(text: &str) -> bool {
    let Some((number, power)) = text.split_once("E+") else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, part) = number.split_once(['.', ',']).unwrap_or((number, "0"));
    digits(power) && digits(whole.trim_start_matches('-')) && digits(part)
}

/// `="00123"`, which keeps a spreadsheet from taking it for a number.
pub fn unquoted(text: &str) -> &str {
    let inner = text.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"'));
    inner.filter(|inner| !inner.contains('"')).unwrap_or(text)
}
