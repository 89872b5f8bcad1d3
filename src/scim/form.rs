//! Forms in which servers keep a text that they are sent.

/// A form; what it makes of a text is exact, so that two texts are the same by it only where one was made of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// In lower case.
    LowerCase,
    /// In upper case.
    UpperCase,
    /// Its digits alone.
    Digits,
    /// Its digits, and a plus sign before them.
    PlusDigits,
    /// Without any space.
    Unspaced,
    /// With one space where there are several.
    SingleSpaced,
}

impl Form {
    const ALL: [Self; 6] =
        [Self::LowerCase, Self::UpperCase, Self::Digits, Self::PlusDigits, Self::Unspaced, Self::SingleSpaced];

    /// Its name, as status has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LowerCase => "LowerCase",
            Self::UpperCase => "UpperCase",
            Self::Digits => "Digits",
            Self::PlusDigits => "PlusDigits",
            Self::Unspaced => "Unspaced",
            Self::SingleSpaced => "SingleSpaced",
        }
    }

    /// The form of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.as_str() == name)
    }

    /// The text in this form.
    pub fn of(self, text: &str) -> String {
        let digits = || text.chars().filter(char::is_ascii_digit).collect::<String>();
        match self {
            Self::LowerCase => text.to_lowercase(),
            Self::UpperCase => text.to_uppercase(),
            Self::Digits => digits(),
            Self::PlusDigits => format!("+{}", digits()),
            Self::Unspaced => text.split_whitespace().collect(),
            Self::SingleSpaced => text.split_whitespace().collect::<Vec<_>>().join(" "),
        }
    }

    /// The form in which a text is shown that was sent otherwise.
    pub fn between(sent: &str, shown: &str) -> Option<Self> {
        if sent == shown || shown.is_empty() {
            return None;
        }
        Self::ALL.into_iter().find(|form| form.of(sent) == shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i05_a_form_is_found_by_what_came_of_a_text() {
        for (sent, shown, form) in [
            ("+1 (555) 010-01", "155501001", Some(Form::Digits)),
            ("+1 (555) 010-01", "+155501001", Some(Form::PlusDigits)),
            ("Ada", "ADA", Some(Form::UpperCase)),
            ("Ada@Example.com", "ada@example.com", Some(Form::LowerCase)),
            ("a  b", "a b", Some(Form::SingleSpaced)),
            ("SW1 1AA", "SW11AA", Some(Form::Unspaced)),
            ("Germany", "DE", None),
            ("same", "same", None),
            ("none", "", None),
        ] {
            assert_eq!(Form::between(sent, shown), form, "{sent} {shown}");
        }
        assert!(Form::ALL.into_iter().all(|form| Form::named(form.as_str()) == Some(form)));
    }
}
