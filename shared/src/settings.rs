//! Reads settings: environment variables, read once. All missing and wrong ones are reported in one message.
//!
//! Each module that has settings reads its own with a [`SettingsReader`]; this one knows none of them.

use std::fmt;

/// Everything that is wrong with the settings: each wrong setting, with the reason.
#[derive(Debug, PartialEq, Eq)]
pub struct SettingsError(pub Vec<String>);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wrong settings: {}", self.0.join("; "))
    }
}

impl std::error::Error for SettingsError {}

/// Returns the value of an environment variable.
type Variable<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Reads settings and collects everything that is wrong with them.
pub struct SettingsReader<'a> {
    variable: Box<Variable<'a>>,
    wrong: Vec<String>,
}

impl<'a> SettingsReader<'a> {
    /// A reader of the values that `variable` returns for a name.
    pub fn new(variable: impl Fn(&str) -> Option<String> + 'a) -> Self {
        Self { variable: Box::new(variable), wrong: Vec::new() }
    }

    /// A reader of this process's environment.
    #[must_use]
    pub fn of_environment() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }

    /// Reads a setting that may be absent. An empty value counts as absent.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// Reads a setting that must be present.
    pub fn required(&mut self, name: &str) -> Option<String> {
        let value = self.optional(name);
        if value.is_none() {
            self.report(name, "is missing");
        }
        value
    }

    /// Parses the text of a setting.
    pub fn parsed<T: std::str::FromStr<Err: fmt::Display>>(&mut self, name: &str, text: &str) -> Option<T> {
        text.parse().map_err(|why| self.report(name, why)).ok()
    }

    /// Reads a whole number from `least` to `most`.
    pub fn number<T>(&mut self, name: &str, default: T, least: T, most: T) -> T
    where
        T: Copy + PartialOrd + fmt::Display + std::str::FromStr,
    {
        let Some(text) = (self.variable)(name) else {
            return default;
        };
        match text.parse() {
            Ok(number) if (least..=most).contains(&number) => number,
            _ => {
                self.report(name, format_args!("must be a whole number from {least} to {most}"));
                default
            }
        }
    }

    /// Reads a setting that is `true` or `false`, in any case, or absent.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        let text = self.optional(name)?.to_ascii_lowercase();
        text.parse().map_err(|_| self.report(name, "must be true or false")).ok()
    }

    /// Takes settings that were read elsewhere, or what is wrong with them.
    pub fn take<T>(&mut self, read: Result<T, SettingsError>) -> Option<T> {
        read.map_err(|SettingsError(wrong)| self.wrong.extend(wrong)).ok()
    }

    /// Reports a wrong setting.
    pub fn report(&mut self, name: &str, why: impl fmt::Display) {
        let wrong = format!("{name} {why}");
        // Two readers may want the same setting.
        if !self.wrong.contains(&wrong) {
            self.wrong.push(wrong);
        }
    }

    /// Returns what was read, if nothing was wrong.
    pub fn finish<T>(self, settings: Option<T>) -> Result<T, SettingsError> {
        settings.filter(|_| self.wrong.is_empty()).ok_or(SettingsError(self.wrong))
    }
}
