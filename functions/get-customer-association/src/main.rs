//! The Lambda function `get-customer-association`.

fn main() -> std::process::ExitCode {
    shared::lambda::run(get_customer_association::ENDPOINT)
}
