//! The Lambda function `check-user-exists`.

fn main() -> std::process::ExitCode {
    shared::lambda::run(check_user_exists::ENDPOINT)
}
