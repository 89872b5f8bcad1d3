//! Bytes into text: encodings as spreadsheets and directories save them, and what isn't a table at all.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, MACINTOSH, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Where bytes could not be read: a row that has it is rejected.
pub const DAMAGED: char = '\u{fffd}';

/// UTF-8 or UTF-16; and, where nothing is UTF-8 but ASCII, what Excel saves as "CSV": Windows-1252, or Mac Roman on an
/// old Mac. Letters of a file that may be in another encoding are [`DAMAGED`], so that they are nobody's name.
pub fn decoded(bytes: &[u8]) -> String {
    let text = if bytes.starts_with(&[0xFF, 0xFE]) {
        UTF_16LE.decode(bytes).0
    } else if bytes.starts_with(&[0xFE, 0xFF]) {
        UTF_16BE.decode(bytes).0
    } else if let Some(encoding) = unmarked_utf16(bytes) {
        encoding.decode(bytes).0
    } else {
        match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            // One wrong byte among letters of UTF-8 is a damage; where there are no such letters it is another encoding.
            Err(_) if has_utf8_letters(bytes) => String::from_utf8_lossy(bytes),
            Err(_) => Cow::Owned(of_single_bytes(bytes)),
        }
    };
    // DOS ends a file with a control character, and tapes fill it up with zeros.
    let text = text.trim_start_matches('\u{feff}').trim_end_matches(['\u{1a}', '\0']);
    if ends_lines_as_mac(text.as_bytes()) { text.replace('\r', "\n") } else { text.to_owned() }
}

/// What was taken for a table, and is none.
pub fn no_table(bytes: &[u8]) -> Option<&'static str> {
    const WORKBOOK: &str = "it is a workbook or an archive: save the sheet as CSV";
    const COMPRESSED: &str = "it is compressed: unpack it first";
    const STARTS: [(&[u8], &str); 9] = [
        (b"PK\x03\x04", WORKBOOK),
        (&[0xD0, 0xCF, 0x11, 0xE0], WORKBOOK),
        (b"SQLite format 3", "it is a database: export the table as CSV"),
        (b"PAR1", "it is a Parquet file: export it as CSV"),
        (b"%PDF", "it is a PDF: export the table as CSV"),
        (&[0x1F, 0x8B], COMPRESSED),
        (&[0x28, 0xB5, 0x2F, 0xFD], COMPRESSED),
        (b"BZh", COMPRESSED),
        (b"{\\rtf", "it is a document: export the table as CSV"),
    ];
    if let Some((_, why)) = STARTS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Some(why);
    }
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(256)]).to_lowercase();
    let head = head.trim_start_matches(|letter: char| letter == '\u{feff}' || letter.is_whitespace());
    if head.starts_with("<table") || (head.starts_with("<html") && head.contains("schemas-microsoft-com:office")) {
        Some("it is HTML, as some systems save tables for Excel: open it there, and save it as CSV UTF-8")
    } else if head.starts_with("<!doctype html") || head.starts_with("<html") {
        Some("it is a web page, such as that of a sign-in: download the file anew")
    } else if head.starts_with("<?xml") {
        Some("it is XML: export the table as CSV or JSON")
    } else if head.starts_with("dn: ") || (head.starts_with("version: 1") && head.contains("\ndn: ")) {
        Some(
            "it is LDIF: export CSV instead, by `Get-ADUser … | Export-Csv` (csvde has no column that says who is enabled)",
        )
    } else {
        None
    }
}

/// Why a table that is a header alone has no rows, where a manifest put all of it into one line.
pub fn in_one_line(text: &str) -> Option<&'static str> {
    let text = text.trim();
    if text.contains('\n') {
        return None;
    }
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    if text.contains("\\n") {
        Some("all of it is one line, with \\n where lines end: put it into the manifest below `users.csv: |`")
    } else if text.contains('@') {
        Some(
            "all of it is one line, as YAML makes of a text behind `>` or without a sign: put it into the manifest below `users.csv: |`",
        )
    } else {
        (text.len() >= 40 && text.bytes().all(is_base64))
            .then_some("it is base64 of something: what is in data of a Secret, or in binaryData, is encoded once")
    }
}

/// UTF-16 without a byte order mark: each line ends with a zero in it, and zeros are in the same byte of every letter.
fn unmarked_utf16(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(4096) / 2 * 2];
    let zeros = |from: usize| head.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    let has = |line_end: [u8; 2]| head.chunks_exact(2).any(|pair| pair == line_end);
    let many = head.len() / 16;
    match (zeros(0), zeros(1)) {
        (0, later) if later > many && has([b'\n', 0]) => Some(UTF_16LE),
        (earlier, 0) if earlier > many && has([0, b'\n']) => Some(UTF_16BE),
        _ => None,
    }
}

fn has_utf8_letters(bytes: &[u8]) -> bool {
    bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii())
}

/// Lines of an old Mac end with a carriage return alone, as Excel's "CSV (Macintosh)" still writes them; a line feed is
/// one within a value there.
fn ends_lines_as_mac(bytes: &[u8]) -> bool {
    let (feeds, returns) =
        bytes.iter().enumerate().fold((0_usize, 0_usize), |(feeds, returns), (at, byte)| match byte {
            b'\n' => (feeds + 1, returns),
            b'\r' if bytes.get(at + 1) != Some(&b'\n') => (feeds, returns + 1),
            _ => (feeds, returns),
        });
    returns > feeds
}

/// Nothing in the bytes says which encoding it is; by the wrong one people would be called otherwise.
fn of_single_bytes(bytes: &[u8]) -> String {
    if ends_lines_as_mac(bytes) {
        return MACINTOSH.decode(bytes).0.into_owned();
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    let western = detector.guess(None, Utf8Detection::Deny) == WINDOWS_1252;
    let text = WINDOWS_1252.decode(bytes).0;
    if western && !is_odd(&text) {
        return text.into_owned();
    }
    text.chars().map(|letter| if letter.is_ascii() { letter } else { DAMAGED }).collect()
}

/// Whether a text that was read as Windows-1252 has what nobody writes: it is Mac Roman, where `GrŠfin` is Gräfin, or
/// ISO-8859-15, where `¦imek` is Šimek.
fn is_odd(text: &str) -> bool {
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let after = letters.peek().copied().unwrap_or(' ');
        let (follows, precedes) = (before.is_alphabetic(), after.is_alphabetic());
        let odd = match letter {
            '\u{80}'..='\u{9f}' | '¤' | '¦' => true,
            'Š' | 'Ž' | 'Œ' | 'Ÿ' => follows && (before.is_lowercase() || after.is_lowercase()),
            '§' => before.is_lowercase(),
            // Letters of DOS's code page 850, é, ä, ê and ç: as marks they stand before words.
            '‚' | '„' | 'ˆ' | '‡' => follows,
            // Between letters these are marks as any others.
            '\u{a0}' | '\u{ad}' | '’' | '‘' | '“' | '”' | '–' | '—' | '·' | '´' | '®' | 'ª' | 'º' => {
                false
            }
            other => !other.is_ascii() && !other.is_alphabetic() && follows && precedes,
        };
        if odd {
            return true;
        }
        before = letter;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_writes_is_another_encoding() {
        for odd in ["GrŠfin", "JosŽ", "MŸller", "Wei§", "¦imek", "100 ¤", "c½ur", "l\u{9d}", "Ren‚", "Fran‡ois"]
        {
            assert!(is_odd(odd), "{odd}");
        }
        for plain in [
            "Gräfin",
            "Šimek",
            "Žofie ŽIŽKA",
            "O’Éire",
            "Œuvre d’œuvre",
            "5 m² – “x” §5 20°C ½ ¿Qué? l·l",
            "CAFÉ™",
            "„Ada“ ‚x‘",
        ] {
            assert!(!is_odd(plain), "{plain}");
        }
    }
}
