//! The Lambda function `get-profile`.

fn main() -> std::process::ExitCode {
    shared::lambda::run(get_profile::ENDPOINT)
}
