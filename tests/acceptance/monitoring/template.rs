//! `template.yaml` as `CloudFormation` sees it: loops repeated, values put in their places.
//!
//! It knows the functions that the parts read here use, and fails on any other.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use yaml_rust2::Yaml;
use yaml_rust2::parser::{Event, EventReceiver, Parser, Tag};
use yaml_rust2::scanner::TScalarStyle;

const TEMPLATE: &str = include_str!("../../../template.yaml");
const LOOP: &str = "Fn::ForEach::";

/// The template with an environment's parameters.
pub struct Template {
    root: Value,
    parameters: BTreeMap<&'static str, String>,
}

impl Template {
    /// The stack `users-<environment>`, with every other parameter's default.
    pub fn of(environment: &str) -> Self {
        let mut builder = Builder::default();
        Parser::new_from_str(TEMPLATE).load(&mut builder, false).unwrap();
        let mut root = builder.root.unwrap();
        root["Resources"] = repeated(&root["Resources"]);
        let parameters = BTreeMap::from([
            ("Environment", environment.to_owned()),
            ("AWS::StackName", format!("users-{environment}")),
            ("AWS::Region", "us-east-1".to_owned()),
            ("AlarmEmail", "operations@example.org".to_owned()),
        ]);
        Self { root, parameters }
    }

    /// The resources of a type that the environment has, by logical id, with their properties.
    pub fn resources(&self, kind: &str) -> Vec<(String, Value)> {
        let resources = self.root["Resources"].as_object().unwrap().iter();
        let of_kind = resources.filter(|(_, resource)| resource["Type"] == kind);
        let there = of_kind.filter(|(_, resource)| {
            resource["Condition"].as_str().is_none_or(|condition| self.condition(condition))
        });
        there.map(|(id, resource)| (id.clone(), self.value(&resource["Properties"]).unwrap())).collect()
    }

    /// The functions' physical names.
    pub fn function_names(&self) -> Vec<String> {
        let functions = self.root["Resources"].as_object().unwrap().iter();
        let functions = functions.filter(|(_, resource)| resource["Type"] == "AWS::Serverless::Function");
        functions.map(|(id, _)| self.reference(id).as_str().unwrap().to_owned()).collect()
    }

    /// A property of a resource, with its values in place. The rest of the resource is not looked at.
    pub fn property(&self, resource: &str, property: &str) -> Value {
        let property = &self.root["Resources"][resource]["Properties"][property];
        self.value(property).unwrap_or_default()
    }

    /// `None` for `AWS::NoValue`.
    fn value(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Array(parts) => Some(parts.iter().filter_map(|part| self.value(part)).collect()),
            Value::Object(members) => match members.iter().next() {
                Some((function, argument)) if members.len() == 1 && is_function(function) => {
                    self.call(function, argument)
                }
                _ => {
                    let members = members.iter();
                    let members =
                        members.filter_map(|(name, value)| Some((name.clone(), self.value(value)?)));
                    Some(Value::Object(members.collect()))
                }
            },
            _ => Some(value.clone()),
        }
    }

    fn call(&self, function: &str, argument: &Value) -> Option<Value> {
        let part = |index: usize| self.value(&argument[index]).unwrap();
        match function {
            "Ref" if argument == "AWS::NoValue" => None,
            "Ref" => Some(self.reference(self.value(argument).unwrap().as_str().unwrap())),
            "Fn::GetAtt" => Some(argument.clone()),
            "Fn::If" => {
                let chosen = if self.condition(argument[0].as_str().unwrap()) { 1 } else { 2 };
                self.value(&argument[chosen])
            }
            "Fn::Equals" => Some((part(0) == part(1)).into()),
            "Fn::Not" => Some((!part(0).as_bool().unwrap()).into()),
            "Fn::Join" => {
                let parts = part(1);
                let parts: Vec<_> =
                    parts.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                Some(parts.join(part(0).as_str().unwrap()).into())
            }
            "Fn::FindInMap" => {
                let (map, first, second) = (part(0), part(1), part(2));
                let [map, first, second] = [&map, &first, &second].map(|key| key.as_str().unwrap());
                let found = &self.root["Mappings"][map][first][second];
                let default = || self.value(&argument[3]["DefaultValue"]);
                if found.is_null() { default() } else { Some(found.clone()) }
            }
            "Fn::Sub" => {
                let (text, values) = match argument {
                    Value::Array(parts) => (&parts[0], self.value(&parts[1]).unwrap()),
                    text => (text, json!({})),
                };
                Some(self.substituted(text.as_str().unwrap(), &values).into())
            }
            other => panic!("this reader of the template does not know {other}"),
        }
    }

    fn substituted(&self, text: &str, values: &Value) -> String {
        let mut parts = text.split("${");
        let mut substituted = parts.next().unwrap().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap();
            match values.get(name) {
                Some(value) => substituted.push_str(value.as_str().unwrap()),
                None => substituted.push_str(self.reference(name).as_str().unwrap()),
            }
            substituted.push_str(rest);
        }
        substituted
    }

    /// A parameter's value, a resource's physical name if it is given, or else the reference itself.
    fn reference(&self, name: &str) -> Value {
        if let Some(value) = self.parameters.get(name) {
            return value.clone().into();
        }
        if let Some(default) = self.root["Parameters"][name].get("Default") {
            return default.clone();
        }
        let properties = &self.root["Resources"][name]["Properties"];
        let named =
            ["FunctionName", "LogGroupName"].into_iter().find_map(|property| properties.get(property));
        named.and_then(|named| self.value(named)).unwrap_or_else(|| name.into())
    }

    fn condition(&self, name: &str) -> bool {
        self.value(&self.root["Conditions"][name]).unwrap().as_bool().unwrap()
    }
}

fn is_function(name: &str) -> bool {
    name == "Ref" || name.starts_with("Fn::")
}

/// The resources, each `Fn::ForEach` with its body once for each of its values.
fn repeated(resources: &Value) -> Value {
    let mut all = Map::new();
    for (id, resource) in resources.as_object().unwrap() {
        if !id.starts_with(LOOP) {
            all.insert(id.clone(), resource.clone());
            continue;
        }
        let (variable, body) = (resource[0].as_str().unwrap(), resource[2].to_string());
        for value in resource[1].as_array().unwrap() {
            let value = value.as_str().unwrap();
            let body = body.replace(&format!("${{{variable}}}"), value);
            let body = body.replace(&json!({ "Ref": variable }).to_string(), &json!(value).to_string());
            let Ok(Value::Object(body)) = serde_json::from_str(&body) else { panic!("{body}") };
            all.extend(body);
        }
    }
    Value::Object(all)
}

/// Makes JSON of YAML, and of its short forms such as `!Ref` the long ones.
#[derive(Default)]
struct Builder {
    open: Vec<(Value, Option<String>, Option<Tag>)>,
    root: Option<Value>,
}

impl Builder {
    fn add(&mut self, value: Value, tag: Option<Tag>) {
        let value = match tag {
            Some(tag) if tag.suffix == "Ref" => json!({ "Ref": value }),
            Some(tag) => json!({ format!("Fn::{}", tag.suffix): value }),
            None => value,
        };
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some((Value::Array(parts), ..)) => parts.push(value),
            Some((members, key, _)) => match key.take() {
                None => *key = Some(value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)),
                Some(name) => members[name] = value,
            },
        }
    }
}

impl EventReceiver for Builder {
    fn on_event(&mut self, event: Event) {
        match event {
            Event::Scalar(text, style, _, tag) => {
                let plain =
                    if style == TScalarStyle::Plain { Yaml::from_str(&text) } else { Yaml::String(text) };
                let value = match plain {
                    Yaml::Integer(number) => number.into(),
                    Yaml::Real(number) => number.parse::<f64>().unwrap().into(),
                    Yaml::Boolean(value) => value.into(),
                    Yaml::String(text) => text.into(),
                    other => panic!("{other:?}"),
                };
                self.add(value, tag);
            }
            Event::SequenceStart(_, tag) => self.open.push((json!([]), None, tag)),
            Event::MappingStart(_, tag) => self.open.push((json!({}), None, tag)),
            Event::SequenceEnd | Event::MappingEnd => {
                let (value, _, tag) = self.open.pop().unwrap();
                self.add(value, tag);
            }
            _ => {}
        }
    }
}
