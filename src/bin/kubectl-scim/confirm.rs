//! A person's word before something that can't be taken back.

use std::io::{self, BufRead as _, IsTerminal as _};

use anyhow::{Result, bail};

use crate::output;

/// Asks for the count to be typed. `yes` is the same word from a script; another count than the one there is refuses.
pub fn by_count(what: &str, count: u64, yes: Option<u64>) -> Result<()> {
    let answer = match yes {
        Some(answer) => answer,
        None if io::stdin().is_terminal() => {
            output::note(&format!("{what} Type {count} to go on; anything else changes nothing."));
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line)?;
            match line.trim().parse() {
                Ok(answer) => answer,
                Err(_) => bail!("nothing was changed"),
            }
        }
        None => bail!("{what} There is no terminal to ask at: say --yes {count} if that is meant"),
    };
    if answer != count {
        bail!("nothing was changed: {answer} was given, and there are {count}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_count_is_a_yes() {
        assert!(by_count("This lets 12 go.", 12, Some(12)).is_ok());
        let refused = by_count("This lets 12 go.", 12, Some(11)).unwrap_err().to_string();
        assert!(refused.contains("11 was given") && refused.contains("there are 12"), "{refused}");
    }
}
