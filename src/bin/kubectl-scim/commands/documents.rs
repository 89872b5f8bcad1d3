//! Completion, man pages and the page in `docs/`, all of them made of the command line itself.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Arg, Args, Command};
use clap_complete::Shell;

use crate::Outcome;

/// `completion`
#[derive(Debug, Args)]
pub struct CompletionArguments {
    /// The shell
    pub shell: Shell,
}

/// `man`
#[derive(Debug, Args)]
pub struct ManArguments {
    /// The directory, which is made where it isn't there
    pub directory: PathBuf,
}

/// The script of one shell, for the program's own name; kubectl asks `complete`.
pub fn completion(arguments: &CompletionArguments, mut command: Command) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "kubectl-scim", &mut script);
    io::stdout().write_all(&script)?;
    Ok(Outcome::Done)
}

/// One page a command.
pub fn man(arguments: &ManArguments, command: Command) -> Result<Outcome> {
    let directory = &arguments.directory;
    let whole = || format!("the man pages can't be written to {}", directory.display());
    std::fs::create_dir_all(directory).with_context(whole)?;
    clap_mangen::generate_to(command.disable_help_subcommand(true), directory).with_context(whole)?;
    Ok(Outcome::Done)
}

const HEAD: &str = "# kubectl scim

Written from the command line itself by `make reference`; `kubectl scim COMMAND --help` tells the same.

```sh
cargo install --path . --bin kubectl-scim    # from a checkout; or a file of a release, or Krew: docs/install.md
kubectl scim status -A
kubectl-scim completion bash                 # or zsh, fish, powershell, elvish: the script on standard output
kubectl-scim man DIRECTORY                   # man pages
```

`kubectl scim` itself is completed by kubectl, which asks a program of this name for it, anywhere in the `PATH`:

```sh
printf '#!/bin/sh\\nexec kubectl-scim complete -- \"$@\"\\n' >kubectl_complete-scim
chmod +x kubectl_complete-scim
```

It uses your kubeconfig and your rights, and shows what the operator has recorded. No key is taken from the command line
or shown; keys are read from a file, an environment variable or, with your rights, the connection's Secret.
";

/// The page in `docs/`.
pub fn markdown(command: Command) -> Result<Outcome> {
    io::stdout().write_all(page(command).as_bytes())?;
    Ok(Outcome::Done)
}

fn page(mut cli: Command) -> String {
    cli.build();
    let mut text = HEAD.to_owned();
    let codes = cli.get_after_help().map(ToString::to_string).unwrap_or_default();
    let _ = write!(text, "\n```text\n{}\n```\n\n## Global options\n\n", codes.trim());
    options(&mut text, cli.get_arguments().filter(|option| option.is_global_set()));
    for command in cli.get_subcommands().filter(|command| !command.is_hide_set()) {
        section(&mut text, command, "kubectl scim");
    }
    text
}

fn section(text: &mut String, command: &Command, above: &str) {
    let name = format!("{above} {}", command.get_name());
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let mut usage = command.clone().render_usage().to_string();
    usage = usage.trim_start_matches("Usage: ").split_whitespace().collect::<Vec<_>>().join(" ");
    let _ = write!(text, "\n## {name}\n\n{}.\n\n```text\n{usage}\n```\n\n", about.trim_end_matches('.'));
    options(text, command.get_arguments().filter(|option| !option.is_global_set() && option.get_id() != "help"));
    if let Some(more) = command.get_after_help() {
        let _ = write!(text, "\n{more}\n");
    }
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        section(text, below, &name);
    }
}

fn options<'a>(text: &mut String, all: impl Iterator<Item = &'a Arg>) {
    let rows: Vec<String> = all.filter(|option| !option.is_hide_set()).map(row).collect();
    if !rows.is_empty() {
        let _ = write!(text, "| option | what it is |\n|---|---|\n{}", rows.concat());
    }
}

fn row(option: &Arg) -> String {
    let names = option.get_value_names().unwrap_or_default();
    let takes = option.get_action().takes_values();
    let value = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let long = option.get_long().map(|long| format!("--{long}"));
    let short = option.get_short().map(|short| format!("-{short}"));
    let name = match short.into_iter().chain(long).collect::<Vec<_>>().join(", ") {
        positional if positional.is_empty() => value,
        name if takes => format!("{name} {value}"),
        name => name,
    };
    let mut text = option.get_help().map(ToString::to_string).unwrap_or_default();
    let possible = option.get_possible_values();
    if takes && !possible.is_empty() {
        let words: Vec<String> = possible.iter().map(|value| format!("`{}`", value.get_name())).collect();
        let _ = write!(text, "; one of {}", words.join(", "));
    }
    let defaults: Vec<String> =
        option.get_default_values().iter().map(|value| value.to_string_lossy().into()).collect();
    if takes && !defaults.is_empty() {
        let _ = write!(text, "; default `{}`", defaults.join(" "));
    }
    format!("| `{name}` | {} |\n", text.replace('|', "\\|").replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn the_command_line_is_sound_and_every_option_is_explained() {
        Cli::command().debug_assert();
        let text = page(Cli::command());
        assert!(text.contains("## kubectl scim approve") && text.contains("`--yes COUNT`"), "{text}");
        assert!(text.lines().filter(|line| line.starts_with("| `")).all(|line| !line.ends_with("|  |")), "{text}");
    }
}
