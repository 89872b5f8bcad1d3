//! What a word may be completed to, in the words of kubectl: it asks the program `kubectl_complete-scim` for its plug-in.

use std::io::{self, Write as _};

use anyhow::Result;
use clap::{Arg, Args, Command};

use crate::Outcome;

/// kubectl is told that no file is meant.
const NO_FILE: u8 = 4;
/// And that one may be.
const FILE: u8 = 0;

/// `complete`
#[derive(Debug, Args)]
pub struct Arguments {
    /// The words so far; the last is completed
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Prints a candidate a line, then what kubectl does if there is none.
pub fn run(arguments: &Arguments, cli: Command) -> Result<Outcome> {
    let (found, directive) = candidates(cli, &arguments.words);
    let mut out = io::stdout().lock();
    for (word, about) in found {
        writeln!(out, "{word}\t{about}")?;
    }
    writeln!(out, ":{directive}")?;
    Ok(Outcome::Done)
}

fn candidates(mut cli: Command, words: &[String]) -> (Vec<(String, String)>, u8) {
    cli.build();
    let (last, before) = words.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let command = before.iter().fold(&cli, |command, word| command.find_subcommand(word).unwrap_or(command));
    let fits = |(word, _): &(String, String)| word.starts_with(last);
    if let Some(option) = before.last().and_then(|word| option(command, word)).filter(|option| takes_value(option)) {
        let values: Vec<_> = possible(option).filter(fits).collect();
        let directive = if values.is_empty() { FILE } else { NO_FILE };
        return (values, directive);
    }
    if last.starts_with('-') {
        let options = command.get_arguments().filter(|option| !option.is_hide_set());
        let named = options.filter_map(|option| Some((format!("--{}", option.get_long()?), about(option.get_help()))));
        return (named.filter(fits).collect(), NO_FILE);
    }
    let below = command.get_subcommands().filter(|below| !below.is_hide_set());
    let below = below.map(|below| (below.get_name().to_owned(), about(below.get_about())));
    let values = command.get_positionals().flat_map(possible);
    (below.chain(values).filter(fits).collect(), NO_FILE)
}

/// The option that a word names.
fn option<'c>(command: &'c Command, word: &str) -> Option<&'c Arg> {
    let named = |option: &&Arg| {
        let long = option.get_long().is_some_and(|long| word.strip_prefix("--") == Some(long));
        long || option.get_short().is_some_and(|short| word.strip_prefix('-') == Some(short.to_string().as_str()))
    };
    command.get_arguments().find(named)
}

fn takes_value(option: &Arg) -> bool {
    option.get_action().takes_values()
}

fn possible(option: &Arg) -> impl Iterator<Item = (String, String)> {
    let values = if takes_value(option) { option.get_possible_values() } else { Vec::new() };
    values.into_iter().map(|value| (value.get_name().to_owned(), about(value.get_help())))
}

/// The first line of what is said of it.
fn about(help: Option<&clap::builder::StyledStr>) -> String {
    help.map(ToString::to_string).unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn kubectl_completes_commands_options_and_their_values() {
        let complete = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let (found, directive) = candidates(Cli::command(), &words);
            (found.into_iter().map(|(word, _)| word).collect::<Vec<_>>(), directive)
        };
        assert_eq!(complete("ap"), (vec!["approve".to_owned()], NO_FILE));
        assert_eq!(complete("roster "), (vec!["preview".to_owned()], NO_FILE));
        assert_eq!(complete("get --sor"), (vec!["--sort".to_owned()], NO_FILE));
        assert_eq!(complete("get --sort s"), (vec!["since".to_owned()], NO_FILE));
        assert_eq!(complete("get u"), (vec!["users".to_owned()], NO_FILE));
        assert_eq!(complete("plan -f "), (Vec::new(), FILE));
        assert!(complete("plan --name").0.contains(&"--namespace".to_owned()), "what is global too");
        assert!(!complete("").0.contains(&"docs".to_owned()));
    }
}
