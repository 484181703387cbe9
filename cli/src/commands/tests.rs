//! Tests that apply to every command, including future ones.

use clap::{Command, CommandFactory as _, Parser as _};

use super::Arguments;

/// Every command with the words that call it, `users` first.
fn commands() -> Vec<Command> {
    let mut root = Arguments::command().disable_help_subcommand(true);
    root.build();
    let mut all = vec![root];
    let mut next = 0;
    while let Some(command) = all.get(next) {
        let inner: Vec<_> = command.get_subcommands().cloned().collect();
        all.extend(inner);
        next += 1;
    }
    all
}

fn name(command: &Command) -> &str {
    command.get_bin_name().unwrap_or_else(|| command.get_name())
}

/// What `--help` prints on a narrow terminal.
fn help(command: &Command) -> String {
    let asked = name(command).split(' ').chain(["--help"]);
    Arguments::command().term_width(80).try_get_matches_from(asked).unwrap_err().to_string()
}

/// The words of a line of `sh`, without its redirections.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '\'' => quoted = !quoted,
            ' ' if !quoted && words.last().is_some_and(String::is_empty) => {}
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(character),
        }
    }
    words.into_iter().take_while(|word| ![">", "<", "|"].contains(&word.as_str())).collect()
}

#[test]
fn the_parser_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn every_command_has_examples_that_parse_and_are_its_own() {
    for command in commands() {
        let help = help(&command);
        let (_, examples) =
            help.split_once("Example").unwrap_or_else(|| panic!("{}: {help}", name(&command)));
        let examples = examples.replace("\\\n", "");
        let examples: Vec<_> = examples.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        assert!(!examples.is_empty(), "{help}");
        for example in examples {
            assert!(example.starts_with(name(&command)), "{}: {example}", name(&command));
            // clap reports `--help` as an error.
            if let Err(error) = Arguments::try_parse_from(words(example)) {
                assert!(!error.use_stderr(), "{example}: {error}");
            }
        }
    }
}

#[test]
fn every_command_takes_json_and_describes_its_options() {
    for command in commands() {
        let called = name(&command);
        assert!(command.get_arguments().any(|argument| argument.get_id() == "json"), "{called}");
        assert!(command.get_about().is_some(), "{called}");
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{called}: {}", argument.get_id());
        }
    }
}

/// Each page fits a screen. A changed page needs a review: `cargo insta accept` accepts it.
#[test]
fn the_help_of_every_command() {
    let page = |command: &Command| {
        let help = help(command);
        assert!(help.lines().count() <= 40, "{help}");
        format!("=== {} --help\n{}\n", name(command), help.trim_end())
    };
    let pages: Vec<_> = commands().iter().map(page).collect();
    insta::assert_snapshot!(pages.join("\n"));
}
