//! The functions' settings, read as the functions read them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use shared::app::AppSettings;
use shared::auth::AudienceClaim;

use super::report::{Check, Report, State};
use crate::local;

/// Where the settings are from.
pub(super) enum Settings {
    OfTheLocalSystem,
    OfTheEnvironment,
    Given(BTreeMap<String, String>),
}

impl Settings {
    /// Reads NAME=value lines, or JSON: an object of texts, either alone or nested as in AWS's answers.
    pub(super) fn of_text(text: &str) -> Result<Self, String> {
        if !text.trim_start().starts_with('{') {
            return of_lines(text).map(Self::Given);
        }
        let json: Value = serde_json::from_str(text).map_err(|error| format!("is no JSON: {error}"))?;
        let variables = json.pointer("/Environment/Variables").or_else(|| json.get("Variables"));
        let variables = variables.unwrap_or(&json).as_object().map(of_object);
        variables.flatten().map(Self::Given).ok_or_else(|| "holds a setting that is no text".to_owned())
    }

    fn get(&self, table: &str, name: &str) -> Option<String> {
        match self {
            Self::OfTheLocalSystem => local::setting(table, name),
            Self::OfTheEnvironment => std::env::var(name).ok(),
            Self::Given(settings) => settings.get(name).cloned(),
        }
    }

    /// The inline keys, if there are any.
    pub(super) fn signing_keys(&self, table: &str) -> Option<String> {
        self.get(table, "SIGNING_KEYS").filter(|keys| !keys.trim().is_empty())
    }

    /// Reads them; `None` if they cannot be used.
    pub(super) fn check(&self, table: &str, report: &mut Report) -> Option<AppSettings> {
        const HOW: &str = "take them from a function that takes tokens, such as get-profile: \
                           docs/operations.md, \"Is an installation right?\"";
        let known = |name| self.get(table, name).is_some();
        if matches!(self, Self::OfTheEnvironment) && !known("TOKEN_ISSUER") && !known("TOKEN_AUDIENCE") {
            report.add(Check::new("settings", State::Warning, "not looked at: none are given").advise(HOW));
            return None;
        }
        let asked = RefCell::new(BTreeSet::new());
        let config = AppSettings::read(true, |name| {
            asked.borrow_mut().insert(name.to_owned());
            self.get(table, name)
        });
        self.warn_of_strangers(&asked.into_inner(), report);
        let config = match config {
            Ok(config) => config,
            Err(error) => {
                for wrong in &error.0 {
                    report.add(Check::new("settings", State::Wrong, wrong).advise(HOW));
                }
                return None;
            }
        };
        let rules = config.tokens.as_ref().map(|tokens| &tokens.rules)?;
        let claim = match rules.audience_claim {
            AudienceClaim::Aud => "aud",
            AudienceClaim::ClientId => "client_id",
        };
        let from = match self {
            Self::OfTheLocalSystem => "the local system's: ",
            Self::OfTheEnvironment => "the environment's: ",
            Self::Given(_) => "",
        };
        let found = format!("{from}tokens of {} with the {claim} {}", rules.issuer, rules.audience);
        report.add(Check::new("settings", State::Ok, found));
        if config.table_name != table {
            let found = format!("the functions use the table {}, and this is {table}", config.table_name);
            let advice = format!("give --table {}", config.table_name);
            report.add(Check::new("settings", State::Wrong, found).advise(advice));
        }
        Some(config)
    }

    /// Names that no function reads but that look like a setting.
    fn warn_of_strangers(&self, asked: &BTreeSet<String>, report: &mut Report) {
        let Self::Given(settings) = self else { return };
        let first_word = |name: &str| name.split('_').next().unwrap_or_default().to_owned();
        // AWS has more settings than a function reads.
        let ours: BTreeSet<_> =
            asked.iter().map(|name| first_word(name)).filter(|word| word != "AWS").collect();
        for name in settings.keys().filter(|name| !asked.contains(*name) && ours.contains(&first_word(name)))
        {
            let found = format!("{name} is no setting: no function reads it");
            report.add(
                Check::new("settings", State::Warning, found).advise("README.md, \"Settings\", has all"),
            );
        }
    }
}

fn of_object(object: &Map<String, Value>) -> Option<BTreeMap<String, String>> {
    object.iter().map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

fn of_lines(text: &str) -> Result<BTreeMap<String, String>, String> {
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let setting = |(number, line): (usize, &str)| match line.split_once('=') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => Err(format!("line {number} is not NAME=value")),
    };
    lines.map(setting).collect()
}
