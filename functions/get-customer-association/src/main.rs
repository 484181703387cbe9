//! The Lambda function `get-customer-association`.

fn main() -> std::process::ExitCode {
    shared::function::run(get_customer_association::ENDPOINT)
}
