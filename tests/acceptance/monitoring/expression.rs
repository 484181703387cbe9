//! Metric math (CloudWatch User Guide, "Using math expressions with CloudWatch metrics"): the part that the template uses.
//! Anything else fails.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// One value a period, oldest first; `None` where there is no data.
pub type Series = Vec<Option<f64>>;

#[derive(Clone, Debug)]
enum Term {
    Number(f64),
    Series(Series),
    Array(Vec<Series>),
}

/// The value of an expression over these metrics.
pub fn evaluate(expression: &str, metrics: &BTreeMap<String, Series>) -> Series {
    let mut reader = Reader { rest: expression.chars().peekable(), metrics };
    let value = reader.comparison();
    assert_eq!(reader.peek(), None, "{expression}");
    match value {
        Term::Series(series) => series,
        other => panic!("{expression} is no time series: {other:?}"),
    }
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    metrics: &'a BTreeMap<String, Series>,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
        self.rest.peek().copied()
    }

    fn take(&mut self, due: char) -> bool {
        self.peek() == Some(due) && self.rest.next().is_some()
    }

    fn word(&mut self, belongs: impl Fn(char) -> bool) -> String {
        self.peek();
        std::iter::from_fn(|| self.rest.next_if(|&c| belongs(c))).collect()
    }

    fn comparison(&mut self) -> Term {
        let left = self.product();
        if !self.take('>') {
            return left;
        }
        assert!(self.take('='), "this model of metric math knows no > alone");
        let right = self.product();
        binary(&left, &right, |left, right| Some(f64::from(u8::from(left >= right))))
    }

    fn product(&mut self) -> Term {
        let mut left = self.operand();
        loop {
            left = match self.peek() {
                Some('*') => {
                    self.take('*');
                    binary(&left, &self.operand(), |left, right| Some(left * right))
                }
                Some('/') => {
                    self.take('/');
                    binary(&left, &self.operand(), |left, right| (right != 0.0).then(|| left / right))
                }
                _ => return left,
            };
        }
    }

    fn operand(&mut self) -> Term {
        match self.peek() {
            Some('[') => {
                let parts = self.list('[', ']');
                let parts = parts.into_iter().map(|part| match part {
                    Term::Series(series) => series,
                    other => panic!("no time series: {other:?}"),
                });
                Term::Array(parts.collect())
            }
            Some('0'..='9') => Term::Number(self.word(|c| c.is_ascii_digit() || c == '.').parse().unwrap()),
            _ => {
                let name = self.word(|c| c.is_ascii_alphanumeric() || c == '_');
                if self.peek() != Some('(') {
                    let series =
                        self.metrics.get(&name).unwrap_or_else(|| panic!("there is no metric {name}"));
                    return Term::Series(series.clone());
                }
                let arguments = self.list('(', ')');
                self.call(&name, &arguments)
            }
        }
    }

    fn list(&mut self, open: char, close: char) -> Vec<Term> {
        assert!(self.take(open));
        let mut parts = Vec::new();
        while !self.take(close) {
            parts.push(self.comparison());
            self.take(',');
        }
        parts
    }

    fn call(&self, name: &str, arguments: &[Term]) -> Term {
        match (name, arguments) {
            ("METRICS", []) => Term::Array(self.metrics.values().cloned().collect()),
            ("FILL", [Term::Series(series), Term::Number(value)]) => Term::Series(filled(series, *value)),
            ("FILL", [Term::Array(array), Term::Number(value)]) => {
                Term::Array(array.iter().map(|series| filled(series, *value)).collect())
            }
            ("SUM", [Term::Array(array)]) => across(array, |left, right| left + right),
            ("MAX", [Term::Array(array)]) => across(array, f64::max),
            ("IF", [Term::Series(condition), then, otherwise]) => {
                let points = condition
                    .iter()
                    .enumerate()
                    .map(|(at, &holds)| if holds? == 0.0 { point(otherwise, at) } else { point(then, at) });
                Term::Series(points.collect())
            }
            other => panic!("this model of metric math does not know {other:?}"),
        }
    }
}

fn point(term: &Term, at: usize) -> Option<f64> {
    match term {
        Term::Number(number) => Some(*number),
        Term::Series(series) => series[at],
        Term::Array(_) => panic!("no time series: {term:?}"),
    }
}

fn filled(series: &Series, value: f64) -> Series {
    series.iter().map(|point| point.or(Some(value))).collect()
}

/// Combines the series point by point. A missing point is left out.
fn across(array: &[Series], combine: fn(f64, f64) -> f64) -> Term {
    let length = array.first().map_or(0, Vec::len);
    let points = (0..length).map(|at| array.iter().filter_map(|series| series[at]).reduce(combine));
    Term::Series(points.collect())
}

/// A missing point on either side is missing in the result.
fn binary(left: &Term, right: &Term, combine: impl Fn(f64, f64) -> Option<f64>) -> Term {
    let combine = |left: Option<f64>, right: Option<f64>| combine(left?, right?);
    match (left, right) {
        (Term::Series(left), Term::Series(right)) => {
            Term::Series(left.iter().zip(right).map(|(&left, &right)| combine(left, right)).collect())
        }
        (Term::Series(left), Term::Number(right)) => {
            Term::Series(left.iter().map(|&left| combine(left, Some(*right))).collect())
        }
        (Term::Number(left), Term::Series(right)) => {
            Term::Series(right.iter().map(|&right| combine(Some(*left), right)).collect())
        }
        other => panic!("this model of metric math does not combine {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computes_as_the_user_guide_says() {
        let metrics = BTreeMap::from([
            ("a".to_owned(), vec![Some(1.0), None, Some(6.0)]),
            ("b".to_owned(), vec![None, None, Some(4.0)]),
        ]);
        for (expression, due) in [
            ("FILL(a, 0)", [Some(1.0), Some(0.0), Some(6.0)]),
            ("SUM([FILL(a, 0), FILL(b, 0)])", [Some(1.0), Some(0.0), Some(10.0)]),
            ("SUM(FILL(METRICS(), 0))", [Some(1.0), Some(0.0), Some(10.0)]),
            ("SUM([a, b])", [Some(1.0), None, Some(10.0)]),
            ("MAX([FILL(a, 0), FILL(b, 0)])", [Some(1.0), Some(0.0), Some(6.0)]),
            ("100 * b / a", [None, None, Some(400.0 / 6.0)]),
            ("IF(a >= 5, 100 * b / a, 0)", [Some(0.0), None, Some(400.0 / 6.0)]),
            ("IF(FILL(a, 0) >= 5, 2, FILL(b, 9))", [Some(9.0), Some(9.0), Some(2.0)]),
        ] {
            assert_eq!(evaluate(expression, &metrics), due, "{expression}");
        }
    }
}
