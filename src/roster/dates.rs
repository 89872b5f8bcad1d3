//! Dates as systems and spreadsheets write them, and what they write where there is none.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

const DAY_NUMBER: &str =
    "the value is a day's number, as spreadsheets count them: format the column as a date, 2026-01-31";
const NO_DATE: &str = "the value is no date: write 2026-01-31 or 2026-01-31T08:00:00Z";
const SHORT_YEAR: &str = "the year has two digits, and can't be told for certain: format the column as 2026-01-31";
const AMBIGUOUS: &str = "day and month can't be told apart: write 2026-01-31, or in the mapping, of 01/31/2026, join([mid(row.x, 6, 4), \
     mid(row.x, 0, 2), mid(row.x, 3, 2)], \"-\")";
const OTHER_CALENDAR: &str = "its year can't be meant: write the date in the Gregorian calendar, 2026-01-31, and leave it empty where there is none";
const DOUBTFUL_END: &str = "1999-12-31 may be an end that was never meant, 31.12.99: write the year with four digits, or leave the value empty";

/// From this year on an end is none: systems write the last day that they have, 9999-12-31, 4712-12-31 or 2999-12-31.
const NEVER: i16 = 2200;
/// Years of the Thai calendar for what is near: 2540 is 1997, and 2598 is 2055.
const THAI: std::ops::RangeInclusive<i16> = 2540..=2598;
/// Nobody begins or ends before; 1447 is a year of the Islamic calendar, and 1930 what a spreadsheet makes of 30.
const FIRST_BEGIN: i16 = 1900;
const FIRST_END: i16 = 1970;

/// The first days of Unix, SQL Server, Excel, OLE, `FILETIME`, Business Central and .NET, which stand for no date.
const FIRST_DAYS: [(i16, i8, i8); 8] =
    [(1970, 1, 1), (1900, 1, 1), (1900, 1, 2), (1899, 12, 31), (1899, 12, 30), (1753, 1, 1), (1601, 1, 1), (1, 1, 1)];

/// When access begins; none where the date stands for none.
pub fn begin(text: &str) -> Result<Option<Timestamp>, &'static str> {
    let Some((at, year)) = meant(text)? else { return Ok(None) };
    if THAI.contains(&year) || !(FIRST_BEGIN..NEVER).contains(&year) {
        return Err(OTHER_CALENDAR);
    }
    Ok(Some(at))
}

/// When access ends; none where it never does.
pub fn end(text: &str) -> Result<Option<Timestamp>, &'static str> {
    const ENDLESS: [&str; 3] = ["never", "none", "unlimited"];
    // The last instant of Active Directory's accountExpires.
    if ENDLESS.iter().any(|word| word.eq_ignore_ascii_case(text.trim())) || text.trim() == "9223372036854775807" {
        return Ok(None);
    }
    match meant(text)? {
        None => Ok(None),
        Some((_, year)) if THAI.contains(&year) || year < FIRST_END => Err(OTHER_CALENDAR),
        Some((_, year)) if year >= NEVER => Ok(None),
        Some((at, _)) if at == first_instant((1999, 12, 31)) => Err(DOUBTFUL_END),
        Some((at, _)) => Ok(Some(at)),
    }
}

/// A date with its year, if the text is one and not what stands for none.
fn meant(text: &str) -> Result<Option<(Timestamp, i16)>, &'static str> {
    let text = text.trim();
    // 0000-00-00, 00.00.0000, 00000000, 0, and what a spreadsheet shows of a zero: 1900-01-00.
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte == b'0');
    let day = text.split([' ', 'T']).next().unwrap_or_default();
    let is_zero = day.split(['-', '.', '/']).all(digits);
    if is_zero || ["1900-01-00", "1/0/1900", "01/00/1900", "00.01.1900", "0.1.1900", "00/01/1900"].contains(&day) {
        return Ok(None);
    }
    let at = instant(text)?;
    if FIRST_DAYS.into_iter().any(|day| at == first_instant(day)) {
        return Ok(None);
    }
    Ok(Some((at, TimeZone::UTC.to_datetime(at).year())))
}

fn first_instant((year, month, day): (i16, i8, i8)) -> Timestamp {
    let date = Date::new(year, month, day).map(|date| date.to_datetime(Time::midnight()));
    date.map_or(Timestamp::MIN, in_utc)
}

/// The last days that there are have no instant everywhere.
fn in_utc(civil: DateTime) -> Timestamp {
    TimeZone::UTC.to_timestamp(civil).unwrap_or(Timestamp::MAX)
}

/// An instant: RFC 3339, or a date, which begins at midnight UTC.
pub fn instant(text: &str) -> Result<Timestamp, &'static str> {
    let text = text.trim();
    let of_date = || text.parse::<Date>().ok().map(|date| date.to_datetime(Time::midnight()));
    let of_time = || text.parse::<DateTime>().ok();
    let last = || text.starts_with("9999-12-3").then_some(Timestamp::MAX);
    let parsed = text.parse::<Timestamp>().ok().or_else(|| of_time().or_else(of_date).map(in_utc)).or_else(last);
    if let Some(at) = parsed {
        return Ok(at);
    }
    // The last day of a spreadsheet; those before from 1954 on, and perhaps with the part of a day.
    if text == "2958465" {
        return Ok(Timestamp::MAX);
    }
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    if whole.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(DAY_NUMBER);
    }
    let date = with_month_by_name(text).unwrap_or_else(|| regional(text));
    date.map(|date| in_utc(date.to_datetime(Time::midnight())))
}

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
    // Oracle's last day is of 4712.
    let is_oracles = year.len() == 2 && (*year, month, *day) == ("12", 12, "31");
    Some(year_of(year).and_then(|year| {
        if is_oracles {
            return Err(SHORT_YEAR);
        }
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
    let (Some(first), Some(second), Some(third)) = (number(a), number(b), number(c)) else { return Err(NO_DATE) };
    // The last instant of .NET is that of a day as well.
    if !is_midnight && first.max(third) < NEVER {
        return Err(NO_DATE);
    }
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
