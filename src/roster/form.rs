//! What a text is: its format, its delimiter.

use std::collections::BTreeMap;

use crate::api::SourceFormat;

/// Behind what Excel (`sep=;`) and PowerShell (`#TYPE`) write above the header; the delimiter; and how many lines a
/// spreadsheet shows above the header.
pub fn preamble(text: &str) -> (&str, u8, usize) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let first = first.trim_end_matches('\r');
    if let Some(separator) = first.strip_prefix("sep=").or_else(|| first.strip_prefix("SEP=")) {
        // Excel takes the line for itself.
        return (rest, separator.bytes().next().unwrap_or(b'\t'), 0);
    }
    if first.trim_start_matches('"').starts_with("#TYPE ") {
        (rest, delimiter(rest), 1)
    } else {
        (text, delimiter(text), 0)
    }
}

/// The format, by the name or by how the text begins.
pub fn guess(name: &str, text: &str) -> SourceFormat {
    let ends = |end: &str| name.to_lowercase().ends_with(end);
    let text = text.trim_start();
    if ends(".csv") || ends(".tsv") {
        SourceFormat::Csv
    } else if ends(".json") || text.starts_with(['[', '{']) {
        SourceFormat::Json
    } else if ends(".yaml") || ends(".yml") || text.starts_with("- ") || text.starts_with("---") {
        SourceFormat::Yaml
    } else {
        SourceFormat::Csv
    }
}

/// What the header has most of, outside quotation marks.
fn delimiter(text: &str) -> u8 {
    let mut quoted = false;
    let mut counts = BTreeMap::new();
    for byte in text.bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            b',' | b';' | b'\t' if !quoted => *counts.entry(byte).or_insert(0) += 1,
            _ => {}
        }
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map_or(b',', |(byte, _)| byte)
}
