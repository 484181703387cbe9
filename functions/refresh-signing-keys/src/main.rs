//! The Lambda function `refresh-signing-keys`.

fn main() -> std::process::ExitCode {
    shared::function::run_scheduled::<refresh_signing_keys::RefreshSigningKeys>()
}
