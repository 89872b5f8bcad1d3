//! Files put together by hand, printed by databases, saved in other encodings: nobody is made of what is no row.

use super::spreadsheets::{Outcome, fields, good, outcomes, read_csv};
use super::*;

fn read_bytes(bytes: Vec<u8>) -> Vec<Outcome> {
    let content = Content::Text(SourceFormat::Auto, bytes);
    outcomes(fields(), vec![Document { name: "a.csv".to_owned(), content }])
}

pub(super) fn refused(fields: Value, documents: Vec<Document>) -> String {
    preview(&spec(fields), documents).expect_err("it is refused").message
}

#[test]
fn i29_a_sheet_is_read_by_its_header_wherever_that_is() {
    for (above, text) in [
        (0, "name|title\nada|Countess\n"),
        (0, "sep=|\nname|title\nada|Countess\n"),
        (0, "name;title;\nada;Countess\n"),
        (2, "\n\nname,title\nada,Countess\n"),
        (2, "Staff list\n\nname,title\nada,Countess\n"),
        (1, "# exported on 2026-11-29, by HR\nname;title\nada;Countess\n"),
        (1, "\"Report,\nweekly\";;\nname;title\nada;Countess\n"),
        (1, "name,title\n----,-----\nada,Countess\n"),
        (1, "name,title\n----,-----\nada,Countess\n\n(1 rows affected)\n"),
        (1, " name | title\n------+-------\n ada  | Countess\n(1 row)\n"),
        (1, "| name | title |\n|------|:-----:|\n| ada | Countess |\n"),
        (1, " name | title\n------+-------\n ada  | Countess\n"),
        (0, "x,\"name\",title\n,ada, \"Countess\"\n"),
        (0, "name,title\nada  ,  Countess\n\u{1a}"),
        (0, "name,title\nada,Countess\n\0\0\0\0"),
        (0, "other,name,title\r\"a\nb\",ada,Countess\r"),
        (0, "name,title\r\r\nada,Countess\r\r\n"),
    ] {
        assert_eq!(read_csv(text), [good(2 + above, "ada", "Countess")], "{text:?}");
    }
    let fields =
        json!({"key": "row[\"Pers.Nr.\"]", "mappings": [{"target": "userName", "value": "row[\"E-Mail Adresse\"]"}]});
    let sheet =
        "Mitarbeiter, Stand 29.11.2026;;\nPers.Nr.;Name;\"E-Mail\nAdresse\"\n017;Lovelace, Ada;ada@example.com\n";
    assert_eq!(outcomes(fields, vec![csv("a.csv", sheet)]), [good(3, "ada@example.com", "")]);
    // What may be a row is not taken for a title.
    for text in ["grace,x\nname,title\nada,y\n", "grace@example.com\nname,title\nada,y\n"] {
        assert!(
            refused(super::spreadsheets::fields(), vec![csv("a.csv", text)]).contains("no column name"),
            "{text:?}"
        );
    }
}

#[test]
fn i08_nobody_is_made_of_a_header_a_rule_or_a_total() {
    for text in [
        "name,title\nada,x\nname,title\nbob,y\n",
        "name,title\nada,x\n\u{feff}\"name\",\"title\"\n\"bob\",\"y\"\n",
        "name,title\nada,x\u{feff}name,title\nbob,y\n",
        "name,title\nada,x\ntitle,NAME\ny,bob\n",
        "name,title\nada,x\nid,name,title,mail\n7,bob,y,b@example.com\n",
    ] {
        assert_eq!(read_csv(text), [good(2, "ada", "x"), good(4, "bob", "y")], "{text:?}");
    }
    let mail = json!({"mappings": [{"target": "userName", "value": "row.mail"}]});
    for text in
        ["mail\nada@example.com\nmail\nbob@example.com\n", "mail\nada@example.com\u{feff}mail\nbob@example.com\n"]
    {
        let read = outcomes(mail.clone(), vec![csv("a.csv", text)]);
        assert_eq!(read, [good(2, "ada@example.com", ""), good(4, "bob@example.com", "")], "{text:?}");
    }
    // Somebody works as what a column is called.
    let manager = "userPrincipalName,accountEnabled,jobTitle,department,displayName\n\
        ada@example.com,True,Manager,Mobile,Ada\nbob@example.com,True,Department,Manager,\n";
    let read = outcomes(json!({"preset": "EntraGeneric"}), vec![csv("a.csv", manager)]);
    assert_eq!(read, [good(2, "ada@example.com", "Manager"), good(3, "bob@example.com", "Department")]);

    let total = "name,team,mail,title\nada,R,ada@example.com,x\nbob,R,b@example.com,y\neve,R,+49,z\n\nTotal:,3,,\n";
    let read = read_csv(total);
    assert!(read[3].0 == 6 && read[3].1.as_ref().is_err_and(|why| why.contains("if it is a total")), "{read:?}");
    assert_eq!(read.iter().filter(|(_, outcome)| outcome.is_ok()).count(), 3);
    // Where others have as little it is one of them.
    assert!(read_csv("name,team,mail,title\nada,,,\nbob,R,,y\neve,,,\n").iter().all(|(_, outcome)| outcome.is_ok()));
}

#[test]
fn i08_what_stands_for_nothing_is_nobodys_name() {
    for name in ["NULL", "(null)", "n/a", "None", "NaN", "<NA>", "-", "—"] {
        let read = read_csv(&format!("name,title\n{name},x\nada,y\n"));
        assert!(read[0].1.as_ref().is_err_and(|why| why.contains("column name") && why.contains("stands for nothing")));
        assert_eq!(read[1], good(3, "ada", "y"));
    }
    assert_eq!(read_csv("name\ttitle\nada\t\\N\n"), [good(2, "ada", "")]);
}

#[test]
fn i29_what_stands_for_nothing_is_no_value() {
    for nothing in ["NULL", "(null)", "N/A", "n/a", "NaN", "nan", "<NA>"] {
        assert_eq!(read_csv(&format!("name,title\nada,{nothing}\n")), [good(2, "ada", "")]);
    }
    // The name of a family.
    assert_eq!(read_csv("name,title\nada,Null\n"), [good(2, "ada", "Null")]);
    for type_ in ["System.String[]", "Microsoft.ActiveDirectory.Management.ADPropertyValueCollection"] {
        let read = read_csv(&format!("name,title\nada,{type_}\nbob,y\n"));
        assert!(read[0].1.as_ref().is_err_and(|why| why.contains("column title") && why.contains("-join")), "{read:?}");
        assert_eq!(read[1], good(3, "bob", "y"));
    }
}

/// The status columns of personnel systems.
#[test]
fn i29_a_status_in_words_is_read_or_told_how_to() {
    let fields = json!({"mappings": [
        {"target": "userName", "value": "row.name"}, {"target": "active", "value": "row.status"},
        {"target": "access.notAfter", "value": "row.left"},
    ]});
    let text = "name,status,left\na,Active,\nb,Inactive,31-Jan-2026\nc,Terminated,0000-00-00\nd,aktiv,Jan 31 2026\n\
                e,On leave,\nf,,\ng,NULL,\nh,Active,01/02/2026\ni,true,1 February 2026\n";
    let (specs, rejected) = generated(&spec(fields), vec![csv("a", text)]);
    let said: Vec<_> = specs
        .iter()
        .map(|spec| (spec["userName"].clone(), spec["active"].clone(), spec["access"]["notAfter"].clone()))
        .collect();
    let (january, february) = (json!("2026-01-31T00:00:00Z"), json!("2026-02-01T00:00:00Z"));
    let expected = [
        ("a", json!(true), Value::Null),
        ("b", json!(false), january.clone()),
        ("c", json!(false), Value::Null),
        ("d", json!(true), january),
        ("i", json!(true), february),
    ];
    assert_eq!(said, expected.map(|(name, active, left)| (json!(name), active, left)));
    assert!(
        rejected[0].starts_with("6: active: column status: ") && rejected[0].contains("row.status == \"Active\""),
        "{rejected:?}"
    );
    assert!(rejected[1].starts_with("7: active") && rejected[1].contains("the value is empty"), "{rejected:?}");
    assert!(rejected[2].starts_with("8: active"), "{rejected:?}");
    assert!(rejected[3].contains("told apart") && rejected[3].contains("mid(row.x, 6, 4)"), "{rejected:?}");
}

#[test]
fn i29_line_ends_that_are_mixed_lose_nobody() {
    let all = [good(2, "ada", "a"), good(3, "bob", "b"), good(4, "cy", "c")];
    assert_eq!(read_csv("name,title\r\nada,a\rbob,b\r\ncy,c\n"), all);
    assert_eq!(read_csv("name,title\nada,a\r\r\nbob,b\rcy,c"), all);
    // One within a value is no end.
    let read = read_csv("name,title\nada,Count\ress\nbob,b\ncy,c\n");
    assert!(read[0].1.is_err() && read[1..] == [good(3, "bob", "b"), good(4, "cy", "c")], "{read:?}");
}

#[test]
fn i29_a_letter_that_no_text_has_is_named() {
    for (letter, number) in [('\0', "U+0000"), ('\u{b}', "U+000B"), ('\u{1b}', "U+001B"), ('\u{9f}', "U+009F")] {
        let read = read_csv(&format!("name,title\nada,Count{letter}ess\nbob,é\n"));
        let expected = format!("column title: it has {number}");
        assert!(read[0].1.as_ref().is_err_and(|why| why.contains(&expected)), "{read:?}");
        assert_eq!(read[1], good(3, "bob", "é"));
    }
    let hidden = "name,title\n\u{61c}a\u{34f}da\u{fe0f},\u{2066}Coun\u{ad}tess\u{2069}\u{3000}\n";
    assert_eq!(read_csv(hidden), [good(2, "ada", "Countess")]);
    let read = read_csv("name,title\nada\u{3000}l,x\n");
    assert!(read[0].1.as_ref().is_err_and(|why| why.contains("U+3000")), "the API server refuses it: {read:?}");
}

#[test]
fn i08_letters_of_an_unknown_encoding_are_nobodys_name() {
    let polish = b"name;title\nl;G\xb3\xf3wny ksi\xeagowy \xa3ukasz\nbob;x\n".to_vec();
    let russian =
        b"name;title\nivan;\xc3\xeb\xe0\xe2\xed\xfb\xe9 \xe1\xf3\xf5\xe3\xe0\xeb\xf2\xe5\xf0\nbob;x\n".to_vec();
    let mac = b"name;title\nzoe;Gr\x8afin J\x9frgen\nbob;x\n".to_vec();
    let dos = b"name;title\nzoe;Ren\x82\nbob;x\n".to_vec();
    let japanese = b"name;title\nzoe;\x95\x94\x92\xb7\x93c\x92\x86\x91\xbe\x98Y\nbob;x\n".to_vec();
    for bytes in [polish, russian, mac, dos, japanese] {
        let read = read_bytes(bytes.clone());
        let expected = "column title: a letter is damaged (U+FFFD): save the file as UTF-8";
        assert!(read[0].1.as_ref().is_err_and(|why| why == expected), "{read:?}");
        assert_eq!(read[1], good(3, "bob", "x"), "{bytes:?}");
    }
    // A header of such letters.
    let header = json!({"mappings": [{"target": "userName", "value": "row[\"Почта\"]"}]});
    let content = Content::Text(SourceFormat::Auto, b"\xcf\xee\xf7\xf2\xe0;\xc8\xec\xff\nivan;x\n".to_vec());
    let told = refused(header, vec![Document { name: "a.csv".to_owned(), content }]);
    assert!(told.contains("save the file as UTF-8"), "{told}");
    // An old Mac is known by its line ends.
    assert_eq!(read_bytes(b"name;title\rzoe;Gr\x8afin J\x9frgen\r".to_vec()), [good(2, "zoe", "Gräfin Jürgen")]);
    let utf16: Vec<u8> = "name;title\nиван;Инженер\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(read_bytes(utf16), [good(2, "иван", "Инженер")]);
    // Read wrongly once, and saved so.
    assert!(read_csv("name,title\nzoe,GrÃ¤fin\n")[0].1.as_ref().is_err_and(|why| why.contains("wrong encoding")));
}

/// An export in ASCII writes a question mark for each letter that it doesn't have.
#[test]
fn i08_a_question_mark_where_a_letter_was_is_nobodys_name() {
    let mail =
        json!({"mappings": [{"target": "userName", "value": "row.mail"}, {"target": "title", "value": "row.name"}]});
    let read = |text: &str| outcomes(mail.clone(), vec![csv("a.csv", text)]);
    for name in ["j?rg@example.com", "zo?@example.com", "a?@example.com", "jorg?"] {
        let read = read(&format!("mail,name\n{name},x\nbob@example.com,y\n"));
        assert!(read[0].1.as_ref().is_err_and(|why| why.contains("save the file as UTF-8")), "{name}: {read:?}");
        assert_eq!(read[1], good(3, "bob@example.com", "y"));
    }
    // At the end of a word other letters tell: of the row, also where nothing reads them, or of the file.
    for (text, lost) in [
        ("mail,name,city\na@x,Andr?,M?nchen\nb@x,y,z\n", true),
        ("mail,name,city\na@x,Andr?,z\nb@x,J?rg,z\n", true),
        ("mail,name,city\na@x,Andr? Martin,z\nb@x,y,K?ln\n", true),
        ("mail,name,given\na@x,Andr? Martin,Andr?\nb@x,y,z\n", true),
        ("mail,name,city\na@x,Contractor?,z\nb@x,y,z\n", false),
        ("mail,name,city\na@x,Contractor?,z\nb@x,Jörg,Köln\nc@x,K?,K?ln\n", false),
        ("mail,name,city\na@x,Contractor?,Sales?\nb@x,Jörg,Köln\n", false),
    ] {
        assert_eq!(read(text)[0].1.is_err(), lost, "{text}: {:?}", read(text));
    }
    let objects = r#"[{"mail": "a@x", "name": "Andr?", "city": "M?nchen"}, {"mail": "b@x", "name": "y"}]"#;
    let json = outcomes(mail.clone(), vec![csv("a.json", objects)]);
    assert!(json[0].1.is_err() && json[1] == good(2, "b@x", "y"), "{json:?}");
}

#[test]
fn i08_what_stands_around_an_address_is_nobodys_name() {
    for (name, expected) in [
        ("mailto:ada@example.com", "write one address alone"),
        ("Ada <ada@example.com>", "write one address alone"),
        ("ada@example.com;", "write one address alone"),
        ("\"ada@example.com, bob@example.com\"", "write one address alone"),
        ("ada%40example.com", "write @"),
        ("${USER}@example.com", "nothing has filled in"),
        ("{{ .Values.ada }}", "nothing has filled in"),
        ("ada\u{ff20}example.com", "U+FF20"),
        ("\u{ff41}da@example.com", "U+FF41"),
        ("i:0#.f|membership|ada@example.com", "a claim of SharePoint"),
        ("SMTP:ada@example.com", "write the address alone"),
        ("sip:ada@example.com", "write the address alone"),
        ("x500:/o=Example/cn=ada", "write the address alone"),
        ("ada&#64;example.com", "has &#64;"),
        ("o&#39;brien@example.com", "has &#39;"),
        ("ada@example.com_x000D_", "has _x000D_"),
        ("“ada@example.com”", "write one address alone"),
        ("\"\"\"ada@example.com\"\"\"", "write one address alone"),
        ("(ada@example.com)", "write one address alone"),
        ("ada@example.com)", "write one address alone"),
        ("[ada@example.com]", "write one address alone"),
        ("Ada Lovelace ada@example.com", "write one address alone"),
        ("ada@example.com (extern)", "write one address alone"),
        ("Example: chris@contoso.com", "write one address alone"),
        ("ada@ example.com", "write one address alone"),
        ("[object Object]", "expand the column"),
        ("[List]", "expand the column"),
        ("12;#ada@example.com", "a lookup of SharePoint"),
    ] {
        let read = read_csv(&format!("name,title\n{name},x\nbob,y\n"));
        assert!(read[0].1.as_ref().is_err_and(|why| why.contains("column name") && why.contains(expected)), "{read:?}");
        assert_eq!(read[1], good(3, "bob", "y"));
    }
}

#[test]
fn i29_what_is_no_table_is_told_by_its_name() {
    for (bytes, why) in [
        (b"\x1f\x8b\x08\0".as_slice(), "unpack it"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"<table><tr><th>name</th></tr><tr><td>ada@example.com</td></tr></table>", "save it as CSV UTF-8"),
        (b"<?xml version=\"1.0\"?><users/>", "it is XML"),
        (b"version: 1\n\ndn: CN=Ada,DC=example\nmail: ada@example.com\n", "Export-Csv"),
    ] {
        let document =
            Document { name: "a.csv".to_owned(), content: Content::Text(SourceFormat::Auto, bytes.to_vec()) };
        let told = refused(fields(), vec![document]);
        assert!(told.contains("a.csv") && told.contains(why), "{told}");
    }
    let told = refused(
        json!({"preset": "EntraGeneric"}),
        vec![csv("a.csv", "ada@example.com,Ada Lovelace\nb@example.com,B\n")],
    );
    assert!(told.contains("is the header missing?") && !told.contains("Lovelace"), "{told}");
}

/// How a manifest loses the line ends of a table.
#[test]
fn i29_a_table_that_a_manifest_put_into_one_line_is_told_by_how_it_did() {
    for (text, why) in [
        ("name,title ada@example.com,x bob@example.com,y\n", "below `users.csv: |`"),
        ("name,title\\nada,x\\nbob,y\\n", "where lines end"),
        ("bmFtZSx0aXRsZQphZGFAZXhhbXBsZS5jb20seAo9PT09PT09", "encoded once"),
    ] {
        let told = refused(fields(), vec![csv("people/users.csv", text)]);
        assert!(told.starts_with("people/users.csv: ") && told.contains(why), "{told}");
    }
    assert!(refused(fields(), vec![csv("people/users.csv", "name,title\n")]).contains("has no rows"));
}

#[test]
fn i10_a_part_without_its_header_or_a_column_takes_nobody_along() {
    let parts = |second: &str| vec![csv("p/1.csv", "name,title,team\nada,x,R\n"), csv("p/2.csv", second)];
    let told = refused(fields(), parts("bob,y,R\ncy,z,R\n"));
    assert!(told.starts_with("p/2.csv: its first row has none of the columns"), "{told}");
    let mut scoped = fields();
    scoped["scope"] = json!("row.team == \"R\"");
    let read = outcomes(scoped, parts("name,title\nbob,y\n"));
    assert_eq!(read[0], good(2, "ada", "x"));
    let expected = "the header above it has no column team, which scope reads and other parts have";
    assert_eq!(read[1].1, Err(expected.to_owned()));
    // What is merely said of somebody may be said of some.
    assert_eq!(outcomes(fields(), parts("name\nbob\n"))[1], good(2, "bob", ""));
}

#[test]
fn i10_whose_key_was_spoiled_may_be_anybody() {
    let by_id = spec(json!({"key": "row.id", "mappings": [
        {"target": "userName", "value": "row.name"}, {"target": "externalId", "value": "row.id"},
    ]}));
    let (users, _) = super::changes::then(&by_id, "id,name\n123456789012,ada\n2,grace\n", Vec::new());
    for id in ["1.23457E+11", "1.23457e+11", "1.23457E11", "=A1", "#REF!", "\u{fffd}"] {
        let (after, looked) =
            super::changes::then(&by_id, &format!("id,name\n{id},countess\n2,grace\n"), users.clone());
        assert_eq!((looked.gone.len(), looked.unidentified, after.len()), (0, 1, 2), "{id}: {looked:?}");
    }
}

#[test]
fn i10_zeros_that_a_spreadsheet_took_make_nobody_leave() {
    for key in [None, Some("row.id")] {
        let mut fields = json!({"mappings": [
            {"target": "userName", "value": "row.name"}, {"target": "externalId", "value": "row.id"},
        ]});
        if let Some(key) = key {
            fields["key"] = json!(key);
        }
        let (users, _) = super::changes::then(&spec(fields.clone()), "id,name\n00017,ada\n00018,grace\n", Vec::new());
        for rows in ["17,ada\n18,grace\n", "17.0,ada\n18.0,grace\n"] {
            let (after, looked) =
                super::changes::then(&spec(fields.clone()), &format!("id,name\n{rows}"), users.clone());
            assert_eq!((looked.gone.len(), looked.rejected.len(), &after), (0, 2, &users), "{key:?}: {looked:?}");
            assert!(looked.rejected[0].reason.contains("as a spreadsheet rewrites numbers"), "{looked:?}");
        }
        // Another number is another person.
        let (_, looked) = super::changes::then(&spec(fields), "id,name\n27,ada\n00018,grace\n", users);
        assert_eq!((looked.gone.len(), looked.rejected.len()), (usize::from(key.is_some()), 0), "{looked:?}");
    }
}
