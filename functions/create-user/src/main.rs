//! The Lambda function `create-user`.

fn main() -> std::process::ExitCode {
    shared::lambda::run(create_user::ENDPOINT)
}
