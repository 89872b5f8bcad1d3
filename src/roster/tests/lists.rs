//! JSON and YAML as portals and scripts write them.

use super::spreadsheets::{fields, good, outcomes};
use super::*;

#[test]
fn i29_one_object_a_line_is_a_row_each() {
    let both = [good(1, "ada", "x"), good(2, "bob", "")];
    let ada = r#"{"name": "ada", "title": "x"}"#;
    for (name, text) in [
        ("a.jsonl", format!("{ada}\n{{\"name\": \"bob\"}}\n")),
        ("a.ndjson", format!("\u{feff}{ada}\r\n\r\n{{\"name\": \"bob\"}}")),
        ("a", format!("{ada}\n{{\"name\": \"bob\"}}\n")),
        ("a.json", format!("{ada} {{\"name\": \"bob\"}}")),
        ("a.json", "{\n  \"name\": \"ada\",\n  \"title\": \"x\"\n}\n{\n  \"name\": \"bob\"\n}\n".to_owned()),
        ("a.csv", format!("[{ada}, {{\"name\": \"bob\"}}]")),
    ] {
        assert_eq!(outcomes(fields(), vec![csv(name, &text)]), both, "{text}");
    }
    assert_eq!(outcomes(fields(), vec![csv("a.jsonl", ada)]), both[..1]);
    // A line that was cut off is that line's, and so is one of something else.
    for (line, why) in [("{\"name\": \"ev", "is it cut off?"), ("{\"count\": 2}", "none of the columns")] {
        let read = outcomes(fields(), vec![csv("a.jsonl", &format!("{ada}\n{line}\n{{\"name\": \"cy\"}}\n"))]);
        assert!(read[1].1.as_ref().is_err_and(|reason| reason.contains(why)), "{read:?}");
        assert_eq!(read[2], good(3, "cy", ""));
    }
    let okta = "{\"id\": \"1\", \"status\": \"ACTIVE\", \"profile\": {\"login\": \"ada@example.com\"}}\n";
    assert_eq!(outcomes(json!({"preset": "OktaGeneric"}), vec![csv("a.json", okta)]), [good(1, "ada@example.com", "")]);
}

#[test]
fn i11_what_is_no_list_of_rows_is_told_by_what_it_is() {
    let page = r#"{"value": [{"name": "ada"}], "@odata.nextLink": "x"}"#;
    for (text, why) in [
        (r#"{"error": {"code": "TooManyRequests"}}"#.to_owned(), "an error that a server answered"),
        (format!("{page}{{\"error\": {{\"code\": \"TooManyRequests\"}}}}"), "an error that a server answered"),
        (format!("{page}\n{{\"value\": [{{\"na"), "it is not JSON"),
        (
            r#"{"title": "Staff", "fields": [{"id": 1}], "employees": [{"name": "ada", "title": "x"}]}"#.to_owned(),
            "employees",
        ),
        (r#"{"count": 0}"#.to_owned(), "none of the columns"),
    ] {
        let told = preview(&spec(fields()), vec![csv("p/a.json", &text)]).expect_err(&text).message;
        assert!(told.contains("p/a.json") && told.contains(why), "{text}: {told}");
    }
}

/// Users and deleted users are two collections: the last page of the one says nothing about the other.
#[test]
fn i11_the_last_page_of_each_collection_must_be_there() {
    let page = |of: &str, name: &str, more: &str| {
        format!(
            r#"{{"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#{of}", "value": [{{"name": "{name}", "title": ""}}]{more}}}"#
        )
    };
    let next = r#", "@odata.nextLink": "x""#;
    let documents = |last: &str| {
        let users = page("users", "ada", next) + last;
        vec![csv("p/users.json", &users), csv("p/deleted.json", &page("directoryObjects", "eve", ""))]
    };
    let told = preview(&spec(fields()), documents("")).expect_err("a page is missing").message;
    assert!(told.contains("the last page is missing"), "{told}");
    assert_eq!(outcomes(fields(), documents(&page("users", "bob", ""))).len(), 3);
}

/// Whoever is on a page that isn't there is not gone.
#[test]
fn i11_each_answer_says_in_its_own_words_whether_another_page_follows() {
    let ada = r#"[{"name": "ada", "title": "x"}]"#;
    let read = |text: &str| preview(&spec(fields()), vec![csv("p/a.json", text)]).map(|read| read.rows.len());
    for (list, more, name) in [
        ("value", r#""odata.metadata": "x#Users", "odata.nextLink": "https://x""#, "odata.nextLink"),
        ("value", r#""@odata.nextLink": "https://x""#, "@odata.nextLink"),
        ("value", r#""nextLink": "https://x""#, "nextLink"),
        ("users", r#""nextPageToken": "x""#, "nextPageToken"),
        ("users", r#""next_page": "https://x", "count": 1"#, "next_page"),
        ("users", r#""limit": 1, "offset": 0, "more": true"#, "more"),
        (
            "users",
            r#""meta": {"has_more": true, "after_cursor": "x"}, "links": {"next": "https://x"}"#,
            "meta.has_more",
        ),
        ("users", r#""next": "x""#, "next"),
        ("users", r#""start": 0, "limit": 1, "length": 1, "total": 1200"#, "1200 should be (total)"),
        ("value", r#""@odata.count": 2"#, "2 should be (@odata.count)"),
        (
            "Resources",
            r#""schemas": ["urn:x"], "totalResults": 500, "startIndex": 1, "itemsPerPage": 1"#,
            "(totalResults)",
        ),
        ("data", r#""links": {"next": "https://x", "self": "https://x"}"#, "links.next"),
        (
            "data",
            r#""success": true, "metadata": {"total_elements": 3, "current_page": 0}"#,
            "(metadata.total_elements)",
        ),
    ] {
        let page = format!(r#"{{{more}, "{list}": {ada}}}"#);
        let told = read(&page).expect_err(&page).message;
        assert!(told.contains("missing") || told.contains("there are 1 rows"), "{page}: {told}");
        assert!(told.contains(name), "{page}: {told}");
    }
    let of_odata = format!(r#"{{"d": {{"results": {ada}, "__next": "https://x"}}}}"#);
    assert!(read(&of_odata).expect_err("a page is missing").message.contains("(__next)"));
    for (list, whole) in [
        // What PowerShell makes of a field that isn't there.
        ("value", r#""@odata.context": "x#users", "@odata.nextLink": null"#),
        ("value", r#""@odata.nextLink": """#),
        ("value", r#""Count": 1"#),
        ("value", r#""count": 7"#),
        ("value", r#""@odata.count": 1"#),
        ("users", r#""next_page": null, "previous_page": null, "count": 1"#),
        ("users", r#""limit": 1, "offset": 0, "more": false, "total": null"#),
        ("users", r#""meta": {"has_more": false}, "links": {"next": "https://x"}"#),
        ("users", r#""start": 0, "limit": 50, "total": 1"#),
        ("Resources", r#""totalResults": 1, "startIndex": 1, "itemsPerPage": 1"#),
        ("results", r#""next": null"#),
        ("data", r#""links": {"next": null}, "meta": {}"#),
    ] {
        let page = format!(r#"{{"{list}": {ada}, {whole}}}"#);
        assert_eq!(read(&page).map_err(|refused| refused.message), Ok(1), "{page}");
    }
    // All pages, one after the other, in a list, or each in a part of its own.
    let page = |at: usize| {
        format!(r#"{{"Resources": [{{"name": "n{at}", "title": ""}}], "totalResults": 2, "startIndex": {at}}}"#)
    };
    let parts = vec![csv("p/1.json", &page(1)), csv("p/2.json", &page(2))];
    assert_eq!(outcomes(fields(), parts), [good(1, "n1", ""), good(1, "n2", "")]);
    for all in [format!("{}\n{}", page(1), page(2)), format!("[{},{}]", page(1), page(2))] {
        assert_eq!(read(&all).map_err(|refused| refused.message), Ok(2), "{all}");
    }
}

/// Answers of `OData`'s second version, of SCIM and of JSON:API, as SAP and Personio have them.
#[test]
fn i29_the_lists_of_services_are_read_as_they_are() {
    let ada = r#"{"name": "ada", "title": "x", "__metadata": {"uri": "u"}}"#;
    for text in [
        format!(r#"{{"d": {{"results": [{ada}]}}}}"#),
        format!(r#"{{"d": [{ada}]}}"#),
        format!(r#"[{{"d": {{"results": [{ada}], "__next": "u"}}}}, {{"d": {{"results": [], "__count": "1"}}}}]"#),
        format!(r#"{{"Resources": [{ada}]}}"#),
        format!(r#"{{"data": [{ada}]}}"#),
        r#"{"data": [{"type": "employees", "id": "7", "attributes": {"name": "ada", "title": "x", "id": "8"}}]}"#
            .to_owned(),
    ] {
        assert_eq!(outcomes(fields(), vec![csv("a.json", &text)]), [good(1, "ada", "x")], "{text}");
    }
    // A row may have columns of these names, and a roster may read attributes where they are.
    let rows = r#"{"name": "ada", "title": "x", "data": [{"name": "bob"}], "results": [{}]}"#;
    assert_eq!(outcomes(fields(), vec![csv("a.jsonl", rows)]), [good(1, "ada", "x")]);
    let inner = json!({"mappings": [
        {"target": "userName", "value": "row.attributes.name"}, {"target": "title", "value": "row.data[0].title"},
    ]});
    let rows = r#"[{"type": "e", "id": "7", "attributes": {"name": "ada"}, "data": [{"title": "x"}]}]"#;
    assert_eq!(outcomes(inner, vec![csv("a.json", rows)]), [good(1, "ada", "x")]);
}

/// Who didn't change isn't in it, and isn't gone.
#[test]
fn i10_a_list_of_changes_is_not_taken_for_everybody() {
    for text in [
        r#"{"value": [{"name": "ada", "title": "x"}], "@odata.deltaLink": "https://x"}"#,
        r#"{"value": [{"name": "ada", "title": "x"}, {"id": "7", "@removed": {"reason": "changed"}}]}"#,
        r#"[{"name": "ada", "title": "x"}, {"id": "7", "@removed": {"reason": "deleted"}}]"#,
    ] {
        let told = preview(&spec(fields()), vec![csv("p/a.json", text)]).expect_err(text).message;
        assert!(told.contains("p/a.json: it lists what has changed"), "{told}");
    }
}

#[test]
fn i08_a_number_is_not_another_for_how_it_is_written() {
    let by_id = json!({"key": "row.id", "mappings": [{"target": "userName", "value": "row.name"}, {"target": "title", "value": "row.id"}]});
    let yaml = "- {id: 007, name: ada}\n- {id: 1_000, name: bob}\n- {id: 17, name: cy}\n";
    let read = outcomes(by_id.clone(), vec![csv("a.yaml", yaml)]);
    assert_eq!(read, [good(1, "ada", "007"), good(2, "bob", "1_000"), good(3, "cy", "17")]);
    // Neither Norway nor an initial is a truth, and a telephone number keeps its plus.
    for written in ["NO", "n", "Y", "on", "+442079460000", "1.10", "1e3", "0x1F", "12:30"] {
        let yaml = format!("- {{id: {written}, name: {written}}}\n- id: {written}b\n  name: cy\n");
        let read = outcomes(by_id.clone(), vec![csv("a.yaml", &yaml)]);
        assert_eq!(read[0], good(1, written, written), "{read:?}");
    }
    assert_eq!(outcomes(by_id.clone(), vec![csv("a.yaml", "- id: &a +44\n  name: *a\n")]), [good(1, "+44", "+44")]);
    // A truth where a text belongs isn't the word for it.
    let read = outcomes(by_id.clone(), vec![csv("a.yaml", "- {id: true, name: ada}\n")]);
    assert!(read[0].1.as_ref().is_err_and(|why| why.contains("quotation marks")), "{read:?}");
    let long = r#"[{"id": 123456789012345678901, "name": "ada"}, {"id": 9007199254740993, "name": "bob"}]"#;
    let read = outcomes(by_id, vec![csv("a.json", long)]);
    assert!(read[0].1.as_ref().is_err_and(|why| why.contains("column id: the number is too long")), "{read:?}");
    assert_eq!(read[1], good(2, "bob", "9007199254740993"));
}

#[test]
fn i29_a_column_in_two_spellings_says_one_thing() {
    let rows =
        r#"[{"name": "ada", "Name": "bob", "title": ""}, {"name": "cy", "NAME": "cy"}, {"name": "", "Name": "di"}]"#;
    let read = outcomes(fields(), vec![csv("a.json", rows)]);
    assert!(read[0].1.as_ref().is_err_and(|why| why.contains("is there twice")), "{read:?}");
    assert_eq!(read[1..], [good(2, "cy", ""), good(3, "di", "")]);
}
