//! Metrics: what Lambda, API Gateway and `DynamoDB` write, and what metric filters make of log lines.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::template::Template;

/// A metric's identity.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Metric {
    pub namespace: String,
    pub name: String,
    pub dimensions: BTreeMap<String, String>,
}

impl Metric {
    pub fn new(namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> Self {
        let dimensions = dimensions.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { namespace: namespace.to_owned(), name: name.to_owned(), dimensions: dimensions.collect() }
    }

    /// Whether it is billed: AWS's own metrics are not.
    pub fn is_custom(&self) -> bool {
        !self.namespace.starts_with("AWS/")
    }
}

/// The samples of each metric, by minute: a value, and how often it came.
#[derive(Default)]
pub struct Metrics(BTreeMap<Metric, BTreeMap<u32, Vec<(f64, u32)>>>);

impl Metrics {
    pub fn add(&mut self, metric: Metric, minute: u32, value: f64, times: u32) {
        if times > 0 {
            self.0.entry(metric).or_default().entry(minute).or_default().push((value, times));
        }
    }

    /// Which metrics have ever been written.
    pub fn written(&self) -> BTreeSet<Metric> {
        self.0.keys().cloned().collect()
    }

    /// The samples of a metric in these minutes.
    pub fn samples(&self, metric: &Metric, minutes: std::ops::Range<u32>) -> Vec<(f64, u32)> {
        let samples = self.0.get(metric).into_iter().flat_map(|by_minute| by_minute.range(minutes.clone()));
        samples.flat_map(|(_, samples)| samples).copied().collect()
    }
}

/// The metric filters of a template.
pub struct Filters(Vec<Filter>);

struct Filter {
    log_group: String,
    terms: Vec<Term>,
    metric: Metric,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct FilterProperties {
    log_group_name: String,
    filter_pattern: String,
    metric_transformations: [Transformation; 1],
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Transformation {
    metric_namespace: String,
    metric_name: String,
    metric_value: String,
    #[serde(rename = "Unit")]
    _unit: Option<String>,
}

impl Filters {
    pub fn of(template: &Template) -> Self {
        let filters = template.resources("AWS::Logs::MetricFilter").into_iter().map(|(id, properties)| {
            let properties: FilterProperties =
                serde_json::from_value(properties).unwrap_or_else(|error| panic!("{id}: {error}"));
            let [transformation] = properties.metric_transformations;
            Filter {
                log_group: properties.log_group_name,
                terms: Term::parse_all(&properties.filter_pattern),
                metric: Metric::new(&transformation.metric_namespace, &transformation.metric_name, &[]),
                value: transformation.metric_value,
            }
        });
        Self(filters.collect())
    }

    /// The metrics that they can write.
    pub fn metrics(&self) -> BTreeSet<Metric> {
        self.0.iter().map(|filter| filter.metric.clone()).collect()
    }

    /// What a line of a log group counts.
    pub fn count<'a>(&'a self, log_group: &'a str, line: &'a Value) -> impl Iterator<Item = (Metric, f64)> {
        let matching = self.0.iter().filter(move |filter| {
            filter.log_group == log_group && filter.terms.iter().all(|term| term.matches(line))
        });
        matching.map(|filter| {
            let value = match filter.value.strip_prefix("$.") {
                Some(field) => line[field].as_f64().unwrap(),
                None => filter.value.parse().unwrap(),
            };
            (filter.metric.clone(), value)
        })
    }
}

/// One comparison of a filter pattern (CloudWatch Logs User Guide, "Filter pattern syntax for metric filters"): what
/// the template uses of it.
struct Term {
    field: String,
    operator: String,
    value: Value,
}

impl Term {
    fn parse_all(pattern: &str) -> Vec<Self> {
        let inner = pattern.strip_prefix("{ ").and_then(|rest| rest.strip_suffix(" }")).unwrap();
        inner.split(" && ").map(Self::parse).collect()
    }

    fn parse(term: &str) -> Self {
        let term = term.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(term);
        let (field, rest) = term.strip_prefix("$.").and_then(|rest| rest.split_once(' ')).unwrap();
        let (operator, value) = rest.split_once(' ').unwrap();
        assert!(["=", ">="].contains(&operator), "this model of filters does not know {operator}");
        let value = serde_json::from_str(value).unwrap();
        Self { field: field.to_owned(), operator: operator.to_owned(), value }
    }

    fn matches(&self, line: &Value) -> bool {
        let field = &line[&self.field];
        match (&*self.operator, &self.value) {
            ("=", Value::String(due)) => field.as_str().is_some_and(|text| match due.strip_suffix('*') {
                Some(start) => text.starts_with(start),
                None => text == due,
            }),
            ("=", due) => field.as_f64().is_some_and(|number| Some(number) == due.as_f64()),
            (_, due) => field.as_f64().is_some_and(|number| Some(number) >= due.as_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_filter_matches_texts_numbers_and_beginnings() {
        let line = json!({ "message": "answered", "status": 500, "cause": "a cause: more" });
        let matches = |pattern: &str| Term::parse_all(pattern).iter().all(|term| term.matches(&line));
        for pattern in [
            r#"{ $.message = "answered" }"#,
            r#"{ ($.message = "answered") && ($.status = 500) }"#,
            r#"{ $.cause = "a cause*" }"#,
            "{ $.status >= 0 }",
        ] {
            assert!(matches(pattern), "{pattern}");
        }
        for pattern in [
            r#"{ $.message = "answer" }"#,
            r#"{ ($.message = "answered") && ($.status = 503) }"#,
            r#"{ $.status = "500" }"#,
            "{ $.message = 500 }",
            "{ $.status >= 501 }",
            "{ $.missing >= 0 }",
        ] {
            assert!(!matches(pattern), "{pattern}");
        }
    }
}
