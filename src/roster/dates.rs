//! Dates as systems and spreadsheets write them, and what they write where there is none.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

const DAY_NUMBER: &str =
    "the value is a day's number, as spreadsheets count them: format the column as a date, 2026-01-31";
const NO_DATE: &str = "the value is no date: write 2026-01-31 or 2026-01-31T08:00:00Z";
const SHORT_YEAR: &str = "the year has two digits, and can't be told for certain: format the column as 2026-01-31";
const AMBIGUOUS: &str = "day and month can't be told apart: write 2026-01-31, or in the mapping, of 01/31/2026, join([mid(row.x, 6, 4), \
     mid(row.x, 0, 2), mid(row.x, 3, 2)], \"-\")";
const OTHER_CALENDAR: &str = "its year can't be meant: write the date in the Gregorian calendar, 2026-01-31, leave it empty where there is none, \
     or leave out whoever left so long ago, by spec.scope";
const DOUBTFUL_END: &str = "1999-12-31 may be an end that was never meant, 31.12.99: write the year with four digits, or leave the value empty";

/// From this year on an end is none: systems write the last day that they have, 9999-12-31, 4712-12-31 or 2999-12-31.
const NEVER: i16 = 2200;
/// Years of the Thai calendar for what is near: 2540 is 1997, and 2598 is 2055.
const THAI: std::ops::RangeInclusive<i16> = 2540..=2598;
/// Nobody begins or ends before; 1447 is a year of the Islamic calendar, 1930 what a spreadsheet makes of 30, and an end in
/// January 1970 what becomes of seconds that are taken for thousandths.
const FIRST_BEGIN: i16 = 1900;
const FIRST_END: i16 = 1990;

/// The first days of Unix, SQL Server, Excel, OLE, `FILETIME`, Business Central and .NET, which stand for no date.
const FIRST_DAYS: [(i16, i8, i8); 8] =
    [(1970, 1, 1), (1900, 1, 1), (1900, 1, 2), (1899, 12, 31), (1899, 12, 30), (1753, 1, 1), (1601, 1, 1), (1, 1, 1)];

/// So far from UTC clocks are set: a first day is written as another hour, or the day before, where they are.
const FARTHEST_ZONE: SignedDuration = SignedDuration::from_hours(14);
const DAY: SignedDuration = SignedDuration::from_hours(24);

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
        Some((at, _)) if is_within(at, (1999, 12, 31)) => Err(DOUBTFUL_END),
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
    let is_first = |at: Timestamp, far| FIRST_DAYS.into_iter().any(|day| from_begin(at, day).abs() <= far);
    let at = match instant(text) {
        Ok(at) if is_first(at, FARTHEST_ZONE) => return Ok(None),
        Ok(at) => at,
        // 01.01.1970 01:00:00: of a day that is none the hour says nothing.
        Err(_) if regional(day).is_ok_and(|day| is_first(in_utc(day.to_datetime(Time::midnight())), DAY)) => {
            return Ok(None);
        }
        Err(why) => return Err(why),
    };
    Ok(Some((at, TimeZone::UTC.to_datetime(at).year())))
}

/// How long after the begin of a day, in UTC.
fn from_begin(at: Timestamp, (year, month, day): (i16, i8, i8)) -> SignedDuration {
    let date = Date::new(year, month, day).map(|date| date.to_datetime(Time::midnight()));
    at.duration_since(date.map_or(Timestamp::MIN, in_utc))
}

/// Whether it is that day in any time zone.
fn is_within(at: Timestamp, day: (i16, i8, i8)) -> bool {
    (-FARTHEST_ZONE..DAY + FARTHEST_ZONE).contains(&from_begin(at, day))
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
