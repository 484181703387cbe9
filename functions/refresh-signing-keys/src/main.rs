//! The Lambda function `refresh-signing-keys`.

fn main() -> std::process::ExitCode {
    shared::lambda::run_scheduled::<refresh_signing_keys::RefreshSigningKeys>()
}
