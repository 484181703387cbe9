//! The Lambda function `list-organizations`.

fn main() -> std::process::ExitCode {
    shared::lambda::run(list_organizations::ENDPOINT)
}
