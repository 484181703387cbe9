//! The Lambda function `list-organizations`.

fn main() -> std::process::ExitCode {
    shared::function::run(list_organizations::ENDPOINT)
}
