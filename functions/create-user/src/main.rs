//! The Lambda function `create-user`.

fn main() -> std::process::ExitCode {
    shared::function::run(create_user::ENDPOINT)
}
