//! The rows of a text, whatever its quotation marks and line ends are like.

use proptest::prelude::*;

use super::super::lines::{Line, rows};

const DELIMITER: u8 = b',';

fn values(row: &str) -> Vec<Vec<String>> {
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).flexible(true).terminator(csv::Terminator::Any(b'\n'));
    let records = builder.from_reader(row.as_bytes()).into_records().collect::<Result<Vec<_>, _>>().expect("rows");
    records.iter().map(|record| record.iter().map(str::to_owned).collect()).collect()
}

fn whole(text: &str) -> Vec<String> {
    let places = rows(text, DELIMITER).into_iter().filter_map(|line| match line {
        Line::Whole(place) => Some(text[place].to_owned()),
        _ => None,
    });
    places.collect()
}

/// People with an address, and with values of several lines and with quotation marks, written as a spreadsheet does.
fn people() -> impl Strategy<Value = Vec<Vec<String>>> {
    let cell = prop_oneof![
        "[a-z]{0,6}",
        "[a-z]{1,4}[,;\"] ?[a-z]{1,4}",
        "[A-Z][a-z]{2,5}\n[A-Z][a-z]{2,5}(, [A-Z][a-z]{1,4})?"
    ];
    let row = (prop::collection::vec(cell.clone(), 2), prop::collection::vec(cell, 3));
    (prop::collection::vec(row, 2..8), 0..3_usize, 1..4_usize).prop_map(|(rows, left, right)| {
        let person = |(n, (before, behind)): (usize, (Vec<String>, Vec<String>))| {
            let before = before.into_iter().take(left);
            before.chain([format!("u{n}@example.com")]).chain(behind.into_iter().take(right)).collect()
        };
        rows.into_iter().enumerate().map(person).collect()
    })
}

fn written(row: &[String]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(row).expect("a row");
    String::from_utf8(writer.into_inner().expect("bytes")).expect("UTF-8")
}

fn header(people: &[Vec<String>]) -> String {
    (0..people[0].len()).map(|column| format!("c{column}")).collect::<Vec<_>>().join(",") + "\n"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn every_whole_row_is_one_row_and_none_is_read_twice(text in "[a@, \"\r\n;é]{0,80}") {
        let mut end = 0;
        for line in rows(&text, DELIMITER) {
            if let Line::Whole(place) = line {
                prop_assert!(end <= place.start && place.end <= text.len(), "{:?}", text);
                end = place.end;
                prop_assert_eq!(values(&(text[place.clone()].to_owned() + "\n")).len(), 1, "{:?} of {:?}", &text[place], text);
            }
        }
    }

    /// What is before a row doesn't decide over it.
    #[test]
    fn rows_in_order_are_read_as_they_were_written(people in people()) {
        let text = header(&people) + &people.iter().map(|row| written(row)).collect::<String>();
        let read: Vec<Vec<String>> = whole(&text).iter().skip(1).flat_map(|row| values(row)).collect();
        prop_assert_eq!(read, people);
    }

    #[test]
    fn i29_one_stray_mark_costs_one_row_at_most(people in people(), row in any::<prop::sample::Index>(), at in any::<prop::sample::Index>()) {
        // What rows look like is known from the first on.
        let bad = 1 + row.index(people.len() - 1);
        let mut lines: Vec<String> = people.iter().map(|row| written(row)).collect();
        let place = at.index(lines[bad].len());
        lines[bad].insert(place, '"');
        let text = header(&people) + &lines.concat();
        let read: Vec<Vec<String>> = whole(&text).iter().skip(1).flat_map(|row| values(row)).collect();
        for (n, person) in people.iter().enumerate().filter(|(n, _)| *n != bad) {
            prop_assert!(read.contains(person), "{} of {:?}: {:?}", n, text, read);
        }
        // A row with fewer values is rejected.
        let full = read.iter().filter(|row| row.len() >= people[0].len());
        prop_assert!(full.count() <= people.len(), "nobody was made of a part of a value: {:?}: {:?}", text, read);
    }

    /// Carriage returns alone among line feeds.
    #[test]
    fn i29_mixed_line_ends_lose_no_row(people in people(), ends in prop::collection::vec(0..3_usize, 8)) {
        let people: Vec<Vec<String>> =
            people.into_iter().map(|row| row.into_iter().map(|cell| cell.replace('\n', " ")).collect()).collect();
        let mut text = header(&people);
        for (row, end) in people.iter().zip(&ends) {
            text += written(row).trim_end_matches('\n');
            text += ["\n", "\r\n", "\r"][*end];
        }
        let read: Vec<Vec<String>> = whole(&text).iter().skip(1).flat_map(|row| values(row)).collect();
        prop_assert_eq!(read, people);
    }
}
