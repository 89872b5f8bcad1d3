//! CSV as spreadsheets save it: a header, and rows below it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

use super::{LONGEST_VALUE, Reader, SourceError, TableRow, too_long};
use crate::roster::columns::{Wanted, folded};
use crate::roster::form::{self, Sheet};
use crate::roster::lines::{self, Line};
use crate::roster::text::{cleaned, spoiled, unquoted};

/// A header, as far as rows are read by it.
struct Header {
    /// As they are spelled; none behind the last that has a name.
    columns: Vec<String>,
    /// Of the wanted ones their places.
    places: Vec<Option<usize>>,
    /// By its place among the table's.
    number: u32,
}

/// The last rows while they have hardly any values: what a report adds up, perhaps.
#[derive(Default)]
struct Foot {
    /// How many values each other row has at least.
    least: Option<usize>,
    /// Their places in the table, and how many values each has.
    rows: Vec<(usize, usize)>,
}

impl Reader<'_> {
    pub(super) fn csv(&mut self, text: &str) -> Result<(), SourceError> {
        let joined = joined(text);
        let sheet = form::sheet(&joined, self.wanted);
        let lines = lines::rows(sheet.text, sheet.delimiter);
        let Some((Line::Whole(first), rows)) = lines.split_first() else {
            return Err(self.invalid("the header can't be read: a quotation mark is not closed"));
        };
        let mut header = self.header(form::values(&sheet.text[first.clone()], sheet.delimiter))?;
        let rows = self.without_notes(rows, &sheet, header.columns.len());
        let mut whole = String::new();
        for line in rows {
            if let Line::Whole(place) = line {
                whole.push_str(&sheet.text[place.clone()]);
                whole.push('\n');
            }
        }
        let mut builder = csv::ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(sheet.delimiter).terminator(csv::Terminator::Any(b'\n'));
        let mut reader = builder.from_reader(whole.as_bytes());
        let mut record = csv::StringRecord::new();
        let mut foot = Foot::default();
        for (at, line) in rows.iter().enumerate() {
            let number = sheet.above + at + 2;
            match line {
                Line::Blank => {}
                Line::Torn => {
                    let problem = "a quotation mark is not closed, or stands within a value: write it twice, and the \
                                   value in quotation marks";
                    let row = TableRow { problem: Some(problem.to_owned()), torn: true, ..self.row(number) };
                    self.push(row)?;
                }
                Line::Whole(_) => {
                    let is_there = reader.read_record(&mut record);
                    is_there.ok().filter(|there| *there).ok_or_else(|| self.invalid("it can't be read as CSV"))?;
                    let values: Vec<&str> = record.iter().map(unquoted).collect();
                    if header.is_wholly_worded_by(&values) {
                        continue;
                    }
                    if header.is_repeated_by(&values, self.wanted) {
                        header = self.header(values.iter().map(|name| name.trim().to_owned()).collect())?;
                    } else if !header.is_worded_by(&values) && !is_rule(&values) && !is_count(&values) {
                        self.record(number, &values, &header, &mut foot)?;
                    }
                }
            }
        }
        self.reject_foot(&foot);
        Ok(())
    }

    /// Without what a report has below its table: an empty line, the only one among the rows, and behind it words of one
    /// value each. A file that was cut off ends in the midst of a row, and not below an empty line.
    fn without_notes<'l>(&mut self, rows: &'l [Line], sheet: &Sheet, width: usize) -> &'l [Line] {
        let is_note = |line: &Line| match line {
            Line::Whole(place) => {
                let values = form::values(&sheet.text[place.clone()], sheet.delimiter);
                matches!(values.as_slice(), [words] if words.trim().contains(' ') && !words.contains('@'))
            }
            Line::Blank => true,
            Line::Torn => false,
        };
        let notes = rows.iter().rev().take_while(|line| is_note(line)).count();
        let (above, below) = rows.split_at(rows.len() - notes);
        let begins = below.iter().position(|line| *line != Line::Blank);
        let Some(begins) = begins.filter(|at| *at > 0 && width > 2 && !above.contains(&Line::Blank)) else {
            return rows;
        };
        let number = sheet.above + above.len() + begins + 2;
        self.table.notes.push(format!("{}: what is below the empty line, from row {number} on, is no row", self.name));
        above
    }

    fn header(&mut self, mut columns: Vec<String>) -> Result<Header, SourceError> {
        // A spreadsheet leaves columns without a name behind.
        let named = columns.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
        columns.truncate(named);
        // Of a list that was spread over columns, phones.0.value, the one of its name counts the entries, as far as nobody
        // says that it is to be read.
        let spread: BTreeSet<String> =
            columns.iter().filter_map(|name| Some(name.split_once(".0.")?.0.to_owned())).collect();
        let counts = |name: &&mut String| spread.contains(*name) && !self.wanted.is_named(name);
        columns.iter_mut().filter(counts).for_each(String::clear);
        self.add_columns(columns.iter().filter(|name| !name.is_empty()))?;
        let places: Vec<Option<usize>> = columns.iter().map(|name| self.wanted.place(name)).collect();
        let mut there = vec![false; self.wanted.count()];
        places.iter().flatten().for_each(|place| there[*place] = true);
        let number = u32::try_from(self.table.headers.len()).unwrap_or(u32::MAX);
        self.table.headers.push(there);
        Ok(Header { columns, places, number })
    }

    fn record(&mut self, number: usize, values: &[&str], header: &Header, foot: &mut Foot) -> Result<(), SourceError> {
        let mut row = TableRow { header: Some(header.number), ..self.row(number) };
        let filled = values.iter().filter(|value| !is_blank(value)).count();
        if filled == 0 {
            return Ok(());
        }
        // A delimiter too many at the end is no value.
        let width = header.columns.len();
        if values.len() < width || values.iter().skip(width).any(|value| !is_blank(value)) {
            row.problem = Some(format!("it has {} values, and the header {width} columns", values.len()));
            row.torn = true;
        }
        for ((value, column), place) in values.iter().zip(&header.columns).zip(&header.places) {
            if value.len() > LONGEST_VALUE {
                row.problem = Some(format!("column {column}: {}", too_long()));
                row.torn = true;
                continue;
            }
            let Some(place) = *place else { continue };
            if let Some(spoiled) = spoiled(value).filter(|_| self.wanted.is_read(place)) {
                row.spoil(place, column, &spoiled);
            }
            if !self.wanted.is_read(place) && !row.values[place].is_null() {
                continue;
            }
            row.put(place, column, Value::String(cleaned(value).unwrap_or_else(|| (*value).to_owned())));
        }
        if !row.torn {
            let columns = header.columns.iter().map(String::as_str).zip(&header.places);
            let read = |place: &Option<usize>| place.filter(|place| self.wanted.is_read(*place));
            let seen = values.iter().zip(columns).map(|(value, (column, place))| (*value, column, read(place)));
            self.marks.see(self.table.rows.len(), seen);
            let is_address = values.iter().any(|value| value.contains('@'));
            foot.see(self.table.rows.len(), filled, is_address);
        }
        self.push(row)
    }

    /// A total, or who printed it, is nobody.
    fn reject_foot(&mut self, foot: &Foot) {
        let most = foot.rows.iter().map(|(_, filled)| *filled).max().unwrap_or_default();
        if foot.least.is_none_or(|least| most + 2 > least) {
            return;
        }
        for (row, _) in &foot.rows {
            self.table.rows[*row].problem.get_or_insert_with(|| {
                "it has hardly any values, and all rows above have more: if it is a total or a note, take it out"
                    .to_owned()
            });
        }
    }
}

impl Foot {
    fn see(&mut self, row: usize, filled: usize, is_address: bool) {
        if filled <= 2 && !is_address && self.least.is_some() {
            self.rows.push((row, filled));
            return;
        }
        let all = self.rows.drain(..).map(|(_, filled)| filled).chain([filled]).chain(self.least);
        self.least = all.min();
    }
}

impl Header {
    /// Whether a row is a header again, of another file that was put behind this one. Somebody may work in a department
    /// that is called as a column is: nearly everything in it must be a column's name.
    fn is_repeated_by(&self, values: &[&str], wanted: &Wanted) -> bool {
        let places: BTreeSet<usize> = values.iter().filter_map(|value| wanted.place(value)).collect();
        let read: BTreeSet<usize> = self.places.iter().flatten().copied().collect();
        let same = places.intersection(&read).count();
        if same == 0 {
            return false;
        }
        let filled: BTreeSet<String> =
            values.iter().filter(|value| !is_blank(value)).map(|value| folded(value)).collect();
        let own: BTreeSet<String> = self.columns.iter().map(|column| folded(column)).collect();
        let known = filled.iter().filter(|value| own.contains(*value) || wanted.place(value).is_some()).count();
        let (all, most) = (same == read.len() && same > 1, 3 * same >= 2 * read.len());
        all || (most && 3 * known >= 2 * filled.len()) || (known >= 4 && 5 * known >= 4 * filled.len())
    }

    /// Whether a row is the header in other words, as some systems have it below the first, for people: `User ID` below
    /// `USERID`. No column is called by an address or a number.
    fn is_worded_by(&self, values: &[&str]) -> bool {
        let (own, filled) = self.own_names(values);
        let is_a_name = |value: &&str| is_blank(value) || (!value.contains('@') && value.contains(char::is_alphabetic));
        own > 1 && 3 * own >= 2 * filled && values.iter().all(is_a_name)
    }

    /// The same of every column, so that none is called otherwise from here on.
    fn is_wholly_worded_by(&self, values: &[&str]) -> bool {
        let named = self.columns.iter().filter(|name| !name.is_empty()).count();
        let (own, filled) = self.own_names(values);
        own > 1 && own == named && own == filled
    }

    /// How many values are the name of their own column, and how many there are.
    fn own_names(&self, values: &[&str]) -> (usize, usize) {
        let filled = values.iter().filter(|value| !is_blank(value)).count();
        let is_own = |(column, value): &(&String, &&str)| is_spelled_like(column, value);
        (self.columns.iter().zip(values).filter(is_own).count(), filled)
    }
}

/// Whether two names are one in any spelling: their letters and digits are the same.
fn is_spelled_like(one: &str, other: &str) -> bool {
    let letters = |name: &'_ str| {
        name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect::<Vec<_>>()
    };
    let first = |name: &str| {
        name.chars().find(|letter| letter.is_alphanumeric()).and_then(|letter| letter.to_lowercase().next())
    };
    first(one).is_some() && first(one) == first(other) && letters(one) == letters(other)
}

/// Whether a row is the line that is drawn below a header.
fn is_rule(values: &[&str]) -> bool {
    let is_line = |value: &str| value.len() > 2 && value.bytes().all(|byte| b"-=+:".contains(&byte));
    let mut filled = values.iter().map(|value| value.trim()).filter(|value| !value.is_empty()).peekable();
    filled.peek().is_some() && filled.all(is_line)
}

/// Whether a row is what databases print below a table: `(2 rows affected)`, `(2 rows)`, `2 rows selected.`,
/// `2 rows in set (0.00 sec)`.
fn is_count(values: &[&str]) -> bool {
    let mut filled = values.iter().map(|value| value.trim()).filter(|value| !value.is_empty());
    let (Some(only), None) = (filled.next(), filled.next()) else { return false };
    let inner = only.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    inner.unwrap_or(only).split_once(' ').is_some_and(|(count, words)| {
        let is_number = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        let first = words.split(' ').next().unwrap_or_default().to_ascii_lowercase();
        let is_word = match inner {
            Some(_) => !words.contains(|c: char| c.is_ascii_digit()),
            None => ["row", "rows", "record", "records", "record(s)"].contains(&first.as_str()),
        };
        is_number && is_word
    })
}

/// With nothing in it that anybody sees.
fn is_blank(value: &str) -> bool {
    value.trim().is_empty() || cleaned(value).is_some_and(|clean| clean.is_empty())
}

/// Without the byte order marks that files bring along that were put one behind the other.
fn joined(text: &str) -> Cow<'_, str> {
    const MARK: char = '\u{feff}';
    if !text.contains(MARK) {
        return text.into();
    }
    // The last line of the one had no end, and the header of the other follows.
    let header = text.lines().next().unwrap_or_default();
    let lines = text.replace(&format!("\n{MARK}"), "\n").replace(&format!("{MARK}{header}"), &format!("\n{header}"));
    lines.replace(MARK, "").into()
}
