//! Files as spreadsheets leave them: each row is read for what it plainly means, or rejected by itself.

use super::*;

/// A row: its number, and its userName and title, or why it is rejected.
pub(super) type Outcome = (u32, Result<(String, String), String>);

pub(super) fn outcomes(fields: Value, documents: Vec<Document>) -> Vec<Outcome> {
    let preview = preview(&spec(fields), documents).unwrap_or_else(|refused| panic!("{}", refused.message));
    let rows = preview.rows.into_iter().map(|row| {
        let outcome = match row.outcome {
            RowOutcome::Mapped { spec, .. } => {
                let text = |name: &str| spec[name].as_str().unwrap_or_default().to_owned();
                Ok((text("userName"), text("title")))
            }
            RowOutcome::Rejected { reason } => Err(reason),
            RowOutcome::OutOfScope => Err("out of scope".to_owned()),
        };
        (row.row, outcome)
    });
    rows.collect()
}

pub(super) fn fields() -> Value {
    json!({"mappings": [{"target": "userName", "value": "row.name"}, {"target": "title", "value": "row.title"}]})
}

pub(super) fn read_csv(text: &str) -> Vec<Outcome> {
    outcomes(fields(), vec![csv("a.csv", text)])
}

pub(super) fn good(row: u32, name: &str, title: &str) -> Outcome {
    (row, Ok((name.to_owned(), title.to_owned())))
}

#[test]
fn i29_what_a_file_plainly_means_is_read() {
    for text in [
        "sep=;\nname;title\nada;Countess\n",
        "name;title\nada;Countess;\n",
        "name,title\nada,Countess,,,\n",
        "name,title\nada\u{a0},\u{200b}Countess\n",
        "\u{feff}name\u{a0},\u{200b}title\nad\u{2060}a,Countess\u{a0}\n",
        "name,title,name\nada,Countess,ada\n",
        "name,title,name\nada,Countess,\n",
        "name,title\n=\"ada\",\"=\"\"Countess\"\"\"\n",
    ] {
        assert_eq!(read_csv(text), [good(2, "ada", "Countess")], "{text:?}");
    }
    assert_eq!(read_csv("#TYPE Microsoft.ADUser\nname,title\nada,x\n"), [good(3, "ada", "x")]);
    assert_eq!(read_csv("name,title\n\n,\nada,x\n"), [good(4, "ada", "x")], "rows as a spreadsheet counts them");
    // A quotation mark within a value that isn't quoted is one.
    assert_eq!(read_csv("name,title\nada,the \"L\"\n"), [good(2, "ada", "the \"L\"")]);
}

#[test]
fn i29_one_row_does_not_swallow_the_next() {
    for (text, rejected) in [
        ("name,title\nada,\"Countess\ngrace,x\n", 2),
        ("name,title\nada,\"the\" L\ngrace,x\n", 2),
        ("name,title\nada,\"Countess\ngrace,x\nalan,\"y\"\n", 2),
        ("name,title\nada\ngrace,x\n", 2),
        ("name,title\nada,x,y\ngrace,x\n", 2),
    ] {
        let read = read_csv(text);
        assert!(read[0].0 == rejected && read[0].1.is_err(), "{text:?}: {read:?}");
        assert_eq!(read[1], good(3, "grace", "x"), "{text:?}");
    }
    // Two marks that happen to close each other, and rows between them.
    let text = "name,title,a,b\nada,\"Countess,1,2\ngrace,x,1,2\nalan,y,1,2\"\neve,z,1,2\n";
    let read = read_csv(text);
    // Both that have a mark are rejected, and nobody else.
    assert_eq!(
        read.iter().map(|(_, outcome)| outcome.is_ok()).collect::<Vec<_>>(),
        [false, true, false, true],
        "{read:?}"
    );
    // A value of several lines is one, and what is left of one is nobody.
    let address = "name,title\nada,\"Street 1\nLondon\"\ngrace,x\n";
    assert_eq!(read_csv(address)[0], good(2, "ada", "Street 1\nLondon"));
    let read = read_csv("name,title\ngrace,x\nada,\"Street 1\nLon");
    assert_eq!(read.iter().filter(|(_, outcome)| outcome.is_ok()).count(), 1, "{read:?}");
}

#[test]
fn i29_what_a_spreadsheet_spoiled_is_named_with_its_row_and_column() {
    let long = "x".repeat(20_000);
    for (name, title, expected) in [
        ("1.23457E+11", "x", "column name: it is a number that a spreadsheet shortened"),
        ("ada", "=A1&B1", "column title: it is a formula"),
        ("ada", "#REF!", "column title: it is an error of the spreadsheet"),
        ("ad\u{fffd}", "x", "column name: a letter is damaged"),
        ("a\u{200d}da", "x", "column name: the key has U+200D, which nobody sees"),
        ("ada", long.as_str(), "column title: the value has more than 16384 bytes"),
    ] {
        let read = read_csv(&format!("name,title\n{name},{title}\ngrace,x\n"));
        assert!(read[0].1.as_ref().is_err_and(|reason| reason.contains(expected)), "{expected}: {read:?}");
        assert_eq!(read[1], good(3, "grace", "x"));
    }
    let twice = read_csv("name,title,Name\nada,x,grace\neve,x,\n");
    assert!(twice[0].1.as_ref().is_err_and(|reason| reason.contains("is there twice")), "{twice:?}");
    assert_eq!(twice[1], good(3, "eve", "x"));
    let read = outcomes(fields(), vec![csv("a.json", r#"[1, {"name": "grace", "title": "x"}]"#)]);
    assert!(read[0].1.is_err() && read[1] == good(2, "grace", "x"), "{read:?}");
}

#[test]
fn i08_what_looks_the_same_is_never_a_second_account() {
    let read =
        read_csv("name,title\nzoe\u{308}@example.com,a\nzo\u{eb}@example.com,b\n\u{200b}ada,a\nada,b\nADA\u{a0},c\n");
    let reasons: Vec<bool> = read.iter().map(|(_, outcome)| outcome.is_ok()).collect();
    assert_eq!(reasons, [true, false, true, false, false], "{read:?}");
    assert_eq!(read[0], good(2, "zo\u{eb}@example.com", "a"));
}

#[test]
fn i29_encodings_are_told_apart() {
    let text = "name,title\nada,Gräfin\n";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let with_mark: Vec<u8> = [0xFF, 0xFE].into_iter().chain(utf16.clone()).collect();
    let big: Vec<u8> = [0xFE, 0xFF].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect();
    let excel: Vec<u8> = text.chars().map(|letter| u8::try_from(u32::from(letter)).expect("Latin")).collect();
    for bytes in [text.as_bytes().to_vec(), utf16, with_mark, big, excel] {
        let document = Document { name: "a.csv".to_owned(), content: Content::Text(SourceFormat::Auto, bytes) };
        assert_eq!(outcomes(fields(), vec![document]), [good(2, "ada", "Gräfin")]);
    }
    // A damaged byte among letters of UTF-8 is one row's.
    let damaged = [b"name,title\nada,Gr\xff\n".as_slice(), "zoë,x\n".as_bytes()].concat();
    let document = Document { name: "a.csv".to_owned(), content: Content::Text(SourceFormat::Auto, damaged) };
    let read = outcomes(fields(), vec![document]);
    assert!(read[0].1.is_err() && read[1] == good(3, "zoë", "x"), "{read:?}");
}

#[test]
fn i29_lines_of_an_old_mac_are_lines_and_what_is_no_table_is_told() {
    assert_eq!(read_csv("name,title\rada,a\rbob,b\r"), [good(2, "ada", "a"), good(3, "bob", "b")]);
    for (bytes, why) in [
        (b"PK\x03\x04\x14\0name,title\nada,a\n".as_slice(), "save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1name,title\nada,a\n", "save the sheet as CSV"),
        (b"\n<!DOCTYPE html>\n<html><body>Sign in</body></html>\n", "a web page"),
    ] {
        let content = Content::Text(SourceFormat::Auto, bytes.to_vec());
        let document = Document { name: "people/a.csv".to_owned(), content };
        let refused = preview(&spec(fields()), vec![document]).expect_err("it is refused").message;
        assert!(refused.contains("people/a.csv") && refused.contains(why), "{refused}");
    }
}

#[test]
fn yes_and_no_and_dates_in_the_languages_of_spreadsheets() {
    let value = |expression: &str, cell: &str| {
        let fields =
            json!({"mappings": [{"target": "userName", "value": "\"ada\""}, {"target": "title", "value": expression}]});
        outcomes(fields, vec![csv("a.csv", &format!("x,y\n{cell},z\n"))]).remove(0).1
    };
    for (cell, expected) in [
        ("WAHR", "true"),
        ("FALSCH", "false"),
        ("VRAI", "true"),
        ("FAUX", "false"),
        ("VERO", "true"),
        ("SÍ", "true"),
        ("si\u{301}", "true"),
        ("JA", "true"),
        ("Nein", "false"),
        ("ДА", "true"),
        ("нет", "false"),
        ("是", "true"),
        ("Evet", "true"),
        ("HAYIR", "false"),
        ("DOĞRU", "true"),
        ("YANLIŞ", "false"),
        ("Tak", "true"),
        ("FAŁSZ", "false"),
        ("ΑΛΗΘΗΣ", "true"),
        ("NETIESA", "false"),
        ("O", "true"),
        ("1.0", "true"),
        ("0.0", "false"),
        ("t", "true"),
        ("off", "false"),
    ] {
        assert_eq!(value("string(flag(row.x))", cell), Ok(("ada".to_owned(), expected.to_owned())), "{cell}");
    }
    assert!(value("string(flag(row.x))", "vielleicht").is_err());
    for cell in [
        "2026-01-31",
        "31.01.2026",
        "31.1.2026 00:00:00",
        "2026/01/31",
        "31/01/2026",
        "1/31/2026 12:00:00 AM",
        "31-Jan-2026",
        // As Excel shows a date unless it is told otherwise.
        "31-Jan-26",
        "31 Jan 26",
    ] {
        assert_eq!(value("instant(row.x)", cell), Ok(("ada".to_owned(), "2026-01-31T00:00:00Z".to_owned())), "{cell}");
    }
    for (cell, expected) in [
        ("02/03/2026", "can't be told apart"),
        ("31.13.2026", "no date"),
        ("soon", "no date"),
        ("31-Foo-26", "no date"),
        ("31.01.26", "the year has two digits"),
        ("1/31/26", "the year has two digits"),
        ("26/01/31", "the year has two digits"),
        ("31-Dec-99", "the year has two digits"),
        ("45231", "a day's number"),
    ] {
        assert!(value("instant(row.x)", cell).is_err_and(|reason| reason.contains(expected)), "{cell}");
    }
}

#[test]
fn a_preview_says_what_becomes_of_each_row() {
    let mut scoped = fields();
    scoped["scope"] = json!("row.title != \"none\"");
    let text = format!("name,title\nada,{}\ngrace,none\n,x\n", "x".repeat(100));
    let read = outcomes(scoped.clone(), vec![csv("people/a.csv", &text)]);
    assert!(read[0].1.is_ok() && read[1].1 == Err("out of scope".to_owned()), "{read:?}");
    assert_eq!(read[2], (4, Err("column name: the key is empty".to_owned())));
    let large = format!("name,title\n{}", "ada,engineer\n".repeat(21_000));
    // It is the object's JSON that counts: all its keys, with what is escaped, and a Secret's values in base64.
    let half = format!("name,title\n{}", "ada,engineer\n".repeat(10_500));
    let secret = json!({"source": {"secrets": {"names": ["people"]}}});
    for (fields, texts, kind) in [
        (scoped.clone(), vec![("people/a.csv", &large)], Some("its ConfigMap")),
        (scoped.clone(), vec![("people/a.csv", &half), ("people/b.csv", &half)], Some("its ConfigMap")),
        (scoped.clone(), vec![("people/a.csv", &half), ("others/b.csv", &half)], None),
        (secret, vec![("people/a.csv", &half)], None),
    ] {
        let mut all = scoped.clone();
        all.as_object_mut().expect("fields").extend(fields.as_object().expect("fields").clone());
        let documents = texts.into_iter().map(|(name, text)| csv(name, text)).collect();
        let notes = preview(&spec(all), documents).expect("rows").notes;
        let expected = kind.map(|kind| {
            format!("people has more than 256 KiB as kubectl notes it: apply {kind} by kubectl apply --server-side")
        });
        assert_eq!(notes, expected.into_iter().collect::<Vec<_>>());
    }
    // What no ConfigMap holds is not to be applied otherwise, but to be split.
    let huge = format!("name,title\n{}", "ada,engineer\n".repeat(81_000));
    let notes = preview(&spec(scoped), vec![csv("people/a.csv", &huge)]).expect("rows").notes;
    assert!(
        notes.len() == 1 && notes[0].starts_with("people has 1053011 bytes, and a ConfigMap holds 1048576 at most"),
        "{notes:?}"
    );
    assert!(notes[0].contains("each part with the header") && !notes[0].contains("server-side"), "{notes:?}");
}
