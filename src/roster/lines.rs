//! Where the rows of a CSV begin and end, also where its quotation marks are not in order: one row must not swallow the
//! next, and no part of a value must become a row.

use std::ops::Range;

/// So many rows after a stray quotation mark are looked at to tell it from a value of several lines.
const LOOKED_AT: usize = 5;
/// With fewer columns, a line of a value may look like a row.
const TELLING_WIDTH: usize = 4;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Its place in the text, without the end of its last line.
    Whole(Range<usize>),
    /// A quotation mark is not closed, something follows one, or what stands within them may be rows.
    Torn,
    /// There is nothing in it.
    Blank,
}

/// The rows of a text, the header first.
pub fn rows(text: &str, delimiter: u8) -> Vec<Line> {
    let mut scan = Scan::new(text, delimiter);
    let (mut rows, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let (line, next) = scan.row(at);
        rows.push(line);
        at = next;
    }
    rows
}

/// The first row of a text, if it is whole.
pub fn first(text: &str, delimiter: u8) -> Option<Range<usize>> {
    match Scan::new(text, delimiter).row(0).0 {
        Line::Whole(place) => Some(place),
        _ => None,
    }
}

struct Record {
    /// Behind its last line; where it is not sound, behind the line of what is wrong.
    end: usize,
    width: usize,
    addresses: Addresses,
    /// A value that isn't quoted has a quotation mark.
    marked: bool,
    sound: bool,
}

/// The places of values with an `@`, of the first 128: nearly every row of people has one, and at the same place.
type Addresses = u128;

fn address_at(place: usize) -> Addresses {
    u32::try_from(place).ok().and_then(|place| 1_u128.checked_shl(place)).unwrap_or_default()
}

/// What a line within a value may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Looks {
    LikeARow,
    /// Nothing tells it from one.
    Either,
    LikeAValue,
}

struct Scan<'a> {
    text: &'a [u8],
    delimiter: u8,
    /// Of the header.
    width: Option<usize>,
    /// Of all rows so far.
    addresses: Addresses,
    /// Some rows have none.
    some_without: bool,
    /// A space follows what separates values, as in a sentence.
    spaced: bool,
    /// The row before was torn: what follows may be the rest of one of its values.
    lost: bool,
    /// Where a line begins that closes what a line before it opened, though both are rows.
    closing: Option<usize>,
}

impl<'a> Scan<'a> {
    fn new(text: &'a str, delimiter: u8) -> Self {
        Self {
            text: text.as_bytes(),
            delimiter,
            width: None,
            addresses: 0,
            some_without: false,
            spaced: false,
            lost: false,
            closing: None,
        }
    }

    /// The row that begins here, and where the next one does.
    fn row(&mut self, at: usize) -> (Line, usize) {
        let record = self.record(at);
        let line_end = self.line_end(at);
        if self.text[at..record.end].iter().all(u8::is_ascii_whitespace) {
            return (Line::Blank, record.end);
        }
        let first = self.line(at..line_end);
        let known = match self.addresses {
            0 if record.sound => first.addresses,
            0 => first.addresses | record.addresses,
            known => known,
        };
        let inner = line_end..record.end;
        if !record.sound || self.closing == Some(at) {
            self.lost = true;
            return (Line::Torn, self.after_torn(inner, known));
        }
        // The rest of a value of several lines, perhaps.
        if (self.lost || (record.marked && self.addresses != 0)) && self.like(&record, known) == Looks::LikeAValue {
            return (Line::Torn, line_end);
        }
        // What opens a value of several lines is rarely a row by itself.
        if Some(first.width) == self.width {
            match self.within(inner.clone(), known) {
                Looks::LikeARow => {
                    self.closing = self.lines(inner).last().map(|line| line.start);
                    return (Line::Torn, line_end);
                }
                Looks::Either => return (Line::Torn, record.end),
                Looks::LikeAValue => {}
            }
        }
        self.accept(at, &record);
        let end = self.text[at..record.end].iter().rposition(|byte| !b"\r\n".contains(byte));
        (Line::Whole(at..end.map_or(at, |last| at + last + 1)), record.end)
    }

    fn accept(&mut self, at: usize, record: &Record) {
        self.lost = false;
        if self.width.is_none() {
            self.width = Some(record.width);
            self.spaced = self.text[at..record.end].windows(2).any(|pair| pair == [self.delimiter, b' ']);
        } else {
            self.addresses |= record.addresses;
            self.some_without |= record.addresses == 0;
        }
    }

    /// What the lines within the quotation marks of a sound row look like.
    fn within(&self, inner: Range<usize>, known: Addresses) -> Looks {
        let mut most = Looks::LikeAValue;
        for line in self.lines(inner) {
            match self.looks(&line, known) {
                Looks::LikeARow => return Looks::LikeARow,
                Looks::Either => most = Looks::Either,
                Looks::LikeAValue => {}
            }
        }
        most
    }

    /// Where to go on after a row that isn't sound: at the first line that is a row, else behind it.
    fn after_torn(&self, inner: Range<usize>, known: Addresses) -> usize {
        let end = inner.end;
        if known != 0 {
            let begins = |line: &Range<usize>| {
                let record = self.record(line.start);
                let is_row = record.sound && self.like(&record, known) == Looks::LikeARow;
                is_row || self.looks(line, known) == Looks::LikeARow
            };
            return self.lines(inner).find(begins).map_or(end, |line| line.start);
        }
        let (mut at, mut rows) = (inner.start, 0);
        while at < end && rows < LOOKED_AT {
            let record = self.record(at);
            if !record.sound || Some(record.width) != self.width {
                return end;
            }
            (at, rows) = (record.end, rows + 1);
        }
        inner.start
    }

    fn looks(&self, line: &Range<usize>, known: Addresses) -> Looks {
        let text = &self.text[line.clone()];
        let separators = || text.iter().enumerate().filter(|(_, byte)| **byte == self.delimiter);
        if !self.spaced && separators().all(|(at, _)| text.get(at + 1) == Some(&b' ')) {
            return Looks::LikeAValue;
        }
        self.like(&self.line(line.clone()), known)
    }

    fn like(&self, record: &Record, known: Addresses) -> Looks {
        if Some(record.width) != self.width || record.width < 2 {
            return Looks::LikeAValue;
        }
        match (known, record.addresses) {
            (0, _) if record.width >= TELLING_WIDTH => Looks::LikeARow,
            (0, _) => Looks::Either,
            (_, 0) if self.some_without => Looks::Either,
            (known, found) if known & found != 0 => Looks::LikeARow,
            _ => Looks::LikeAValue,
        }
    }

    /// A line by itself, as if every quotation mark in it that is out of order were a letter.
    fn line(&self, line: Range<usize>) -> Record {
        Scan { text: &self.text[line], ..*self }.values(0, true)
    }

    fn record(&self, from: usize) -> Record {
        let record = self.values(from, false);
        let ends_alone = record.sound && record.end > from && self.text[record.end - 1] == b'\r';
        if !ends_alone || self.width.is_none() || record.end == self.text.len() {
            return record;
        }
        // A carriage return alone ends a row where what is before it and behind it are rows; else it is a stray one.
        let next = self.values(record.end, false);
        if Some(record.width) == self.width && next.sound && Some(next.width) == self.width {
            return record;
        }
        let feed = self.text[record.end..].iter().position(|byte| *byte == b'\n');
        Record { end: feed.map_or(self.text.len(), |at| record.end + at + 1), sound: false, ..record }
    }

    /// A record, ended by whatever ends lines. Leniently: a quotation mark that is out of order is a letter.
    fn values(&self, from: usize, leniently: bool) -> Record {
        let mut record = Record { end: from, width: 1, addresses: 0, marked: false, sound: true };
        let mut at = from;
        let ends = |at: usize| self.text.get(at).is_none_or(|byte| *byte == self.delimiter || b"\r\n".contains(byte));
        loop {
            let begin = at;
            if self.text.get(at) == Some(&b'"') {
                match self.closed(at + 1) {
                    Some(closed) if ends(closed) => at = closed,
                    _ if leniently => record.sound = false,
                    closed => {
                        let end = self.line_end(closed.unwrap_or(self.text.len()));
                        return Record { end, sound: false, ..record };
                    }
                }
            }
            let quoted = at;
            while !ends(at) {
                at += 1;
            }
            record.marked |= self.text[quoted..at].contains(&b'"');
            if self.text[begin..at].contains(&b'@') {
                record.addresses |= address_at(record.width - 1);
            }
            if self.text.get(at) != Some(&self.delimiter) {
                return Record { end: self.line_end(at), ..record };
            }
            record.width += 1;
            at += 1;
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

    /// Behind the end of this line: a line feed, with as many carriage returns before it as there are, or one of these.
    fn line_end(&self, from: usize) -> usize {
        let Some(at) = self.text[from..].iter().position(|byte| b"\r\n".contains(byte)) else { return self.text.len() };
        let end = from + at;
        let returns = self.text[end..].iter().take_while(|byte| **byte == b'\r').count();
        if self.text.get(end + returns) == Some(&b'\n') { end + returns + 1 } else { end + 1 }
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
