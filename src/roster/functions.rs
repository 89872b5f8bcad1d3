//! What expressions may call beside the standard library: the functions that users of Entra's and Okta's portals know.
//!
//! None gives back more than [`LONGEST_VALUE`] bytes, so that what an expression costs is bounded by its length.

use std::sync::Arc;

use cel::extractors::{Arguments, This};
use cel::{Context, DeclarationError, ExecutionError, Value};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::source::LONGEST_VALUE;

/// What reads a column where only yes or no makes sense.
pub const FLAG: &str = "flag";
/// The same for `active`; not for expressions of users.
pub const STATUS: &str = "status";

/// The names of [`add_to`], for a look at an expression before it is used.
pub const NAMES: [&str; 15] = [
    "coalesce",
    "lower",
    "upper",
    "trim",
    "replace",
    "split",
    "join",
    "normalize",
    "slug",
    "flag",
    "present",
    "switch",
    "before",
    "instant",
    "mid",
];

type Answer = Result<Value, ExecutionError>;
type Text = Arc<String>;

/// Adds every function.
pub fn add_to(context: &mut Context<'_, '_>) -> Result<(), DeclarationError> {
    context.add_function("coalesce", |Arguments(all): Arguments| {
        all.iter().find(|value| is_present(value)).cloned().unwrap_or(Value::Null)
    })?;
    context.add_function("present", |This(value): This<Value>| is_present(&value))?;
    context.add_function(FLAG, |This(value): This<Value>| flag(&value))?;
    context.add_function(STATUS, |This(value): This<Value>| is_active(&value))?;
    context.add_function("lower", |This(value): This<Value>| {
        text(&value, "lower").map(|text| string(text.to_lowercase()))
    })?;
    context.add_function("upper", |This(value): This<Value>| {
        text(&value, "upper").map(|text| string(text.to_uppercase()))
    })?;
    context.add_function("trim", |This(value): This<Value>| {
        text(&value, "trim").map(|text| string(text.trim().to_owned()))
    })?;
    context.add_function("normalize", |This(value): This<Value>| {
        text(&value, "normalize").map(|text| string(normalize(&text)))
    })?;
    context
        .add_function("slug", |This(value): This<Value>| text(&value, "slug").map(|text| string(slug(&text, 63))))?;
    context.add_function("instant", |This(value): This<Value>| {
        text(&value, "instant").and_then(|text| instant(&text).map(|at| string(at.to_string())))
    })?;
    context.add_function("replace", |This(value): This<Value>, from: Text, to: Text| replace(&value, &from, &to))?;
    context.add_function("split", |This(value): This<Value>, separator: Text| split(&value, &separator))?;
    context.add_function("join", |This(values): This<Value>, separator: Text| join(&values, &separator))?;
    context.add_function("mid", |This(value): This<Value>, from: i64, count: i64| mid(&value, from, count))?;
    context.add_function("before", |This(value): This<Value>, other: Value| {
        let (one, other) = (instant(&text(&value, "before")?)?, instant(&text(&other, "before")?)?);
        Ok::<Value, ExecutionError>(Value::Bool(one < other))
    })?;
    context.add_function("switch", |Arguments(all): Arguments| switch(&all))
}

/// Neither null nor an empty text.
pub fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty() && !NOTHING.contains(&text.trim()),
        _ => true,
    }
}

/// What databases, scripts and spreadsheets write where there is no value. `Null` is a family's name.
const NOTHING: [&str; 7] = ["NULL", "(null)", "<null>", "N/A", "n/a", "#N/A", "0000-00-00"];

/// What exports and spreadsheets write for true, in the languages that these have: as Excel does, and as people do.
const YES: &str = "true yes y t on 1 wahr ja j vrai oui vero sì verdadero sí si s verdadeiro sim waar sant sand sann \
    prawda tak pravda ano áno istina da igaz igen tosi kyllä tõene jah tiesa taip patiess jā adevărat cert certo \
    doğru evet αληθης αληθής ναι истина да істина так вярно benar ya đúng có 是 真 はい 예 참 כן نعم";
/// The same for false.
const NO: &str = "false no n f off 0 falsch nein faux non falso não nao onwaar nee falskt falsk usann nej nei fałsz nie \
    nepravda ne neistina laž hamis nem epätosi ei väär melas aplams nē fals nu yanlış yanliş hayır hayir ψευδης \
    ψευδής οχι όχι ложь нет хибність хибне ні невярно не salah tidak sai không 否 假 いいえ 아니요 아니오 거짓 לא لا";

/// What exports write for true and false.
pub fn flag(value: &Value) -> Answer {
    let known = match value {
        Value::Bool(known) => Some(*known),
        Value::Int(0) | Value::UInt(0) => Some(false),
        Value::Int(1) | Value::UInt(1) => Some(true),
        Value::String(text) => {
            let text = crate::scim::fold(text.trim());
            let is_one_of = |words: &str| words.split_whitespace().any(|word| word == text);
            is_one_of(YES).then_some(true).or_else(|| is_one_of(NO).then_some(false))
        }
        _ => None,
    };
    let is_empty = matches!(value, Value::Null) || matches!(value, Value::String(text) if text.trim().is_empty());
    let wrong = || {
        let what = if is_empty {
            "the value is empty, where true or false is needed"
        } else {
            "the value is neither true nor false: compare it, such as by row.status == \"Active\""
        };
        ExecutionError::function_error("flag", what)
    };
    known.map(Value::Bool).ok_or_else(wrong)
}

/// What a column of states says for `active`, beside [`flag`].
pub fn is_active(value: &Value) -> Answer {
    const ACTIVE: &str = "active enabled aktiv actif activo attivo ativo";
    const INACTIVE: &str =
        "inactive disabled deactivated suspended terminated inaktiv inactif inactivo inattivo inativo";
    if let Value::String(text) = value {
        let text = crate::scim::fold(text.trim());
        let is_one_of = |words: &str| words.split_whitespace().any(|word| word == text);
        if is_one_of(ACTIVE) {
            return Ok(Value::Bool(true));
        }
        if is_one_of(INACTIVE) {
            return Ok(Value::Bool(false));
        }
    }
    flag(value)
}

/// A text without diacritics: `Žofie Müller` is `Zofie Muller`.
pub fn normalize(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.nfd().filter(|letter| !is_combining_mark(*letter)) {
        // Letters that Unicode takes for letters of their own.
        match letter {
            'ß' => plain.push_str("ss"),
            'Æ' => plain.push_str("AE"),
            'æ' => plain.push_str("ae"),
            'Œ' => plain.push_str("OE"),
            'œ' => plain.push_str("oe"),
            'Ø' => plain.push('O'),
            'ø' => plain.push('o'),
            'Đ' | 'Ð' => plain.push('D'),
            'đ' | 'ð' => plain.push('d'),
            'Ł' => plain.push('L'),
            'ł' => plain.push('l'),
            'Þ' => plain.push_str("Th"),
            'þ' => plain.push_str("th"),
            'ı' => plain.push('i'),
            other => plain.push(other),
        }
    }
    plain
}

/// Lower-case letters, digits and single hyphens, at most so many: fit for names and labels.
pub fn slug(text: &str, longest: usize) -> String {
    let mut slug = String::new();
    for letter in normalize(text).to_lowercase().chars() {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(longest);
    slug.trim_end_matches('-').to_owned()
}

/// An instant: RFC 3339, or a date, which begins at midnight UTC.
pub fn instant(text: &str) -> Result<Timestamp, ExecutionError> {
    let text = text.trim();
    let of_date = || text.parse::<Date>().ok().map(|date| date.to_datetime(jiff::civil::Time::midnight()));
    let of_time = || text.parse::<DateTime>().ok();
    let parsed = text.parse::<Timestamp>().ok().or_else(|| {
        let civil = of_time().or_else(of_date)?;
        TimeZone::UTC.to_timestamp(civil).ok()
    });
    let error = |message: &str| ExecutionError::function_error("instant", message);
    if let Some(at) = parsed {
        return Ok(at);
    }
    // From 1954 on, and perhaps with the part of a day.
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    if whole.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(error(DAY_NUMBER));
    }
    let date = with_month_by_name(text).unwrap_or_else(|| regional(text));
    let civil = date.map_err(error)?.to_datetime(jiff::civil::Time::midnight());
    TimeZone::UTC.to_timestamp(civil).map_err(|_| error(NO_DATE))
}

const DAY_NUMBER: &str =
    "the value is a day's number, as spreadsheets count them: format the column as a date, 2026-01-31";
const NO_DATE: &str = "the value is no date: write 2026-01-31 or 2026-01-31T08:00:00Z";

const SHORT_YEAR: &str = "the year has two digits, and can't be told for certain: format the column as 2026-01-31";

const AMBIGUOUS: &str = "day and month can't be told apart: write 2026-01-31, or in the mapping, of 01/31/2026, join([mid(row.x, 6, 4), \
     mid(row.x, 0, 2), mid(row.x, 3, 2)], \"-\")";

/// `31-Jan-2026`, `31 January 2026` or `Jan 31, 2026`.
fn with_month_by_name(text: &str) -> Option<Result<Date, &'static str>> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let parts: Vec<&str> = text.split([' ', '-', '/', ',', '.']).filter(|part| !part.is_empty()).collect();
    let [a, b, year] = parts.as_slice() else { return None };
    let month = |text: &str| {
        let text = text.to_ascii_lowercase();
        let at = MONTHS.iter().position(|month| text.len() >= 3 && month.starts_with(&text));
        at.and_then(|at| i8::try_from(at + 1).ok())
    };
    let (month, day) = month(a).map(|month| (month, b)).or_else(|| Some((month(b)?, a)))?;
    Some(year_of(year).and_then(|year| {
        let day = day.parse().map_err(|_| NO_DATE)?;
        Date::new(year, month, day).map_err(|_| NO_DATE)
    }))
}

/// As spreadsheets write a date unless they are told otherwise, 31-Jan-26; of 31-Dec-99 the century can't be told.
fn year_of(text: &str) -> Result<i16, &'static str> {
    let year: i16 = text.parse().map_err(|_| NO_DATE)?;
    match text.bytes().filter(u8::is_ascii_digit).count() {
        4 => Ok(year),
        2 if year < FIRST_OF_ANY_CENTURY => Ok(2000 + year),
        2 => Err(SHORT_YEAR),
        _ => Err(NO_DATE),
    }
}

/// Two digits of a year from here on are of either century.
const FIRST_OF_ANY_CENTURY: i16 = 70;

/// `31.01.2026`, `2026/01/31`, and `31/01/2026` or `01/31/2026` where it can't be the other; at midnight, if a time is
/// said at all.
fn regional(text: &str) -> Result<Date, &'static str> {
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, ""));
    let is_midnight = time.is_empty()
        || (time.starts_with("12:") && time.ends_with("AM") && time.bytes().all(|byte| b"120: AM".contains(&byte)))
        || time.bytes().all(|byte| b"0:".contains(&byte));
    let parts: Vec<&str> = date.split(['.', '/', '-']).collect();
    let [a, b, c] = parts.as_slice() else { return Err(NO_DATE) };
    let number = |text: &str| text.parse::<i16>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let (Some(first), Some(second), Some(third), true) = (number(a), number(b), number(c), is_midnight) else {
        return Err(NO_DATE);
    };
    let (year, month, day) = match (a.len(), c.len()) {
        (4, _) => (first, second, third),
        (_, 4) if date.contains('.') || first > 12 || first == second => (third, second, first),
        (_, 4) if second > 12 => (third, first, second),
        (_, 4) => return Err(AMBIGUOUS),
        // 26.01.31 is a day of 2026 in some countries, and of 2031 in others.
        (1 | 2, 2) => return Err(SHORT_YEAR),
        _ => return Err(NO_DATE),
    };
    let (Ok(month), Ok(day)) = (i8::try_from(month), i8::try_from(day)) else { return Err(NO_DATE) };
    Date::new(year, month, day).map_err(|_| NO_DATE)
}

/// What a value says in words: texts, numbers, booleans; null says nothing.
pub fn text(value: &Value, function: &str) -> Result<String, ExecutionError> {
    match value {
        Value::String(text) => Ok(text.to_string()),
        Value::Int(number) => Ok(number.to_string()),
        Value::UInt(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Bool(known) => Ok(known.to_string()),
        Value::Null => Ok(String::new()),
        _ => Err(ExecutionError::function_error(function, "the value is no text")),
    }
}

fn replace(value: &Value, from: &str, to: &str) -> Answer {
    let text = text(value, "replace")?;
    if from.is_empty() {
        return Err(ExecutionError::function_error("replace", "there is nothing to look for"));
    }
    let grown = text.matches(from).count().saturating_mul(to.len()).saturating_add(text.len());
    bounded("replace", grown)?;
    Ok(string(text.replace(from, to)))
}

fn split(value: &Value, separator: &str) -> Answer {
    let text = text(value, "split")?;
    if separator.is_empty() {
        return Err(ExecutionError::function_error("split", "there is no separator"));
    }
    let parts = text.split(separator).map(str::trim).filter(|part| !part.is_empty());
    Ok(Value::List(Arc::new(parts.map(|part| string(part.to_owned())).collect())))
}

/// Of a list what is present, so that a middle name that isn't there leaves no double space.
fn join(values: &Value, separator: &str) -> Answer {
    let Value::List(values) = values else {
        return Err(ExecutionError::function_error("join", "the value is no list"));
    };
    let parts = values.iter().filter(|value| is_present(value)).map(|value| text(value, "join"));
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    let length = parts.iter().map(String::len).sum::<usize>() + separator.len().saturating_mul(parts.len());
    bounded("join", length)?;
    Ok(string(parts.join(separator)))
}

fn mid(value: &Value, from: i64, count: i64) -> Answer {
    let text = text(value, "mid")?;
    let (Ok(from), Ok(count)) = (usize::try_from(from), usize::try_from(count)) else {
        return Err(ExecutionError::function_error("mid", "the place and the count must not be negative"));
    };
    Ok(string(text.chars().skip(from).take(count).collect()))
}

/// `switch(value, default, when, then, when, then, …)`.
fn switch(all: &[Value]) -> Answer {
    let [value, default, cases @ ..] = all else {
        return Err(ExecutionError::function_error("switch", "write switch(value, default, when, then, …)"));
    };
    if cases.len() % 2 == 1 {
        return Err(ExecutionError::function_error("switch", "each value to compare with needs one to give back"));
    }
    let found = cases.chunks_exact(2).find(|case| case[0] == *value);
    Ok(found.map_or_else(|| default.clone(), |case| case[1].clone()))
}

fn bounded(function: &str, length: usize) -> Result<(), ExecutionError> {
    if length > LONGEST_VALUE {
        return Err(ExecutionError::function_error(
            function,
            format!("the result has more than {LONGEST_VALUE} bytes"),
        ));
    }
    Ok(())
}

fn string(text: String) -> Value {
    Value::String(Arc::new(text))
}
