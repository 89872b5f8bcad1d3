//! What expressions may call beside the standard library: the functions that users of Entra's and Okta's portals know.
//!
//! None gives back more than [`LONGEST_VALUE`] bytes, so that what an expression costs is bounded by its length.

use std::sync::Arc;

use cel::extractors::{Arguments, This};
use cel::{Context, DeclarationError, ExecutionError, Value};
use jiff::Timestamp;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::dates;
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
const NOTHING: [&str; 11] =
    ["NULL", "(null)", "<null>", "N/A", "n/a", "#N/A", "0000-00-00", "NaN", "nan", "NaT", "<NA>"];

/// What exports and spreadsheets write for true, in the languages that these have: as Excel does, and as people do.
const YES: &str = "true yes y t on 1 1.0 wahr ja j vrai oui o vero sì verdadero sí si s verdadeiro sim waar sant sand sann \
    prawda tak pravda ano áno istina da igaz igen tosi kyllä tõene jah tiesa taip patiess jā adevărat cert certo \
    doğru evet αληθης αληθής ναι истина да істина так вярно benar ya đúng có 是 真 はい 예 참 כן نعم";
/// The same for false.
const NO: &str = "false no n f off 0 0.0 falsch nein faux non falso não nao onwaar nee falskt falsk usann nej nei fałsz nie \
    nepravda ne neistina laž hamis nem epätosi ei väär melas netiesa aplams nē fals nu yanlış yanliş hayır hayir ψευδης \
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
    const ACTIVE: &str = "active enabled aktiv actif activo activa attivo attiva ativo actief aktywny aktivní";
    const INACTIVE: &str = "inactive disabled deactivated suspended terminated inaktiv inactif inactivo inactiva inattivo \
        inattiva inativo inactief nieaktywny neaktivní";
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

fn instant(text: &str) -> Result<Timestamp, ExecutionError> {
    dates::instant(text).map_err(|problem| ExecutionError::function_error("instant", problem))
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
