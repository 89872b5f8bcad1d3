//! Ends of access as systems write them, and what they write where there is none.

use super::*;

/// `access.notBefore` or `access.notAfter` as a row of this date has it.
fn of(target: &str, cell: &str) -> Result<Value, String> {
    let fields = json!({"mappings": [
        {"target": "userName", "value": "row.name"}, {"target": format!("access.{target}"), "value": "row.date"},
    ]});
    let (mut specs, mut rejected) = generated(&spec(fields), vec![csv("a.csv", &format!("name;date\nada;{cell}\n"))]);
    match specs.pop() {
        Some(spec) => Ok(spec["access"][target].clone()),
        None => Err(rejected.remove(0)),
    }
}

#[test]
fn i10_an_end_that_is_none_ends_nobodys_access() {
    for cell in [
        // The last days of SAP, .NET, Oracle, Excel and Active Directory.
        "9999-12-31",
        "31.12.9999",
        "12/31/9999",
        "31/12/9999",
        "99991231",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59.9999999",
        "12/31/9999 11:59:59 PM",
        "9999-12-30T23:00:00Z",
        "9998-12-31",
        "31-DEC-4712",
        "2999-12-31",
        "2200-01-01",
        "2958465",
        "9223372036854775807",
        "never",
        // The first ones of Unix, SQL Server, OLE, Business Central, FILETIME and .NET.
        "1970-01-01",
        "1970-01-01T00:00:00Z",
        "1900-01-01",
        "01.01.1900",
        "1/1/1900 12:00:00 AM",
        "1899-12-30",
        "1753-01-01",
        "01.01.1753",
        "1601-01-01",
        "0001-01-01",
        "0001-01-01T00:00:00",
        "1/1/0001 12:00:00 AM",
        // The same, as another time zone has them.
        "1970-01-01 01:00:00",
        "1970-01-01T01:00:00",
        "1969-12-31 19:00:00",
        "1969-12-31T16:00:00Z",
        "1970-01-01T00:00:00-08:00",
        "01.01.1970 01:00:00",
        "12/31/1969 7:00:00 PM",
        "1899-12-31T23:00:00Z",
        "1899-12-29T23:06:32Z",
        "0001-01-01T00:00:00+01:00",
        // Zeros.
        "0000-00-00",
        "0000-00-00 00:00:00",
        "00.00.0000",
        "00/00/0000",
        "00000000",
        "0",
        "1900-01-00",
        "1/0/1900",
        "00.01.1900",
    ] {
        assert_eq!(of("notAfter", cell), Ok(Value::Null), "{cell}");
    }
    for (cell, expected) in [
        ("2026-11-30", "2026-11-30T00:00:00Z"),
        ("30.11.2026", "2026-11-30T00:00:00Z"),
        ("1992-06-30", "1992-06-30T00:00:00Z"),
        ("2199-12-31", "2199-12-31T00:00:00Z"),
    ] {
        assert_eq!(of("notAfter", cell), Ok(json!(expected)), "{cell}");
    }
}

/// An end that can't be read lets its leaver stay until somebody looks.
#[test]
fn i17_an_end_is_read_in_the_forms_that_systems_write() {
    let october = "2026-10-31T00:00:00Z";
    for (cell, expected) in [
        // OData's second version and Windows PowerShell, Keycloak and Okta, Active Directory, LDAP, SAP.
        ("/Date(1793404800000)/", october),
        ("/Date(1793404800000+0100)/", october),
        ("1793404800000", october),
        ("134378784000000000", october),
        ("20261031000000Z", october),
        ("20261031180000.0Z", "2026-10-31T18:00:00Z"),
        ("20261031180000", "2026-10-31T18:00:00Z"),
        // The end of a day.
        ("2026-10-30T24:00:00Z", october),
        ("2026-10-30T24:00:00", october),
        ("2026-10-30 24:00", october),
        ("2026-10-31T24:00:00+01:00", "2026-10-31T23:00:00Z"),
        ("30.10.2026 24:00", october),
        ("30.10.2026 24:00:00", october),
        // Export-Csv in one country and another.
        ("31.10.2026 18:00:00", "2026-10-31T18:00:00Z"),
        ("31/10/2026 01:00:00", "2026-10-31T01:00:00Z"),
        ("31/10/2026 12:00:00 am", october),
        ("31/10/2026 12:00:00 a. m.", october),
        ("31/10/2026 6:30:00 p.\u{a0}m.", "2026-10-31T18:30:00Z"),
        ("10/31/2026 12:00:00\u{202f}PM", "2026-10-31T12:00:00Z"),
        ("31.10.2026 0.00.00", october),
        ("31.10.2026 18.30", "2026-10-31T18:30:00Z"),
        ("31. 10. 2026", october),
        ("31. 10. 2026 18:00", "2026-10-31T18:00:00Z"),
        ("2026. 10. 31.", october),
        ("2026. 10. 31. 18:00:00", "2026-10-31T18:00:00Z"),
        ("31-OCT-26 06.00.00.000000 PM", "2026-10-31T18:00:00Z"),
        ("Oct 31, 2026 12:00:00 AM", october),
    ] {
        assert_eq!(of("notAfter", cell), Ok(json!(expected)), "{cell}");
    }
    for none in
        ["/Date(253402214400000)/", "/Date(-62135596800000)/", "/Date(0)/", "2650467743999999999", "99991231235959Z"]
    {
        assert_eq!(of("notAfter", none), Ok(Value::Null), "{none}");
    }
    // What isn't certain stays so.
    for cell in [
        "01/02/2026 18:00:00",
        "31.10.26 18:00",
        "31.10.2026 25:00",
        "31.10.2026 24:30",
        "31.10.2026 13:00 pm",
        "31.10.2026 soon",
        "31.13.2026 18:00",
        "2026-10-31T24:30:00Z",
        "20261331000000Z",
        "1793404800",
        "/Date(soon)/",
        "31.10.2026.1",
    ] {
        assert!(of("notAfter", cell).is_err(), "{cell}: {:?}", of("notAfter", cell));
    }
}

#[test]
fn i10_a_year_that_can_not_be_meant_rejects_this_row() {
    for cell in
        ["31/01/2569", "11.05.1447", "1447-05-11", "1930-12-31", "1926-11-30", "1970-01-21T10:53:45Z", "1980-01-06"]
    {
        assert!(of("notAfter", cell).is_err_and(|why| why.contains("its year can't be meant")), "{cell}");
    }
    for cell in ["1999-12-31", "1999-12-31T23:59:59Z", "1999-12-30T23:00:00Z"] {
        assert!(of("notAfter", cell).is_err_and(|why| why.contains("31.12.99")), "{cell}");
    }
    // Of Oracle's last day two digits of the year are left.
    for cell in ["31-DEC-12", "31-DEC-99"] {
        assert!(of("notAfter", cell).is_err_and(|why| why.contains("two digits")), "{cell}");
    }
}

/// A begin that is none lets in as before, and one that never comes lets nobody in.
#[test]
fn i10_a_begin_that_is_none_keeps_nobody_out() {
    for cell in ["0000-00-00", "1900-01-01", "01.01.0001", "0"] {
        assert_eq!(of("notBefore", cell), Ok(Value::Null), "{cell}");
    }
    assert_eq!(of("notBefore", "1985-04-01"), Ok(json!("1985-04-01T00:00:00Z")));
    for cell in ["9999-12-31", "2569-01-31", "1447-05-11"] {
        assert!(of("notBefore", cell).is_err_and(|why| why.contains("its year can't be meant")), "{cell}");
    }
}

/// The last day that there is has no instant in every time zone, and is a day all the same.
#[test]
fn a_scope_may_compare_with_the_last_day_that_there_is() {
    let fields =
        json!({"scope": "before(\"2026-11-30\", row.date)", "mappings": [{"target": "userName", "value": "row.name"}]});
    let text = "name;date\nada;31.12.9999\ngrace;9999-12-31\neve;2020-01-31\n";
    let (specs, rejected) = generated(&spec(fields), vec![csv("a.csv", text)]);
    assert_eq!((specs.len(), rejected.len()), (2, 0), "{rejected:?}");
}
