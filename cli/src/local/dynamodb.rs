//! A real DynamoDB API on a file or in memory.

use std::path::Path;

use dynoxide::Database;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The database's file in the data directory.
pub(super) const FILE: &str = "dynamodb.sqlite";

/// Starts the API on `listener`; it runs until `stopped` turns true.
pub(super) fn start(
    listener: TcpListener,
    data_dir: Option<&Path>,
    mut stopped: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, String> {
    let database = match data_dir {
        Some(data_dir) => {
            let file = data_dir.join(FILE);
            Database::new(&file.to_string_lossy()).map_err(|error| {
                format!(
                    "cannot open the table's file {}: is it damaged, or of another program? Delete it, or choose another \
                     directory with --data-dir ({error})",
                    file.display()
                )
            })?
        }
        None => Database::memory().map_err(|error| format!("cannot make a table in memory: {error}"))?,
    };
    Ok(tokio::spawn(async move {
        let stop = async move {
            let _ = stopped.wait_for(|&stopped| stopped).await;
        };
        if let Err(error) = dynoxide::server::serve_with_shutdown(listener, database, stop).await {
            tracing::error!("the local DynamoDB API ended: {error}");
        }
    }))
}
