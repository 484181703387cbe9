//! Shows every call to a table as it is sent.

use std::fmt;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use shared::table::Table;

/// Gets every call to the table, each try separately: the operation, such as `GetItem`, and the request's body, JSON as
/// the DynamoDB API defines it. Runs in the task that makes the call.
pub type CallObserver = Arc<dyn Fn(&str, &[u8]) + Send + Sync>;

/// The same table, with every call to it shown to `observer`.
#[must_use]
pub fn observed(table: &Table, observer: CallObserver) -> Table {
    let config = table.client().config().to_builder().interceptor(Observe(observer));
    Table::new(Client::from_conf(config.build()), table.name())
}

struct Observe(CallObserver);

impl fmt::Debug for Observe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observe")
    }
}

impl Intercept for Observe {
    fn name(&self) -> &'static str {
        "Observe"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        // `DynamoDB_20120810.GetItem`
        let operation =
            request.headers().get("x-amz-target").and_then(|target| target.split('.').next_back());
        if let (Some(operation), Some(body)) = (operation, request.body().bytes()) {
            (self.0)(operation, body);
        }
        Ok(())
    }
}
