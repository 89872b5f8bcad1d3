//! Question marks where letters were: an export in ASCII writes one for each letter that it doesn't have. Of one at the end
//! of a word the rest of the file tells.

use super::TableRow;
use crate::roster::text::{LOST, is_questioned, may_be_questioned};

/// What a document shows of its letters.
#[derive(Default)]
pub struct Marks {
    /// Values with letters that were lost for certain.
    lost: usize,
    /// Values with letters beyond ASCII.
    kept: usize,
    doubts: Vec<Doubt>,
}

/// Values of a row that end a word with a mark, and that are read.
struct Doubt {
    row: usize,
    places: Vec<(usize, String)>,
    /// Another value of the row tells that letters were lost.
    is_certain: bool,
    /// As many values of the row are in doubt.
    alike: usize,
}

impl Marks {
    /// Looks at the values of a row, with their columns and with the places of those that are read.
    pub fn see<'a>(&mut self, row: usize, values: impl Iterator<Item = (&'a str, &'a str, Option<usize>)>) {
        let mut doubt = Doubt { row, places: Vec::new(), is_certain: false, alike: 0 };
        for (value, column, place) in values {
            if !value.is_ascii() {
                self.kept += usize::from(value.chars().any(|letter| !letter.is_ascii() && letter.is_alphabetic()));
            }
            if !value.contains('?') {
                continue;
            }
            if is_questioned(value) {
                self.lost += 1;
                doubt.is_certain = true;
            } else if may_be_questioned(value) {
                doubt.alike += 1;
                doubt.places.extend(place.map(|place| (place, column.to_owned())));
            }
        }
        if !doubt.places.is_empty() {
            self.doubts.push(doubt);
        }
    }

    /// Rejects the rows whose letters were lost, as far as that can be told.
    pub fn settle(self, rows: &mut [TableRow]) {
        let is_ascii = self.lost > self.kept;
        for doubt in self.doubts {
            // A name is in several columns, and a question in one.
            if is_ascii || doubt.is_certain || (doubt.alike > 1 && self.kept == 0) {
                for (place, column) in doubt.places {
                    rows[doubt.row].spoil(place, &column, LOST);
                }
            }
        }
    }
}
