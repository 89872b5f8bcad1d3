use super::*;
use proptest::prelude::*;

fn answer(status: u16, body: &[u8], headers: &[(&'static str, &str)]) -> Answer {
    let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    let (what, body) = ("GET /Users".into(), body.to_vec());
    Answer {
        what,
        status,
        headers,
        body,
        secrets: Arc::default(),
        ids: None,
        creates: true,
        conditional: false,
        sent: Vec::new(),
    }
}

proptest! {
    #[test]
    fn i25_no_answer_makes_it_panic(status in 100_u16..600, body in proptest::collection::vec(any::<u8>(), 0..200), retry in "[ -~]{0,40}") {
        let answer = answer(status, &body, &[("retry-after", &retry)]);
        if let Err(error) = answer.body() {
            prop_assert!(error.to_string().len() < 2000);
            prop_assert!(error.retry_after().is_none_or(|wait| wait <= LONGEST_WAIT));
        }
    }
}

#[test]
fn i25_a_reason_is_one_line_without_markup() {
    assert_eq!(answer(400, b"<html>secret</html>", &[]).body().err().unwrap().detail(), None);
    let datadog = answer(400, br#"{"errors":["bad\u0007 thing"]}"#, &[]).body().err().unwrap();
    assert_eq!(datadog.detail(), Some("bad thing"));
    let lines = answer(409, b"\xef\xbb\xbf{\"message\":\"in use:\\r\\n  \\u202eby eve\"}", &[]).body().err().unwrap();
    assert_eq!(lines.detail(), Some("in use: by eve"));
    let long = answer(500, &[b'a'; 3000], &[("content-type", "text/plain")]).body().err().unwrap();
    assert_eq!(long.detail().map(str::len), Some(DETAIL_LIMIT));
}

#[test]
fn i21_a_permission_is_named_only_where_it_is_certain_that_it_lacks() {
    let told = |body: &str, headers: &[(&'static str, &str)]| {
        answer(403, body.as_bytes(), headers).body().err().unwrap().to_string()
    };
    let scope = [("www-authenticate", "Bearer error=\"insufficient_scope\", scope=\"scim\"")];
    assert!(told("", &scope).contains("the key lacks a permission"));
    assert!(told("", &[]).contains("may lack a permission"));
    let seats = told(r#"{"message":"no seats left"}"#, &[]);
    assert!(seats.contains("no seats left") && !seats.contains("permission"), "{seats}");
}

#[test]
fn a_location_names_the_id_whatever_its_form() {
    let id = |location: &str| answer(201, b"", &[("location", location)]).location_id();
    for location in ["https://other.example/scim/v2/Users/a%20b", "/scim/v2/Users/a%20b/", "Users/a%20b?x=1", "a%20b"] {
        assert_eq!(id(location).as_deref(), Some("a b"), "{location}");
    }
    assert_eq!(id("/"), None);
}

#[test]
fn i23_a_server_that_repeats_the_key_is_not_quoted() {
    let mut answer = answer(
        401,
        br#"{"detail":"no such token: 01234567\u000089abcdef"}"#,
        &[("x-request-id", "0123456789abcdef-7")],
    );
    answer.secrets = [SecretString::from("0123456789abcdef")].into();
    let error = answer.body().err().unwrap();
    assert_eq!(error.detail(), Some("no such token: …"));
    assert_eq!(error.request_id(), Some("…-7"));
}

/// GitHub's secondary limit, and what others answer.
#[test]
fn i21_a_403_that_is_a_rate_limit_is_what_a_429_is() {
    let class = |headers: &[(&'static str, &str)], body: &str| {
        answer(403, body.as_bytes(), headers).body().err().unwrap().class()
    };
    let soon = (Timestamp::now().as_second() + 90).to_string();
    for headers in [
        vec![("retry-after", "60")],
        vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &*soon)],
        vec![("X-Rate-Limit-Remaining", "0")],
    ] {
        assert_eq!(class(&headers, "{}"), Class::Throttled, "{headers:?}");
    }
    for body in [
        r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes","documentation_url":"…"}"#,
        r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"detail":"API rate limit exceeded for user"}"#,
        r#"{"error":{"code":"rate_limit_exceeded"}}"#,
        "<html><h1>Too Many Requests</h1></html>",
    ] {
        assert_eq!(class(&[], body), Class::Throttled, "{body}");
    }
    for body in ["", r#"{"detail":"You may not create users. Rate limits are set by your plan."}"#] {
        assert_eq!(class(&[("x-ratelimit-remaining", "17")], body), Class::Forbidden, "{body}");
    }
}

proptest! {
    /// Headers and words make a 403 another thing, and nothing else.
    #[test]
    fn i21_the_class_follows_from_the_status_but_for_a_403(
        status in prop_oneof![Just(403_u16), 300_u16..600], remaining in 0..3_u8, words in any::<bool>(), retry in any::<bool>(),
    ) {
        let remaining = remaining.to_string();
        let mut headers = vec![("x-ratelimit-remaining", remaining.as_str())];
        headers.extend(retry.then_some(("retry-after", "5")));
        let body: &[u8] = if words { b"rate limit exceeded" } else { b"no" };
        let class = answer(status, body, &headers).body().err().map(|error| error.class());
        let limited = status == 403 && (retry || words || remaining == "0");
        // Nothing had to match.
        let other = if status == 412 { Class::Rejected } else { class_of(status) };
        prop_assert_eq!(class, Some(if limited { Class::Throttled } else { other }));
    }
}

#[test]
fn i19_the_server_says_how_long() {
    let wait = |headers: &[(&'static str, &str)]| answer(429, b"", headers).wait();
    assert_eq!(wait(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
    assert_eq!(wait(&[("retry-after", "999999")]), Some(LONGEST_WAIT));
    assert_eq!(wait(&[("x-ratelimit-reset", "3")]), Some(Duration::from_secs(3)));
    let soon = (Timestamp::now().as_second() + 90).to_string();
    assert!(wait(&[("x-ratelimit-reset", &soon)]).is_some_and(|wait| (60..=90).contains(&wait.as_secs())));
    assert!(wait(&[("retry-after", "Fri, 31 Dec 2100 23:59:59 GMT")]).is_some());
}
