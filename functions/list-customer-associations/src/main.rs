//! The Lambda function `list-customer-associations`.

fn main() -> std::process::ExitCode {
    shared::lambda::run(list_customer_associations::ENDPOINT)
}
