//! The Lambda function `get-profile`.

fn main() -> std::process::ExitCode {
    shared::function::run(get_profile::ENDPOINT)
}
