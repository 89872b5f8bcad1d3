//! What is printed: tables that fit the terminal, or the same as JSON, YAML, Markdown or CSV.

use std::fmt::Display;
use std::io::{self, Write};

use comfy_table::{Cell as TableCell, Color, ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use crate::global::{Global, Output};

/// How good a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Neither.
    Plain,
    /// As it should be.
    Good,
    /// To be looked at.
    Warning,
    /// Wrong.
    Bad,
}

/// One value of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A value with its tone.
    pub fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: harmless(&text.into()), tone }
    }

    /// A count that should be zero.
    pub fn fault(count: i64, tone: Tone) -> Self {
        Self::toned(count.to_string(), if count > 0 { tone } else { Tone::Plain })
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

/// A text without what a terminal obeys, or what isn't seen and moves what is: some of it comes from servers.
fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).filter(|c| !is_unseen(*c)).collect()
}

/// Marks and overrides of direction, and what has no width: they make one name look like another. Joiners are part of
/// names in many scripts.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A text that Markdown shows as it is: no image is fetched, nobody is notified, and no row ends early.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut before = ' ';
    for c in harmless(text).chars() {
        match c {
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '~' => plain.extend(['\\', c]),
            '<' => plain.push_str("&lt;"),
            '&' => plain.push_str("&amp;"),
            '@' | '#' if !before.is_alphanumeric() => plain.extend([c, '\u{2060}']),
            c => plain.push(c),
        }
        before = c;
    }
    plain
}

/// One thing of a list.
pub trait Row: Serialize {
    /// The columns' names; those that `wide` alone shows begin with `+`.
    const COLUMNS: &'static [&'static str];
    /// A value for each.
    fn cells(&self) -> Vec<Cell>;
}

/// Prints as the options say.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    output: Output,
    colour: bool,
}

impl Printer {
    /// By the options of the command line and what standard output is.
    pub fn new(global: &Global) -> Self {
        let colour = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        Self { output: global.output, colour }
    }

    /// Whether the output is for a program, so that nothing but data belongs into it.
    pub fn is_data(self) -> bool {
        matches!(self.output, Output::Json | Output::Yaml | Output::Csv)
    }

    /// Whether one table is all that fits into the output.
    pub fn is_csv(self) -> bool {
        self.output == Output::Csv
    }

    /// Whether it goes into a page.
    pub fn is_markdown(self) -> bool {
        self.output == Output::Markdown
    }

    /// Whether all there is was asked for.
    pub fn is_wide(self) -> bool {
        self.output == Output::Wide
    }

    /// Whether nothing is to be left out: for programs, or since all there is was asked for.
    pub fn is_whole(self) -> bool {
        self.is_wide() || self.is_data()
    }

    /// A list.
    pub fn list<R: Row>(self, rows: &[R]) -> io::Result<()> {
        match self.output {
            Output::Json | Output::Yaml => self.data(&rows),
            Output::Csv => as_far_as_read(csv_of(rows)),
            Output::Table | Output::Wide | Output::Markdown => self.section("", rows),
        }
    }

    /// A list below a heading; nothing where it is empty.
    pub fn section<R: Row>(self, heading: &str, rows: &[R]) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        if !heading.is_empty() {
            let mark = if self.output == Output::Markdown { "\n## " } else { "\n" };
            as_far_as_read(writeln!(
                out,
                "{mark}{heading}{}",
                if self.output == Output::Markdown { "\n" } else { "" }
            ))?;
        }
        as_far_as_read(writeln!(out, "{}", self.table(rows, None)))
    }

    /// Lists in one document.
    pub fn data<T: Serialize>(self, value: &T) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.output == Output::Yaml {
            let text = serde_saphyr::to_string(value).map_err(io::Error::other)?;
            return as_far_as_read(write!(out, "{text}"));
        }
        let written = serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from);
        as_far_as_read(written.and_then(|()| writeln!(out)))
    }

    /// The table, as wide as the terminal or as given. Where its columns don't fit without breaking words, each row
    /// is a block of lines.
    fn table<R: Row>(self, rows: &[R], width: Option<u16>) -> String {
        let shown: Vec<usize> = (0..R::COLUMNS.len())
            .filter(|place| self.output != Output::Table || !R::COLUMNS[*place].starts_with('+'))
            .collect();
        let header: Vec<&str> = shown.iter().map(|place| R::COLUMNS[*place].trim_start_matches('+')).collect();
        let lines: Vec<Vec<Cell>> = rows
            .iter()
            .map(|row| {
                let mut cells: Vec<Option<Cell>> = row.cells().into_iter().map(Some).collect();
                shown.iter().filter_map(|place| cells.get_mut(*place)?.take()).collect()
            })
            .collect();
        if self.output == Output::Markdown {
            let mut table = self.empty();
            table.set_header(header);
            table.add_rows(lines.iter().map(|cells| cells.iter().map(|cell| self.cell(cell))));
            return table.trim_fmt();
        }
        let width = width.or_else(|| self.empty().width());
        let needs: Vec<u16> = header
            .iter()
            .enumerate()
            .map(|(place, name)| {
                let cells = lines.iter().filter_map(|cells| cells.get(place)).map(|cell| need(&cell.text));
                cells.chain([wide(name)]).max().unwrap_or_default()
            })
            .collect();
        let whole: usize = needs.iter().map(|need| usize::from(*need) + usize::from(GAP)).sum();
        match width {
            Some(width) if whole > usize::from(width) + usize::from(GAP) => self.blocks(&header, &lines, width),
            _ => {
                let mut table = self.empty();
                if let Some(width) = width {
                    table.set_width(width.saturating_add(GAP));
                }
                table.set_header(header);
                table.add_rows(lines.iter().map(|cells| cells.iter().map(|cell| self.cell(cell))));
                for (column, need) in table.column_iter_mut().zip(&needs) {
                    column.set_padding((0, GAP));
                    column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(need.saturating_add(GAP))));
                }
                table.trim_fmt()
            }
        }
    }

    /// Each row as lines of a column's name and its value; what is empty is left out.
    fn blocks(self, header: &[&str], lines: &[Vec<Cell>], width: u16) -> String {
        let names = header.iter().map(|name| wide(name)).max().unwrap_or_default().saturating_add(GAP);
        let block = |cells: &Vec<Cell>| {
            let mut table = self.empty();
            let shown = || header.iter().zip(cells).filter(|(_, cell)| !cell.text.is_empty());
            let longest = shown().map(|(_, cell)| longest_word(&cell.text)).max().unwrap_or_default();
            table.set_width(width.max(names.saturating_add(longest)));
            table.add_rows(shown().map(|(name, cell)| [TableCell::new(name), self.cell(cell)]));
            if let Some(first) = table.column_mut(0) {
                first.set_padding((0, GAP)).set_constraint(ColumnConstraint::Absolute(Width::Fixed(names)));
            }
            if let Some(second) = table.column_mut(1) {
                second.set_padding((0, 0)).set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(longest)));
            }
            table.trim_fmt()
        };
        lines.iter().map(block).collect::<Vec<_>>().join("\n\n")
    }

    /// A table in the form asked for, without rows.
    fn empty(self) -> Table {
        let mut table = Table::new();
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.load_style(if self.output == Output::Markdown { presets::ASCII_MARKDOWN } else { presets::NOTHING });
        if self.output == Output::Markdown {
            table.force_no_tty();
        } else if self.colour {
            table.enforce_styling();
        }
        table
    }

    fn cell(self, cell: &Cell) -> TableCell {
        let text = match (self.output, cell.text.as_str()) {
            (Output::Markdown, text) => plain(text),
            (_, "") => "-".to_owned(),
            (_, text) => text.to_owned(),
        };
        let colour = match cell.tone {
            Tone::Plain => None,
            Tone::Good => Some(Color::Green),
            Tone::Warning => Some(Color::Yellow),
            Tone::Bad => Some(Color::Red),
        };
        let table_cell = TableCell::new(text);
        match colour.filter(|_| self.colour && self.output != Output::Markdown) {
            Some(colour) => table_cell.fg(colour),
            None => table_cell,
        }
    }
}

/// Between two columns.
const GAP: u16 = 2;
/// A text of many words is not squeezed below this.
const READABLE: u16 = 24;

fn wide(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

fn longest_word(text: &str) -> u16 {
    text.split(' ').map(wide).max().unwrap_or_default()
}

/// How wide a column must be for a text.
fn need(text: &str) -> u16 {
    longest_word(text).max(wide(text).min(READABLE))
}

fn csv_of<R: Row>(rows: &[R]) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(io::stdout().lock());
    let as_io = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    };
    writer.write_record(R::COLUMNS.iter().map(|name| name.trim_start_matches('+'))).map_err(as_io)?;
    for row in rows {
        writer.write_record(row.cells().iter().map(|cell| inert(&cell.text))).map_err(as_io)?;
    }
    writer.flush()
}

/// A value that no spreadsheet takes for a formula.
pub fn inert(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err() && text != "-" {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// `12 deletions`, of those that there are any of.
pub fn counted<'a, N: Default + Display + PartialOrd>(parts: impl IntoIterator<Item = (N, &'a str)>) -> Vec<String> {
    let parts = parts.into_iter().filter(|(count, _)| *count > N::default());
    parts.map(|(count, what)| format!("{count} {what}")).collect()
}

/// A line on standard output for people.
pub fn line(text: &str) -> io::Result<()> {
    as_far_as_read(writeln!(anstream::stdout().lock(), "{text}"))
}

/// The reader of standard output has gone.
pub fn is_closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// Whoever reads no further (`| head`) doesn't change what the command found, nor its exit code.
fn as_far_as_read(written: io::Result<()>) -> io::Result<()> {
    written.or_else(|error| if is_closed(&error) { Ok(()) } else { Err(error) })
}

/// A line on standard error, where what is said to people doesn't mix with data.
pub fn note(text: &str) {
    // With standard error gone there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{}", text.split('\n').map(harmless).collect::<Vec<_>>().join("\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Person(&'static str, &'static str);

    impl Row for Person {
        const COLUMNS: &'static [&'static str] = &["NAME", "STATE", "+ID"];
        fn cells(&self) -> Vec<Cell> {
            vec![self.0.into(), Cell::toned(self.1, Tone::Bad), "0123".into()]
        }
    }

    const PEOPLE: [Person; 2] = [Person("ada", "the server refused | this\u{1b}[31m request"), Person("grace", "")];

    fn table(output: Output, colour: bool, width: Option<u16>) -> String {
        Printer { output, colour }.table(&PEOPLE, width)
    }

    #[test]
    fn a_table_fits_the_terminal_and_shows_more_when_asked() {
        for width in [16, 30, 31, 40, 60] {
            let narrow = table(Output::Table, false, Some(width));
            assert!(narrow.lines().all(|line| line.chars().count() <= usize::from(width)), "{width}: {narrow}");
            assert!(narrow.lines().count() >= 3 && !narrow.contains("ID"), "{width}: {narrow}");
            for word in ["NAME", "STATE", "ada", "refused", "request", "grace"] {
                assert!(
                    narrow.split_whitespace().any(|found| found.ends_with(word)),
                    "{width}: {word} is broken: {narrow}"
                );
            }
        }
        let whole = table(Output::Wide, false, None);
        assert_eq!(whole.lines().count(), 3, "{whole}");
        assert!(whole.lines().next().is_some_and(|header| header.ends_with("ID")), "{whole}");
    }

    #[test]
    fn colours_and_what_terminals_obey_stay_out_unless_they_are_ours() {
        assert!(!table(Output::Table, false, Some(80)).contains('\u{1b}'));
        assert!(table(Output::Table, true, Some(20)).contains("\u{1b}["));
        let coloured = table(Output::Table, true, Some(80));
        assert!(coloured.contains("\u{1b}[") && !coloured.contains("\u{1b}[31m request"), "{coloured:?}");
    }

    #[test]
    fn markdown_is_one_line_a_row_whatever_is_in_it() {
        let text = table(Output::Markdown, true, None);
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.contains("refused \\| this") && text.lines().all(|line| line.starts_with('|')), "{text}");
    }

    #[test]
    fn what_others_wrote_does_nothing_in_a_terminal_or_in_a_pull_request() {
        assert_eq!(harmless("ada\u{202e}moc\u{2066}\u{200b}.\u{feff}x"), "adamoc.x");
        assert_eq!(harmless("می\u{200c}خواهم"), "می\u{200c}خواهم", "joiners are letters' own");
        assert_eq!(
            plain("![a](https://x) a\\|b **c** <details>"),
            "!\\[a\\](https://x) a\\\\\\|b \\*\\*c\\*\\* &lt;details>"
        );
        assert_eq!(plain("@org/team #12 ada@example.com"), "@\u{2060}org/team #\u{2060}12 ada@example.com");
    }

    #[test]
    fn no_value_is_a_formula_for_a_spreadsheet() {
        assert_eq!(inert("=HYPERLINK(\"x\")"), "'=HYPERLINK(\"x\")");
        assert_eq!(inert("+49 30 1234"), "'+49 30 1234");
        assert_eq!((inert("-3").as_str(), inert("ada").as_str(), inert("-").as_str()), ("-3", "ada", "-"));
    }
}
