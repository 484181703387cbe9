//! A JSON object without duplicate names. With duplicates, two readers could use different values (RFC 7515, section 4,
//! and RFC 7519, section 4).

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads an object; `None` if it is none, has a name twice, or has one twice anywhere within a member that is entered.
pub(super) fn object(json: &[u8], go_into: impl Fn(&str) -> bool) -> Option<Map<String, Value>> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let object = reader.deserialize_map(UniqueNames(go_into)).ok()?;
    reader.end().ok()?;
    Some(object)
}

struct UniqueNames<F>(F);

impl<'de, F: Fn(&str) -> bool> Visitor<'de> for UniqueNames<F> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object without duplicate names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            let value =
                if (self.0)(&name) { access.next_value::<Throughout>()?.0 } else { access.next_value()? };
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("duplicate name"));
            }
        }
        Ok(object)
    }
}

/// A value without a duplicate name in any of its objects.
struct Throughout(Value);

impl<'de> Deserialize<'de> for Throughout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value without duplicate names")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(Throughout(element)) = access.next_element()? {
            elements.push(element);
        }
        Ok(elements.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Value, A::Error> {
        UniqueNames(|_: &str| true).visit_map(access).map(Value::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_entered_is_read_as_any_other() {
        let json =
            r#"{"in":[null,true,false,-1,1,1.5,"x",["y"],{"a":{"b":[]}}],"out":{"a":1,"a":2},"n":null}"#;
        let read = object(json.as_bytes(), |name| name == "in").unwrap();
        assert_eq!(Value::Object(read), serde_json::from_str::<Value>(json).unwrap());
        for twice in
            [r#"{"in":[{"a":{"b":1,"b":1}}]}"#, r#"{"in":{"a":1,"a":1}}"#, r#"{"x":1,"x":1}"#, "{}{}", "[]"]
        {
            assert!(object(twice.as_bytes(), |name| name == "in").is_none(), "{twice}");
        }
    }
}
