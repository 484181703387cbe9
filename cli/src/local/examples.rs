//! Commands to copy, one per endpoint.

use super::{JANE, SigningKey, claims_of_jane};
use shared::clock::Timestamp;

/// A command that calls an endpoint.
pub(crate) struct Example {
    /// What the command does, and the role that it needs.
    pub(crate) title: &'static str,
    /// The command, in which a token lasts a day.
    pub(crate) command: String,
}

/// The commands for the API at `api`, with tokens of the demo user.
pub(crate) fn examples(api: &str, signing_key: &SigningKey, now: Timestamp) -> [Example; 6] {
    let token = |role: &str| {
        format!("-H \"Authorization: Bearer {}\"", signing_key.token(&claims_of_jane(role), now))
    };
    let (admin, customer) = (token("Admin"), token("Customer"));
    let new_user = r#"{"FirstName":"Ada","LastName":"Lovelace","Email":"ada@example.com","Password":"SecurePass123!","PhoneNumber":"561-555-1212"}"#;
    [
        ("Does an account exist?", format!("curl \"{api}/api/users/exists?Email=john%40example.com\"")),
        ("Who am I? (Customer)", format!("curl {api}/api/users/profile {customer}")),
        (
            "Create a user (Admin)",
            format!(
                "curl -X POST {api}/api/users -H \"Content-Type: application/json\" -d '{new_user}' {admin}"
            ),
        ),
        ("My organizations (Admin)", format!("curl {api}/api/users/organizations {admin}")),
        (
            "A user's customer account here (Admin)",
            format!("curl \"{api}/api/users/customer-association?UserId={JANE}\" {admin}"),
        ),
        (
            "A user's customer accounts everywhere (Admin)",
            format!("curl \"{api}/api/users/customer-associations?UserId={JANE}\" {admin}"),
        ),
    ]
    .map(|(title, command)| Example { title, command })
}
