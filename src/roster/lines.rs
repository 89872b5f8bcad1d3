//! Where the rows of a CSV begin and end, also where its quotation marks are not in order: one row must not swallow the
//! next.

use std::ops::Range;

/// So many lines after a stray quotation mark are looked at to tell it from a value of several lines.
const LOOKED_AT: usize = 5;
/// With fewer columns, a line of a value may look like a row.
const TELLING_WIDTH: usize = 4;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Its place in the text.
    Whole(Range<usize>),
    /// A quotation mark is not closed, or something follows one.
    Torn,
    /// There is nothing in it.
    Blank,
}

/// The rows of a text, the header first.
pub fn rows(text: &str, delimiter: u8) -> Vec<Line> {
    let scan = Scan { text: text.as_bytes(), delimiter };
    let mut rows = Vec::new();
    let (mut at, mut width) = (0, None);
    while at < text.len() {
        let record = scan.record(at);
        let line_end = scan.line_end(at);
        let row = if text[at..record.end].trim().is_empty() {
            Line::Blank
        } else if !record.sound {
            at = if scan.are_rows(line_end..record.end, width) { line_end } else { record.end };
            rows.push(Line::Torn);
            continue;
        } else if width.is_some_and(|width| width >= TELLING_WIDTH) && scan.has_row(line_end..record.end, width) {
            at = line_end;
            rows.push(Line::Torn);
            continue;
        } else {
            width.get_or_insert(record.width);
            Line::Whole(at..record.end)
        };
        rows.push(row);
        at = record.end;
    }
    rows
}

struct Record {
    /// Behind its last line; where it is not sound, behind the line of what is wrong.
    end: usize,
    width: usize,
    sound: bool,
}

struct Scan<'a> {
    text: &'a [u8],
    delimiter: u8,
}

impl Scan<'_> {
    fn record(&self, from: usize) -> Record {
        let (mut at, mut width) = (from, 1);
        loop {
            if self.text.get(at) == Some(&b'"') {
                let Some(closed) = self.closed(at + 1) else {
                    return Record { end: self.text.len(), width, sound: false };
                };
                at = closed;
                if self.text.get(at).is_some_and(|byte| *byte != self.delimiter && !b"\r\n".contains(byte)) {
                    return Record { end: self.line_end(at), width, sound: false };
                }
            }
            while self.text.get(at).is_some_and(|byte| *byte != self.delimiter && *byte != b'\n') {
                at += 1;
            }
            match self.text.get(at) {
                Some(byte) if *byte == self.delimiter => {
                    width += 1;
                    at += 1;
                }
                Some(_) => return Record { end: at + 1, width, sound: true },
                None => return Record { end: at, width, sound: true },
            }
        }
    }

    /// Behind the quotation mark that closes a value.
    fn closed(&self, from: usize) -> Option<usize> {
        let mut at = from;
        while at < self.text.len() {
            if self.text[at] == b'"' {
                if self.text.get(at + 1) != Some(&b'"') {
                    return Some(at + 1);
                }
                at += 1;
            }
            at += 1;
        }
        None
    }

    fn line_end(&self, from: usize) -> usize {
        self.text[from..].iter().position(|byte| *byte == b'\n').map_or(self.text.len(), |at| from + at + 1)
    }

    /// Whether the lines of a part are rows each, as far as is looked.
    fn are_rows(&self, part: Range<usize>, width: Option<usize>) -> bool {
        part.is_empty() || self.lines(part).take(LOOKED_AT).all(|line| self.is_row(line, width))
    }

    /// Whether one of the lines of a part is a row.
    fn has_row(&self, part: Range<usize>, width: Option<usize>) -> bool {
        self.lines(part).any(|line| self.is_row(line, width))
    }

    fn is_row(&self, line: Range<usize>, width: Option<usize>) -> bool {
        let alone = Scan { text: &self.text[line], delimiter: self.delimiter };
        let record = alone.record(0);
        record.sound && Some(record.width) == width
    }

    fn lines(&self, part: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let mut at = part.start;
        std::iter::from_fn(move || {
            let from = at;
            at = self.line_end(from);
            (from < part.end).then_some(from..at)
        })
    }
}
