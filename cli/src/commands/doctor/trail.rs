//! Who created a user, who added the user to which organization, and whom the user created or added: from the table's
//! items and, if they are given, from the functions' log lines.

use std::collections::BTreeSet;
use std::path::Path;

use operator::table::{Account, OperatorTable};
use serde::{Deserialize as _, Serialize};
use serde_json::Value;
use shared::clock::Timestamp;
use shared::model::UserId;
use shared::table::{timestamp_from_text, timestamp_to_text};

use super::read;
use crate::commands::{Failure, Output};

/// One step of the trail.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Step {
    at: String,
    event: Event,
    user_id: String,
    by: Option<String>,
    organization_id: Option<String>,
    request_id: Option<String>,
    source: Source,
    #[serde(skip)]
    sorted_by: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Event {
    Created,
    /// In a log: or was a member already.
    Added,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Source {
    Item,
    Log,
}

/// A request's line, if it is about a user.
#[derive(serde::Deserialize)]
struct Line {
    timestamp: String,
    message: String,
    status: u16,
    request_id: String,
    user_id: Option<String>,
    organization_id: Option<String>,
    affected_user_id: String,
}

pub(super) async fn show(
    user: &UserId,
    log_file: Option<&Path>,
    table: &OperatorTable,
    output: Output,
) -> Result<(), Failure> {
    let mut steps = of_items(user, table).await?;
    if let Some(file) = log_file {
        let lines = lines_of(&read(file)?);
        let lines =
            lines.ok_or_else(|| Failure::refused(format!("{} has no lines of a log", file.display())))?;
        steps.extend(lines.into_iter().filter_map(|line| step_of(line, user)));
    }
    if steps.is_empty() {
        return Err(Failure::refused("nothing is known about this user"));
    }
    steps.sort_by_key(|step| step.sorted_by);
    output.records(&steps, &["At", "Event", "UserId", "By", "OrganizationId", "RequestId", "Source"])
}

async fn of_items(user: &UserId, table: &OperatorTable) -> Result<Vec<Step>, Failure> {
    let Some(data) = table.personal_data(user).await? else { return Ok(Vec::new()) };
    let step = |event, at: Timestamp, by: &UserId, organization_id| -> Result<Step, Failure> {
        Ok(Step {
            at: timestamp_to_text(at)?,
            event,
            user_id: user.to_string(),
            by: Some(by.to_string()),
            organization_id,
            request_id: None,
            source: Source::Item,
            sorted_by: at,
        })
    };
    let mut steps = Vec::new();
    if let Some(Account { created_at, created_by, .. }) = &data.account {
        steps.push(step(Event::Created, *created_at, created_by, None)?);
    }
    for membership in &data.memberships {
        let organization = Some(membership.organization_id.to_string());
        steps.push(step(Event::Added, membership.joined_at, &membership.added_by, organization)?);
    }
    Ok(steps)
}

/// `None` if the line is about others, or its time is none.
fn step_of(line: Line, user: &UserId) -> Option<Step> {
    let is_about = line.affected_user_id == user.as_str() || line.user_id.as_deref() == Some(user.as_str());
    let event = match line.status {
        201 => Event::Created,
        200 => Event::Added,
        _ => return None,
    };
    let sorted_by = timestamp_from_text(&line.timestamp)?;
    is_about.then_some(Step {
        at: line.timestamp,
        event,
        user_id: line.affected_user_id,
        by: line.user_id,
        organization_id: line.organization_id,
        request_id: Some(line.request_id),
        source: Source::Log,
        sorted_by,
    })
}

/// The lines about users in what `aws logs tail`, `aws logs filter-log-events`, `aws logs get-query-results` or a
/// console's export wrote, each once. `None` if no line of it holds JSON.
fn lines_of(text: &str) -> Option<Vec<Line>> {
    let values: Vec<Value> = if let Ok(whole) = serde_json::from_str(text) {
        vec![whole]
    } else {
        // What stands before it is a time, or a stream's name.
        let objects = text.lines().filter_map(|line| line.get(line.find('{')?..));
        objects.filter_map(|object| serde_json::from_str(object).ok()).collect()
    };
    let mut lines = Vec::new();
    for value in &values {
        collect(value, &mut lines);
    }
    let mut seen = BTreeSet::new();
    lines.retain(|line| seen.insert(line.request_id.clone()));
    (!values.is_empty()).then_some(lines)
}

/// Adds the lines within a value, also those that it holds as text.
fn collect(value: &Value, lines: &mut Vec<Line>) {
    match value {
        Value::Object(members) => match Line::deserialize(value) {
            Ok(line) if line.message == "answered" => lines.push(line),
            _ => members.values().for_each(|member| collect(member, lines)),
        },
        Value::Array(values) => values.iter().for_each(|value| collect(value, lines)),
        Value::String(text) if text.starts_with('{') => {
            if let Ok(value) = serde_json::from_str(text) {
                collect(&value, lines);
            }
        }
        _ => {}
    }
}
