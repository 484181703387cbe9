//! The table itself.

use operator::table::{OperatorTable, TableDescription};
use shared::table::storage::{KEY_ATTRIBUTES, TTL_ATTRIBUTE};

use super::report::{Check, Report, State};
use crate::commands::Failure;

/// What a deployed table must have and a local one may lack.
fn lacking(is_local: bool) -> State {
    if is_local { State::Note } else { State::Wrong }
}

/// `None` if there is no table.
pub(super) async fn check(
    table: &OperatorTable,
    is_local: bool,
    report: &mut Report,
) -> Result<Option<TableDescription>, Failure> {
    let name = table.name();
    let Some(description) = table.describe().await? else {
        let advice = format!("`users table create --table {name}` makes it; deployed, the stack does");
        report.add(Check::new("table", State::Wrong, format!("there is no table {name}")).advise(advice));
        return Ok(None);
    };
    let TableDescription { status, keys, ttl_attribute, item_count, size_bytes, .. } = &description;
    let found = format!("{name}: {status}, about {item_count} items in {} kB", size_bytes / 1000);
    report.add(match status.as_str() {
        "ACTIVE" => Check::new("table", State::Ok, found),
        "UPDATING" => Check::new("table", State::Warning, found).advise("it can be used; look again later"),
        _ => {
            Check::new("table", State::Wrong, found).advise("it cannot be used: look at it in AWS's console")
        }
    });
    if *keys == KEY_ATTRIBUTES {
        report.add(Check::new("keys", State::Ok, keys.join(", ")));
    } else {
        let found = format!("{}, not {}", keys.join(", "), KEY_ATTRIBUTES.join(", "));
        let advice =
            "it is another service's table, and keys cannot be changed: give the functions one of their own";
        report.add(Check::new("keys", State::Wrong, found).advise(advice));
    }
    report.add(expiry(name, ttl_attribute.as_deref(), is_local));
    report.add(recovery(table, is_local).await);
    report.add(protection(name, description.deletion_protection, is_local));
    Ok(Some(description))
}

fn expiry(table: &str, attribute: Option<&str>, is_local: bool) -> Check {
    let on = format!(
        "`aws dynamodb update-time-to-live --table-name {table} --time-to-live-specification \
         Enabled=true,AttributeName={TTL_ATTRIBUTE}`"
    );
    match attribute {
        Some(TTL_ATTRIBUTE) => Check::new("TTL", State::Ok, format!("on {TTL_ATTRIBUTE}")),
        Some(other) => Check::new("TTL", State::Wrong, format!("on {other}, not on {TTL_ATTRIBUTE}"))
            .advise(format!("switch it off, and an hour later: {on}")),
        None => {
            let state = if is_local { State::Warning } else { State::Wrong };
            Check::new("TTL", state, "off: the addresses of the limiter's clients stay for ever").advise(on)
        }
    }
}

async fn recovery(table: &OperatorTable, is_local: bool) -> Check {
    const CHECK: &str = "point-in-time recovery";
    match table.point_in_time_recovery().await {
        Ok(true) => Check::new(CHECK, State::Ok, "on"),
        Ok(false) => {
            let check = Check::new(CHECK, lacking(is_local), "off: what is deleted is gone");
            if is_local {
                return check;
            }
            check.advise(format!(
                "`aws dynamodb update-continuous-backups --table-name {} --point-in-time-recovery-specification \
                 PointInTimeRecoveryEnabled=true`",
                table.name()
            ))
        }
        Err(error) => {
            let found = format!("not known here: {}", error.log().unwrap_or("no answer"));
            Check::new(CHECK, State::Note, found)
        }
    }
}

fn protection(table: &str, on: bool, is_local: bool) -> Check {
    const CHECK: &str = "deletion protection";
    match (on, is_local) {
        (true, _) => Check::new(CHECK, State::Ok, "on"),
        (false, true) => Check::new(CHECK, State::Note, "off"),
        (false, false) => Check::new(CHECK, State::Warning, "off").advise(format!(
            "in production: `aws dynamodb update-table --table-name {table} --deletion-protection-enabled`"
        )),
    }
}
