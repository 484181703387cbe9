//! Rate limits and what is left of them.

use std::time::Duration;

use crate::settings::SettingsReader;

/// At most `limit` requests in any `window`: a sliding window, no calendar minute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// What is limited; the name of the policy in the `RateLimit` headers.
    pub name: &'static str,
    /// How many requests a client may send in one window.
    pub limit: u16,
    /// The length of the window.
    pub window: Duration,
}

impl RateLimit {
    /// The largest limit: each admitted request is an attribute of the client's item.
    pub const MAX: u16 = 50;

    /// Reads how often one client may ask whether an account exists: `EXISTS_LIMIT_REQUESTS` (10) in
    /// `EXISTS_LIMIT_WINDOW_SECONDS` (60).
    pub fn read_exists(reader: &mut SettingsReader<'_>) -> Self {
        Self {
            name: "exists",
            limit: reader.number("EXISTS_LIMIT_REQUESTS", 10, 1, Self::MAX),
            window: Duration::from_secs(reader.number("EXISTS_LIMIT_WINDOW_SECONDS", 60, 1, 86_400)),
        }
    }
}

/// What is left of a client's [`RateLimit`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quota {
    /// The limit.
    pub rate_limit: RateLimit,
    /// How many requests would be admitted now.
    pub remaining: u16,
    /// How long until one more request will be admitted.
    pub reset: Duration,
}
