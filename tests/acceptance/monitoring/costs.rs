//! What monitoring costs a month, worked out from the template.

use super::alarms::Alarm;
use super::metrics::{Filters, Metric};
use super::template::Template;
use super::traffic::{Fault, Plan, Stack};
use crate::endpoints::assert_table;

/// "Amazon CloudWatch Pricing", us-east-1, in USD, as they were in 2025. The first 10 alarm metrics, 10 custom metrics,
/// three dashboards of up to 50 metrics and 5 GB of logs of an account are free; this counts none of it as free.
const ALARM_METRIC: f64 = 0.10;
/// For a month of hours in which it has data.
const CUSTOM_METRIC: f64 = 0.30;
const DASHBOARD: f64 = 3.00;
const GB_OF_LOGS: f64 = 0.50;
/// An environment's monitoring may cost this, with 30 requests a minute.
const MOST: f64 = 12.00;
/// More makes an account's first three dashboards cost too.
const MOST_METRICS_OF_A_DASHBOARD: usize = 50;
/// What API Gateway counts for each route if `DetailedMetricsEnabled` is on ("Working with metrics for HTTP APIs").
const METRICS_OF_A_ROUTE: usize = 6;
const MINUTES_A_MONTH: f64 = 30.0 * 24.0 * 60.0;
/// Estimates: Lambda's own lines of a request (`platform.start`, `platform.report`), and the access log's.
const BYTES_OF_LAMBDA: usize = 500;
const BYTES_OF_THE_ACCESS_LOG: usize = 230;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn monitoring_costs_at_most_12_dollars_a_month() {
    let template = Template::of("prod");
    let plan = Plan::new(&template).await;
    let bytes = plan.log_bytes_of_a_request() + BYTES_OF_LAMBDA + BYTES_OF_THE_ACCESS_LOG;

    let alarm_metrics: usize = Alarm::all(&template).iter().map(|alarm| alarm.metrics().len()).sum();
    let custom = Filters::of(&template).metrics();
    // Those that have data even if nothing is wrong.
    let mut stack = Stack::new(&plan, "get-profile", 30.0, 1);
    (0..60).for_each(|minute| stack.pass(minute, Fault::None, false));
    let always = stack.metrics.written().into_iter().filter(Metric::is_custom).count();
    let detailed = detailed_route_metrics(&template);
    let on_dashboard = metrics_of_the_dashboard(&template).len();
    assert!(on_dashboard <= MOST_METRICS_OF_A_DASHBOARD, "{on_dashboard} metrics on the dashboard");

    let rows = [
        ("metrics that alarms read", alarm_metrics, ALARM_METRIC),
        ("custom metrics that always have data", always, CUSTOM_METRIC),
        ("custom metrics that have data only in an hour with a fault", custom.len() - always, CUSTOM_METRIC),
        ("detailed metrics of the API's routes", detailed, CUSTOM_METRIC),
        ("dashboard", 1, DASHBOARD),
    ];
    let cost = |(_, number, price): &(&str, usize, f64)| float(*number) * price;
    let most: f64 = rows.iter().map(cost).sum();
    let usual = most - cost(&rows[2]);
    let mut due: Vec<_> = rows
        .iter()
        .map(|row| format!("| {} | {} | {:.2} | {:.2} |", row.0, row.1, row.2, cost(row)))
        .collect();
    due.push(format!("| **together, if nothing is wrong** | | | **{usual:.2}** |"));
    due.push(format!("| **together, if every metric has data in every hour** | | | **{most:.2}** |"));
    for rate in super::RATES {
        let gigabytes = rate * MINUTES_A_MONTH * float(bytes) / 1e9;
        let logs = gigabytes * GB_OF_LOGS;
        due.push(format!(
            "| logs (requests a minute: {}) | {gigabytes:.2} GB | {GB_OF_LOGS:.2} | {logs:.2} |",
            thousands(rate)
        ));
        assert!(rate > 30.0 || most + logs <= MOST, "{most:.2} and {logs:.2} for logs");
    }
    assert_table(super::PAGE, "| monitoring | number | USD each | USD a month |", &due);
}

fn detailed_route_metrics(template: &Template) -> usize {
    let is_on = |settings: &serde_json::Value| settings["DetailedMetricsEnabled"] == true;
    let by_route = template.property("Api", "RouteSettings");
    let routes = by_route.as_object().unwrap().values().filter(|settings| is_on(settings)).count();
    let all = if is_on(&template.property("Api", "DefaultRouteSettings")) {
        users::local::ENDPOINTS.len()
    } else {
        0
    };
    routes.max(all) * METRICS_OF_A_ROUTE
}

/// The metrics of the dashboard, each as its path.
fn metrics_of_the_dashboard(template: &Template) -> Vec<Vec<String>> {
    let body = template.property("Dashboard", "DashboardBody");
    let body: serde_json::Value = serde_json::from_str(body.as_str().unwrap()).unwrap();
    let widgets = body["widgets"].as_array().unwrap().iter();
    let mut all = Vec::new();
    for metrics in widgets.filter_map(|widget| widget["properties"]["metrics"].as_array()) {
        let mut before = Vec::new();
        for metric in metrics {
            let path =
                metric.as_array().unwrap().iter().filter_map(|part| part.as_str().map(ToOwned::to_owned));
            let mut path: Vec<_> = path.collect();
            if path[0] == "..." {
                let kept = before.len() - (path.len() - 1);
                path.splice(..1, before[..kept].to_vec());
            }
            before.clone_from(&path);
            all.push(path);
        }
    }
    all
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn float(number: usize) -> f64 {
    number as f64
}

/// A whole number, with a comma at each thousand.
pub fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    match digits.len().checked_sub(3) {
        Some(start @ 1..) => format!("{},{}", &digits[..start], &digits[start..]),
        _ => digits,
    }
}

#[test]
fn each_metric_of_the_dashboard_is_written_by_somebody() {
    let template = Template::of("prod");
    let custom = Filters::of(&template).metrics();
    let functions = template.function_names();
    for path in metrics_of_the_dashboard(&template) {
        let parts: Vec<_> = path.iter().map(String::as_str).collect();
        let is_written = match parts.as_slice() {
            ["AWS/Lambda", "Invocations" | "Duration" | "Errors" | "Throttles", "FunctionName", function] => {
                functions.iter().any(|name| name == function)
            }
            ["AWS/Lambda", "ConcurrentExecutions"]
            | [
                "AWS/ApiGateway",
                "Count" | "4xx" | "5xx" | "Latency" | "IntegrationLatency",
                "ApiId",
                "Api",
                "Stage",
                "prod",
            ]
            | [
                "AWS/DynamoDB",
                "ConsumedReadCapacityUnits"
                | "ConsumedWriteCapacityUnits"
                | "ReadThrottleEvents"
                | "WriteThrottleEvents",
                "TableName",
                "users",
            ] => true,
            [namespace, name] => {
                custom.iter().any(|metric| metric.namespace == *namespace && metric.name == *name)
            }
            _ => false,
        };
        assert!(is_written, "nobody writes {path:?}");
    }
}
