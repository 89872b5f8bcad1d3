//! The time of a day as systems and spreadsheets write it beside a date.

use jiff::SignedDuration;

/// How long after midnight: `18:00`, `6.00.00 p. m.`, `24:00`; nothing, or zeros alone, is midnight.
pub fn time(text: &str) -> Option<SignedDuration> {
    let text = text.trim().to_lowercase();
    if text.bytes().all(|byte| b"0:".contains(&byte)) {
        return Some(SignedDuration::ZERO);
    }
    let (clock, half) = text.split_at(text.rfind(|letter: char| letter.is_ascii_digit())? + 1);
    let half: String = half.chars().filter(|letter| !matches!(letter, ' ' | '.' | '\u{a0}' | '\u{202f}')).collect();
    let parts: Vec<&str> = clock.split([':', '.', ',']).collect();
    let ([hour, minute] | [hour, minute, _] | [hour, minute, _, _]) = parts[..] else { return None };
    let number = |text: &str, longest: usize| {
        let fits = (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|_| fits)
    };
    // A fraction of a second says nothing.
    let fraction = parts.get(3).map_or(Some(0), |fraction| number(fraction, 9));
    let second = parts.get(2).map_or(Some(0), |second| number(second, 2));
    let (hour, minute, second) = (number(hour, 2)?, number(minute, 2)?, second.filter(|_| fraction.is_some())?);
    let hour = match half.as_str() {
        "" => hour,
        "am" if (1..=12).contains(&hour) => hour % 12,
        "pm" if (1..=12).contains(&hour) => hour % 12 + 12,
        _ => return None,
    };
    let is_end = (hour, minute, second) == (24, 0, 0) && half.is_empty();
    let is_time = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
    (is_time || is_end).then(|| SignedDuration::from_secs((hour * 60 + minute) * 60 + second))
}
