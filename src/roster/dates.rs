//! Dates as systems and spreadsheets write them, and what they write where there is none.

mod clock;

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
        Err(_) if regional(day).0.is_ok_and(|day| is_first(in_utc(day.to_datetime(Time::midnight())), DAY)) => {
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

/// An instant: RFC 3339, or a date, which begins at midnight UTC, as what has no zone is in UTC.
pub fn instant(text: &str) -> Result<Timestamp, &'static str> {
    let text = text.trim();
    let last = || text.starts_with("9999-12-3").then_some(Timestamp::MAX);
    if let Some(at) = iso(text).or_else(|| after_the_day(text)).or_else(|| counted(text)).or_else(last) {
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
    let (date, time) = with_month_by_name(text).unwrap_or_else(|| regional(text));
    let date = date?;
    match clock::time(time) {
        Some(time) => Ok(in_utc(date.to_datetime(Time::midnight())).checked_add(time).unwrap_or(Timestamp::MAX)),
        // The last instant of .NET is that of a day as well.
        None if date.year() >= NEVER => Ok(in_utc(date.to_datetime(Time::midnight()))),
        None => Err(NO_DATE),
    }
}

/// As ISO 8601 has it.
fn iso(text: &str) -> Option<Timestamp> {
    let of_date = || text.parse::<Date>().ok().map(|date| date.to_datetime(Time::midnight()));
    let of_time = || text.parse::<DateTime>().ok();
    text.parse::<Timestamp>().ok().or_else(|| of_time().or_else(of_date).map(in_utc))
}

/// `2026-10-31T24:00:00Z`: the end of a day is the begin of the next one.
fn after_the_day(text: &str) -> Option<Timestamp> {
    let (day, rest) = text.split_once(['T', ' '])?;
    let rest = rest.strip_prefix("24:")?;
    let time = rest.split(['Z', 'z', '+', '-']).next().unwrap_or_default();
    let is_whole = time.bytes().all(|byte| b"0:.".contains(&byte));
    let begin = is_whole.then(|| iso(&format!("{day}T00:{rest}"))).flatten()?;
    Some(begin.checked_add(DAY).unwrap_or(Timestamp::MAX))
}

/// What machines count: Active Directory's `133512345678901234`, thousandths of seconds (`1793318400000`,
/// `/Date(1793318400000+0100)/`), and the digits of a date and a time, as LDAP and SAP have them (`20261031235900.0Z`).
fn counted(text: &str) -> Option<Timestamp> {
    /// From 1601 to 1970, in seconds.
    const TO_UNIX: i64 = 11_644_473_600;
    let of_millis = |millis: i64| {
        Timestamp::from_millisecond(millis).unwrap_or(if millis < 0 { Timestamp::MIN } else { Timestamp::MAX })
    };
    if let Some(inner) = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")) {
        // The offset says where it was written, and not when.
        let signs = inner.char_indices().skip(1).find(|(_, letter)| matches!(letter, '+' | '-'));
        let millis = signs.map_or(inner, |(at, _)| &inner[..at]);
        return millis.parse().ok().map(of_millis);
    }
    let (digits, zone) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let fraction =
        zone.strip_prefix(['.', ',']).map_or(zone, |rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    match digits.len() {
        13 if zone.is_empty() => digits.parse().ok().map(of_millis),
        18 | 19 if zone.is_empty() => {
            let seconds = i64::try_from(digits.parse::<u64>().ok()? / 10_000_000).ok()? - TO_UNIX;
            Some(Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX))
        }
        14 if fraction.is_empty() || fraction == "Z" => iso(&format!("{}T{}", &digits[..8], &digits[8..])),
        _ => None,
    }
}

type DateAndTime<'a> = (Result<Date, &'static str>, &'a str);

/// `31-Jan-2026`, `31 January 2026` or `Jan 31, 2026`, and what is behind it.
fn with_month_by_name(text: &str) -> Option<DateAndTime<'_>> {
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
    let is_between = |letter: char| " -/,.".contains(letter);
    let mut rest = text;
    let mut next = || {
        let from = rest.trim_start_matches(is_between);
        let (part, behind) = from.split_at(from.find(is_between).unwrap_or(from.len()));
        rest = behind;
        Some(part).filter(|part| !part.is_empty())
    };
    let (a, b, year) = (next()?, next()?, next()?);
    let month = |text: &str| {
        let text = text.to_ascii_lowercase();
        let at = MONTHS.iter().position(|month| text.len() >= 3 && month.starts_with(&text));
        at.and_then(|at| i8::try_from(at + 1).ok())
    };
    let (month, day) = month(a).map(|month| (month, b)).or_else(|| Some((month(b)?, a)))?;
    // Oracle's last day is of 4712.
    let is_oracles = year.len() == 2 && (year, month, day) == ("12", 12, "31");
    let date = year_of(year).and_then(|year| {
        if is_oracles {
            return Err(SHORT_YEAR);
        }
        let day = day.parse().map_err(|_| NO_DATE)?;
        Date::new(year, month, day).map_err(|_| NO_DATE)
    });
    Some((date, rest.trim_start_matches([' ', ','])))
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

/// `31.01.2026`, `2026/01/31`, and `31/01/2026` or `01/31/2026` where it can't be the other; also with spaces behind dots,
/// and a dot behind the last of them. And what is behind it.
fn regional(text: &str) -> DateAndTime<'_> {
    let Some(([a, b, c], dotted, rest)) = parts(text) else { return (Err(NO_DATE), "") };
    let date = || {
        let number = |text: &str| text.parse::<i16>().map_err(|_| NO_DATE);
        let (first, second, third) = (number(a)?, number(b)?, number(c)?);
        let (year, month, day) = match (a.len(), c.len()) {
            (4, _) => (first, second, third),
            (_, 4) if dotted || first > 12 || first == second => (third, second, first),
            (_, 4) if second > 12 => (third, first, second),
            (_, 4) => return Err(AMBIGUOUS),
            // 26.01.31 is a day of 2026 in some countries, and of 2031 in others.
            (1 | 2, 2) => return Err(SHORT_YEAR),
            _ => return Err(NO_DATE),
        };
        let (Ok(month), Ok(day)) = (i8::try_from(month), i8::try_from(day)) else { return Err(NO_DATE) };
        Date::new(year, month, day).map_err(|_| NO_DATE)
    };
    (date(), rest)
}

/// The three numbers of a date, whether dots are between some, and what is behind them.
fn parts(text: &str) -> Option<([&str; 3], bool, &str)> {
    let mut rest = text;
    let mut dotted = false;
    let mut parts = [""; 3];
    for (at, part) in parts.iter_mut().enumerate() {
        if at > 0 {
            dotted |= rest.starts_with('.');
            rest = rest.strip_prefix('.').map(str::trim_start).or_else(|| rest.strip_prefix(['/', '-']))?;
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        (*part, rest) = rest.split_at_checked(digits).filter(|(digits, _)| !digits.is_empty())?;
    }
    let rest = if dotted { rest.strip_prefix('.').unwrap_or(rest) } else { rest };
    let time = rest.strip_prefix([' ', 'T']).or_else(|| rest.is_empty().then_some(""))?;
    Some((parts, dotted, time))
}
