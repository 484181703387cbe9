//! How `CloudWatch` evaluates an alarm.
//!
//! Sources: CloudWatch User Guide, "Alarm evaluation", "Configuring how CloudWatch alarms treat missing data",
//! "Percentile-based alarms and low data samples". The model is the part that the template uses; an alarm with any other
//! property fails. Three things are not documented, so the model assumes them: an alarm is evaluated every minute, it
//! reads [`MORE_POINTS`] points more than it needs (as in the guide's examples), and a minute's data is there one minute
//! after the minute's end.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::expression;
use super::metrics::{Metric, Metrics};
use super::template::Template;

/// How many points before the last evaluation periods are read too. They count only if some of the later are missing.
const MORE_POINTS: u32 = 2;
/// How late the data of a minute is.
const DELAY_MINUTES: u32 = 1;

#[derive(Clone, Debug)]
pub struct Alarm {
    /// Without the stack's name.
    pub name: String,
    pub sources: Vec<Source>,
    comparison: Comparison,
    pub threshold: f64,
    period_minutes: u32,
    evaluation_periods: u32,
    breaching_to_fire: u32,
    missing: Missing,
    pub low_samples: LowSamples,
}

/// A metric or an expression, with its id.
#[derive(Clone, Debug)]
pub struct Source {
    id: String,
    of: SourceKind,
}

#[derive(Clone, Debug)]
enum SourceKind {
    Metric(Metric, Statistic),
    Expression(String),
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Statistic {
    Sum,
    Maximum,
    /// In percent.
    Percentile(f64),
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Comparison {
    GreaterThanThreshold,
    GreaterThanOrEqualToThreshold,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Missing {
    Breaching,
    NotBreaching,
}

#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LowSamples {
    Evaluate,
    Ignore,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Ok,
    Alarm,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Properties {
    alarm_name: String,
    alarm_description: String,
    /// Of a formula.
    metrics: Option<Vec<Query>>,
    /// Of one metric.
    namespace: Option<String>,
    metric_name: Option<String>,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    statistic: Option<String>,
    extended_statistic: Option<String>,
    period: Option<u32>,
    comparison_operator: Comparison,
    threshold: f64,
    evaluation_periods: u32,
    datapoints_to_alarm: Option<u32>,
    evaluate_low_sample_count_percentile: Option<LowSamples>,
    treat_missing_data: Missing,
    alarm_actions: [Value; 1],
    #[serde(rename = "OKActions")]
    ok_actions: [Value; 1],
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Query {
    id: String,
    #[serde(rename = "Label")]
    _label: Option<String>,
    expression: Option<String>,
    metric_stat: Option<MetricStat>,
    #[serde(default = "returns_data")]
    return_data: bool,
}

fn returns_data() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct MetricStat {
    period: u32,
    stat: String,
    metric: MetricProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct MetricProperties {
    namespace: String,
    metric_name: String,
    #[serde(default)]
    dimensions: Vec<Dimension>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Dimension {
    name: String,
    value: String,
}

fn metric(namespace: &str, name: &str, dimensions: &[Dimension]) -> Metric {
    let dimensions: Vec<_> =
        dimensions.iter().map(|each| (each.name.as_str(), each.value.as_str())).collect();
    Metric::new(namespace, name, &dimensions)
}

impl Statistic {
    fn parse(text: &str) -> Self {
        match text {
            "Sum" => Self::Sum,
            "Maximum" => Self::Maximum,
            percentile => Self::Percentile(percentile.strip_prefix('p').unwrap().parse().unwrap()),
        }
    }

    /// `None` without samples.
    fn of(self, mut samples: Vec<(f64, u32)>) -> Option<f64> {
        samples.sort_by(|left, right| left.0.total_cmp(&right.0));
        let number = count(&samples);
        match self {
            Self::Sum => {
                (number > 0).then(|| samples.iter().map(|(value, times)| value * f64::from(*times)).sum())
            }
            Self::Maximum => samples.last().map(|(value, _)| *value),
            Self::Percentile(percent) => {
                let mut below = 0;
                let rank = (percent / 100.0 * f64::from(number)).ceil();
                let at_rank = samples.iter().find(|(_, times)| {
                    below += times;
                    f64::from(below) >= rank
                });
                at_rank.map(|(value, _)| *value)
            }
        }
    }

    /// How many samples make a percentile that counts if low samples are ignored: 10/(1 − percentile).
    fn enough(self) -> u32 {
        match self {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 10,000")]
            Self::Percentile(percent) => (10.0 / (1.0 - percent / 100.0)).round() as u32,
            Self::Sum | Self::Maximum => 0,
        }
    }
}

fn count(samples: &[(f64, u32)]) -> u32 {
    samples.iter().map(|(_, times)| times).sum()
}

impl Alarm {
    /// The alarms of a template, by name.
    pub fn all(template: &Template) -> Vec<Self> {
        let stack = format!("{}-", template.property("Dashboard", "DashboardName").as_str().unwrap());
        let mut alarms: Vec<_> = template
            .resources("AWS::CloudWatch::Alarm")
            .into_iter()
            .map(|(id, properties)| {
                let properties =
                    serde_json::from_value(properties).unwrap_or_else(|error| panic!("{id}: {error}"));
                Self::new(properties, &stack)
            })
            .collect();
        alarms.sort_by(|left, right| left.name.cmp(&right.name));
        alarms
    }

    fn new(properties: Properties, stack: &str) -> Self {
        let alarm = properties.alarm_name;
        let name = alarm.strip_prefix(stack).unwrap().to_owned();
        assert!(properties.alarm_description.contains("docs/operations.md: \""), "{name}");
        // Who hears of the beginning hears of the end.
        assert_eq!(properties.alarm_actions, properties.ok_actions, "{name}");
        let (sources, period) = if let Some(queries) = properties.metrics {
            of_formula(queries)
        } else {
            let statistic = properties.statistic.or(properties.extended_statistic).unwrap();
            let (namespace, name) = (properties.namespace.unwrap(), properties.metric_name.unwrap());
            let metric = metric(&namespace, &name, &properties.dimensions);
            let of = SourceKind::Metric(metric, Statistic::parse(&statistic));
            (vec![Source { id: "metric".into(), of }], properties.period.unwrap())
        };
        Self {
            name,
            sources,
            comparison: properties.comparison_operator,
            threshold: properties.threshold,
            period_minutes: period / 60,
            evaluation_periods: properties.evaluation_periods,
            breaching_to_fire: properties.datapoints_to_alarm.unwrap_or(properties.evaluation_periods),
            missing: properties.treat_missing_data,
            low_samples: properties.evaluate_low_sample_count_percentile.unwrap_or(LowSamples::Evaluate),
        }
    }

    /// The metrics that it reads. Each is billed.
    pub fn metrics(&self) -> Vec<&Metric> {
        let metrics = self.sources.iter().filter_map(|source| match &source.of {
            SourceKind::Metric(metric, _) => Some(metric),
            SourceKind::Expression(_) => None,
        });
        metrics.collect()
    }

    /// Its state at the beginning of a minute.
    pub fn evaluate(&self, metrics: &Metrics, now: u32, state: State) -> State {
        // Of the newest point that has data.
        let is_low = |source: &Source| match &source.of {
            SourceKind::Metric(metric, statistic) => {
                let points = 0..self.evaluation_periods + MORE_POINTS;
                let counts = points.map(|point| count(&metrics.samples(metric, self.minutes(now, point))));
                counts.into_iter().find(|&count| count > 0).is_some_and(|count| count < statistic.enough())
            }
            SourceKind::Expression(_) => false,
        };
        if self.low_samples == LowSamples::Ignore && self.sources.iter().any(is_low) {
            return state;
        }
        let points = self.points(metrics, now).into_iter();
        let breaching = points.map(|point| {
            point.map(|value| match self.comparison {
                Comparison::GreaterThanThreshold => value > self.threshold,
                Comparison::GreaterThanOrEqualToThreshold => value >= self.threshold,
            })
        });
        verdict(&breaching.collect::<Vec<_>>(), self.evaluation_periods, self.breaching_to_fire, self.missing)
    }

    /// The minutes of a point whose data is there; the newest point is number 0.
    fn minutes(&self, now: u32, point: u32) -> std::ops::Range<u32> {
        let end = now.saturating_sub(point * self.period_minutes);
        let start = end.saturating_sub(self.period_minutes);
        start..end.min(now.saturating_sub(DELAY_MINUTES)).max(start)
    }

    /// The points that are read, oldest first.
    fn points(&self, metrics: &Metrics, now: u32) -> expression::Series {
        let series = |metric: &Metric, statistic: Statistic| -> expression::Series {
            let points = (0..self.evaluation_periods + MORE_POINTS).rev();
            points.map(|point| statistic.of(metrics.samples(metric, self.minutes(now, point)))).collect()
        };
        let mut by_id = BTreeMap::new();
        let mut last = Vec::new();
        for source in &self.sources {
            last = match &source.of {
                SourceKind::Metric(metric, statistic) => {
                    let series = series(metric, *statistic);
                    by_id.insert(source.id.clone(), series.clone());
                    series
                }
                SourceKind::Expression(expression) => expression::evaluate(expression, &by_id),
            };
        }
        last
    }
}

/// The metrics of a formula, then the formula; and their period in seconds.
fn of_formula(queries: Vec<Query>) -> (Vec<Source>, u32) {
    let (mut sources, mut expressions, mut period) = (Vec::new(), Vec::new(), None);
    for query in queries {
        match (query.metric_stat, query.expression) {
            (Some(stat), None) => {
                assert!(!query.return_data, "{}: only the formula is watched", query.id);
                assert_eq!(*period.get_or_insert(stat.period), stat.period, "{}: one period", query.id);
                let of = metric(&stat.metric.namespace, &stat.metric.metric_name, &stat.metric.dimensions);
                let of = SourceKind::Metric(of, Statistic::parse(&stat.stat));
                sources.push(Source { id: query.id, of });
            }
            (None, Some(expression)) => {
                assert!(query.return_data, "{}: the formula is watched", query.id);
                expressions.push(Source { id: query.id, of: SourceKind::Expression(expression) });
            }
            _ => panic!("{}: a metric or an expression", query.id),
        }
    }
    assert_eq!(expressions.len(), 1, "one formula");
    sources.append(&mut expressions);
    (sources, period.unwrap())
}

/// The state by points that breach the threshold, do not, or are missing, oldest first.
fn verdict(points: &[Option<bool>], periods: u32, to_alarm: u32, missing: Missing) -> State {
    let periods = usize::try_from(periods).unwrap();
    let real: Vec<bool> = points.iter().copied().flatten().collect();
    // The most recent ones, even if they are older than the evaluation periods.
    let evaluated = &real[real.len().saturating_sub(periods)..];
    let breaching = evaluated.iter().filter(|breaching| **breaching).count();
    let filled = match missing {
        Missing::Breaching => periods - evaluated.len(),
        Missing::NotBreaching => 0,
    };
    if breaching + filled >= usize::try_from(to_alarm).unwrap() { State::Alarm } else { State::Ok }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables of "How alarm state is evaluated when data is missing": points (0 in, X beyond the threshold,
    /// – missing), and the state if missing points are breaching and if they are not.
    #[test]
    fn the_guides_own_examples_come_out_as_it_says() {
        let three_of_three = [
            ("0-X-X", State::Ok, State::Ok),
            ("0----", State::Ok, State::Ok),
            ("-----", State::Alarm, State::Ok),
            ("0XX-X", State::Alarm, State::Alarm),
            ("--X--", State::Alarm, State::Ok),
        ];
        let two_of_three = [
            ("0-X-X", State::Alarm, State::Alarm),
            ("00X0X", State::Alarm, State::Alarm),
            ("0-X--", State::Alarm, State::Ok),
            ("----0", State::Alarm, State::Ok),
            ("---X-", State::Alarm, State::Ok),
        ];
        for (to_alarm, rows) in [(3, three_of_three), (2, two_of_three)] {
            for (points, breaching, not_breaching) in rows {
                let read: Vec<_> = points.chars().map(|c| (c != '-').then_some(c == 'X')).collect();
                let of = |missing| verdict(&read, 3, to_alarm, missing);
                assert_eq!(of(Missing::Breaching), breaching, "{to_alarm} of 3: {points}");
                assert_eq!(of(Missing::NotBreaching), not_breaching, "{to_alarm} of 3: {points}");
            }
        }
    }

    #[test]
    fn a_percentile_is_a_sample_and_enough_are_ten_beyond_it() {
        let p99 = Statistic::parse("p99");
        assert_eq!(p99.enough(), 1000);
        assert_eq!(p99.of(vec![(7.0, 1)]), Some(7.0));
        assert_eq!(p99.of(vec![(9.0, 1), (1.0, 99)]), Some(1.0));
        assert_eq!(p99.of(vec![(9.0, 2), (1.0, 98)]), Some(9.0));
        assert_eq!(p99.of(vec![]), None);
        assert_eq!(Statistic::Sum.of(vec![(2.0, 3), (1.0, 1)]), Some(7.0));
    }
}
