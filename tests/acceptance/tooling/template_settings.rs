//! The parameters and the settings of `template.yaml`: what `CloudFormation` does not check before a deployment.

use std::collections::BTreeSet;

use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

const TEMPLATE: &str = include_str!("../../../template.yaml");
/// `sam deploy --guided` asks for each parameter.
const MOST_PARAMETERS: usize = 23;
const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "prod"];
/// CloudWatch Logs takes these numbers of days and no others (API reference, `PutRetentionPolicy`).
const DAYS: [f64; 18] =
    [1., 3., 5., 7., 14., 30., 60., 90., 120., 150., 180., 365., 400., 545., 731., 1096., 1827., 3653.];
/// The least and the most of each setting that is a number.
const NUMBERS: [(&str, f64, f64); 19] = [
    ("ThrottleRate", 1., 10_000.),
    ("ThrottleBurst", 1., 5_000.),
    ("ExistsThrottleRate", 1., 10_000.),
    ("ExistsThrottleBurst", 1., 5_000.),
    // What AWS WAF takes.
    ("FrontRequestsIn5Minutes", 10., 2_000_000_000.),
    ("FrontSecretMaxAgeSeconds", 60., 86_400.),
    ("ExistsReservedConcurrency", 0., 1_000.),
    ("CreateUserReservedConcurrency", 0., 1_000.),
    ("ExistsLimitRequests", 1., 50.),
    ("ExistsLimitWindowSeconds", 1., 86_400.),
    ("SigningKeysMaxAgeSeconds", 60., 86_400.),
    ("PasswordHashMemoryKib", 19_456., 262_144.),
    ("PasswordHashIterations", 2., 20.),
    ("PasswordHashParallelism", 1., 8.),
    ("ErrorRatePercent", 0.1, 100.),
    ("ErrorsAMinute", 1., 1_000.),
    ("SlowMilliseconds", 10., 10_000.),
    ("SlowCreateUserMilliseconds", 10., 10_000.),
    ("SigningKeysOldSeconds", 900., 86_400.),
];

fn template() -> Yaml {
    YamlLoader::load_from_str(TEMPLATE).unwrap().remove(0)
}

/// The settings of an environment, as texts.
fn settings(template: &Yaml, environment: &str) -> Vec<(String, String)> {
    let settings = template["Mappings"]["Settings"][environment].as_hash().unwrap().iter();
    settings.map(|(name, value)| (text(name), text(value))).collect()
}

fn text(yaml: &Yaml) -> String {
    match yaml {
        Yaml::String(text) | Yaml::Real(text) => text.clone(),
        Yaml::Integer(number) => number.to_string(),
        other => panic!("no text: {other:?}"),
    }
}

/// Says what is wrong with the value of a setting.
fn check(environment: &str, name: &str, value: &str) -> Result<(), String> {
    let number = || value.parse::<f64>().map_err(|error| format!("{name} {error}"));
    let holds = match name {
        "LogRetentionDays" => DAYS.contains(&number()?),
        // Finer levels are for looking at a fault elsewhere.
        "LogLevel" if environment == "prod" => value == "INFO",
        "LogLevel" => ["INFO", "DEBUG", "TRACE"].contains(&value),
        "Tracing" | "FrontEnforced" | "DisableExecuteApiEndpoint" => ["true", "false"].contains(&value),
        "FrontSecretKey" => ["A", "B"].contains(&value),
        // No slower: the alarm on the keys' age looks at quarters of an hour.
        "SigningKeysRefreshRate" => {
            ["rate(1 minute)", "rate(2 minutes)", "rate(5 minutes)", "rate(10 minutes)"].contains(&value)
        }
        "SigningKeys" => value.is_empty() || holds_public_keys_alone(value),
        "ClaimEmail" => value.len() <= 256 && value.bytes().all(|byte| byte.is_ascii_graphic()),
        "TableKmsKeyArn" => value.is_empty() || value.starts_with("arn:aws") && value.contains(":key/"),
        _ => {
            let known = NUMBERS.iter().find(|(known, ..)| *known == name);
            let (_, least, most) = known.ok_or_else(|| format!("{name} has no bounds here"))?;
            (*least..=*most).contains(&number()?)
        }
    };
    holds.then_some(()).ok_or_else(|| format!("{environment}: {name} may not be {value:?}"))
}

/// A JWK Set without a symmetric key and without a private part.
fn holds_public_keys_alone(jwks: &str) -> bool {
    let Ok(jwks) = serde_json::from_str::<Value>(jwks) else { return false };
    jwks["keys"].as_array().is_some_and(|keys| {
        let is_public = |key: &Value| key["kty"] != "oct" && key["k"].is_null() && key["d"].is_null();
        !keys.is_empty() && keys.iter().all(is_public)
    })
}

#[test]
fn each_setting_of_each_environment_is_within_its_bounds() {
    let template = template();
    // Their thresholds are looked up by name: `Slow${Function}Milliseconds`.
    let functions_with_alarms = template["Resources"]["Fn::ForEach::Alarms"][1].as_vec().unwrap();
    let functions_with_alarms: Vec<_> = functions_with_alarms.iter().filter_map(Yaml::as_str).collect();
    let names = |environment| {
        settings(&template, environment).into_iter().map(|(name, _)| name).collect::<BTreeSet<_>>()
    };
    for environment in ENVIRONMENTS {
        assert_eq!(names(environment), names("dev"));
        for (name, value) in settings(&template, environment) {
            check(environment, &name, &value).unwrap();
            let used = format!("!FindInMap [Settings, !Ref Environment, {name}]");
            let of_function = name.strip_prefix("Slow").and_then(|rest| rest.strip_suffix("Milliseconds"));
            let of_function = of_function.is_some_and(|function| functions_with_alarms.contains(&function));
            assert!(TEMPLATE.contains(&used) || of_function, "{name} is used nowhere");
        }
    }
}

/// A new account may run 10 instances at once, and Lambda refuses to reserve any of the last 100.
#[test]
fn no_environment_reserves_instances_that_a_new_account_lacks() {
    let template = template();
    for environment in ENVIRONMENTS {
        for (name, value) in settings(&template, environment) {
            assert!(
                !name.ends_with("ReservedConcurrency") || value == "0",
                "{environment}: {name} is {value}"
            );
        }
    }
}

#[test]
fn a_setting_beyond_its_bounds_is_refused() {
    let secret = r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#;
    let private = r#"{"keys":[{"kty":"EC","x":"a","y":"b","d":"c"}]}"#;
    for (environment, name, value) in [
        ("prod", "LogLevel", "DEBUG"),
        ("dev", "LogLevel", "WARN"),
        ("dev", "FrontEnforced", "yes"),
        ("dev", "FrontSecretKey", "C"),
        ("dev", "LogRetentionDays", "8"),
        ("dev", "ExistsLimitRequests", "51"),
        ("dev", "PasswordHashMemoryKib", "1024"),
        ("dev", "SigningKeysRefreshRate", "rate(1 hour)"),
        ("dev", "SigningKeys", secret),
        ("dev", "SigningKeys", private),
        ("dev", "SigningKeys", "{}"),
        ("dev", "Unknown", "1"),
    ] {
        assert!(check(environment, name, value).is_err(), "{name}: {value}");
    }
    let public = r#"{"keys":[{"kty":"EC","x":"a","y":"b"}]}"#;
    check("prod", "SigningKeys", public).unwrap();
}

#[test]
fn guided_asks_for_few_parameters_and_only_two_lack_a_default() {
    let template = template();
    let parameters = template["Parameters"].as_hash().unwrap();
    assert!(parameters.len() <= MOST_PARAMETERS, "{}", parameters.len());
    let mut without_default = Vec::new();
    for (name, parameter) in parameters {
        // `sam deploy --guided` offers no default for one that is not shown, and asks until something is typed.
        assert!(parameter["NoEcho"].is_badvalue(), "{name:?}");
        assert!(!parameter["Description"].is_badvalue(), "{name:?}");
        if parameter["Default"].is_badvalue() {
            without_default.push(name.as_str().unwrap());
        }
    }
    assert_eq!(without_default, ["TokenIssuer", "TokenAudience"]);
}

#[test]
fn a_function_waits_for_all_of_its_permissions() {
    let template = template();
    let resources = &template["Resources"];
    for (name, resource) in resources.as_hash().unwrap() {
        let (name, kind) = (name.as_str().unwrap(), resource["Type"].as_str().unwrap_or(""));
        if kind.starts_with("AWS::IAM::") {
            assert_eq!(kind, "AWS::IAM::RolePolicy", "{name}");
            let function = name.replace("Policy", "Function");
            assert_eq!(resources[&*function]["DependsOn"].as_str(), Some(name), "{function}");
        }
    }
}

#[test]
fn the_dashboard_is_json_and_each_metric_has_a_place() {
    let template = template();
    let body = &template["Resources"]["Dashboard"]["Properties"]["DashboardBody"];
    let mut dashboard = body[0].as_str().unwrap().to_owned();
    for (name, value) in body[1].as_hash().unwrap() {
        // `!If [condition, value, other]`.
        let value = value.as_str().or(value[1].as_str()).unwrap();
        dashboard = dashboard.replace(&format!("${{{}}}", name.as_str().unwrap()), value);
    }
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let widgets = dashboard["widgets"].as_array().unwrap();
    for widget in widgets.iter().filter(|widget| widget["type"] == "metric") {
        let properties = &widget["properties"];
        for (index, metric) in properties["metrics"].as_array().unwrap().iter().enumerate() {
            let (options, path) = metric.as_array().unwrap().split_last().unwrap();
            assert!(options["label"].is_string(), "{metric}");
            assert!(options["stat"].is_string() || properties["stat"].is_string(), "{metric}");
            // "..." repeats the metric before it.
            assert!(path.len() >= 2 && (index > 0 || path[0] != "..."), "{metric}");
        }
    }
    assert!(widgets.len() >= 10, "{}", widgets.len());
}
