//! Shows every call to a table as it is sent.

use std::sync::Arc;

use shared::aws;
use shared::table::Table;

/// Gets every call to the table, each try separately: the operation, such as `GetItem`, and the request's body, JSON as
/// the DynamoDB API defines it. Runs in the task that makes the call.
pub type CallObserver = Arc<dyn Fn(&str, &[u8]) + Send + Sync>;

/// The same table, with every call to it shown to `observer`.
#[must_use]
pub fn observed(table: &Table, observer: CallObserver) -> Table {
    Table::new(table.client().clone().with_observer(Arc::new(Observe(observer))), table.name())
}

struct Observe(CallObserver);

impl aws::CallObserver for Observe {
    fn sending(&self, operation: &str, body: &[u8]) {
        (self.0)(operation, body);
    }
}
