//! What a text is: its format, its delimiter, where its header is.

use super::columns::Wanted;
use super::lines::{self, Line};
use super::text::cleaned;
use crate::api::SourceFormat;

/// What values are separated by; the later, where a header has as many of two.
const DELIMITERS: [u8; 4] = [b'|', b'\t', b',', b';'];
/// So many lines above a header are looked at.
const MOST_TITLES: usize = 30;

/// Where the rows of a sheet begin.
pub struct Sheet<'a> {
    /// From the header on.
    pub text: &'a str,
    pub delimiter: u8,
    /// So many rows a spreadsheet shows above the header.
    pub above: usize,
}

/// Behind what Excel (`sep=;`) and PowerShell (`#TYPE`) write above the header, and behind the title of a report: rows that
/// are no header, have fewer values than one, and nobody's address.
pub fn sheet<'a>(text: &'a str, wanted: &Wanted) -> Sheet<'a> {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let first = first.trim_end_matches('\r');
    if let Some(separator) = first.strip_prefix("sep=").or_else(|| first.strip_prefix("SEP=")) {
        // Excel takes the line for itself.
        let separator = separator.bytes().next().filter(|byte| byte.is_ascii() && *byte != b'"');
        return Sheet { text: rest, delimiter: separator.unwrap_or(b'\t'), above: 0 };
    }
    let typed = first.trim_start_matches('"').starts_with("#TYPE ");
    let (text, above) = if typed { (rest, 1) } else { (text, 0) };
    let sheet = header(text, wanted).unwrap_or_else(|| {
        let blank = text.len() - text.trim_start_matches(['\r', '\n']).len();
        let blank_lines = text[..blank].matches('\n').count();
        Sheet { text: &text[blank..], delimiter: most_frequent(&text[blank..]), above: blank_lines }
    });
    Sheet { above: above + sheet.above, ..sheet }
}

/// The format, by the name or by how the text begins.
pub fn guess(name: &str, text: &str) -> SourceFormat {
    let ends = |end: &str| name.to_lowercase().ends_with(end);
    let text = text.trim_start();
    let begins =
        |open: char, next: &[char]| text.strip_prefix(open).is_some_and(|rest| rest.trim_start().starts_with(next));
    // Whatever it is called: no header begins so.
    if begins('[', &['{']) || begins('{', &['"']) {
        SourceFormat::Json
    } else if ends(".csv") || ends(".tsv") || ends(".txt") {
        SourceFormat::Csv
    } else if ends(".json") || ends(".jsonl") || ends(".ndjson") || text.starts_with(['[', '{']) {
        SourceFormat::Json
    } else if ends(".yaml") || ends(".yml") || text.starts_with("- ") || text.starts_with("---") {
        SourceFormat::Yaml
    } else {
        SourceFormat::Csv
    }
}

/// The values of a row.
pub fn values(row: &str, delimiter: u8) -> Vec<String> {
    let mut record = csv::StringRecord::new();
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).delimiter(delimiter).terminator(csv::Terminator::Any(b'\n'));
    match builder.from_reader(row.as_bytes()).read_record(&mut record) {
        Ok(true) => record.iter().map(column).collect(),
        _ => Vec::new(),
    }
}

/// The name of a column as it is meant.
fn column(name: &str) -> String {
    cleaned(name).unwrap_or_else(|| name.to_owned())
}

/// The first row that has names of columns that are wanted, by the delimiter that gives most of them.
fn header<'a>(text: &'a str, wanted: &Wanted) -> Option<Sheet<'a>> {
    let needed = wanted.count_read().min(2);
    let mut start = 0;
    let mut is_first = true;
    for line in text.split_inclusive('\n').take(MOST_TITLES) {
        let from = start;
        start += line.len();
        if line.trim().is_empty() {
            continue;
        }
        let (found, delimiter) = most_known(&text[from..], line, wanted);
        // Whoever is in the first row stays there, though it has one of the names alone.
        if found >= needed || (is_first && found > 0) {
            let sheet = Sheet { text: &text[from..], delimiter, above: lines::rows(&text[..from], delimiter).len() };
            return are_titles(&text[..from], &sheet).then_some(sheet);
        }
        is_first = false;
    }
    None
}

/// How many of the wanted columns the first row of a text names, and by which delimiter.
fn most_known(text: &str, line: &str, wanted: &Wanted) -> (usize, u8) {
    let occurring = |delimiter: &u8| line.bytes().filter(|byte| byte == delimiter).count();
    let found = DELIMITERS.iter().filter(|delimiter| occurring(delimiter) > 0);
    let found = found.map(|delimiter| (known(text, *delimiter, wanted), occurring(delimiter), *delimiter));
    let most = found.max_by_key(|(known, count, _)| (*known, *count)).filter(|(known, ..)| *known > 0);
    most.map_or_else(|| (known(text, b',', wanted), b','), |(known, _, delimiter)| (known, delimiter))
}

/// How many of the wanted columns the first row of a text names.
fn known(text: &str, delimiter: u8, wanted: &Wanted) -> usize {
    let Some(place) = lines::first(text, delimiter) else { return 0 };
    let mut places: Vec<usize> = values(&text[place], delimiter)
        .iter()
        .filter_map(|name| wanted.place(name).filter(|place| wanted.is_read(*place)))
        .collect();
    places.sort_unstable();
    places.dedup();
    places.len()
}

/// Whether what is above a header is nobody's row.
fn are_titles(above: &str, sheet: &Sheet) -> bool {
    let filled = |row: &str| values(row, sheet.delimiter).iter().filter(|value| !value.is_empty()).count();
    let named = lines::first(sheet.text, sheet.delimiter).map_or(0, |place| filled(&sheet.text[place]));
    !above.contains('@')
        && lines::rows(above, sheet.delimiter).into_iter().all(|line| match line {
            Line::Whole(place) => filled(&above[place]) < named,
            Line::Torn => false,
            Line::Blank => true,
        })
}

/// What the header has most of, outside quotation marks.
fn most_frequent(text: &str) -> u8 {
    let mut quoted = false;
    let mut counts = [0; DELIMITERS.len()];
    for byte in text.bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\r' | b'\n' if !quoted => break,
            _ if !quoted => {
                if let Some(at) = DELIMITERS.iter().position(|delimiter| *delimiter == byte) {
                    counts[at] += 1;
                }
            }
            _ => {}
        }
    }
    let most = counts.iter().enumerate().max_by_key(|(_, count)| **count).filter(|(_, count)| **count > 0);
    most.map_or(b',', |(at, _)| DELIMITERS[at])
}
