//! awsQuery requests: a flat form into nested JSON.
//!
//! EC2 writes lists without `member`: `A.2.B=x`.
//!
//! `A.member.2.B=x` is the member `B` of the second element of the list `A`; `M.entry.1.Name=k` with
//! `M.entry.1.Value=v` is the map `M` with `k` → `v`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Parameters, Request, Service, unknown_operation};
use crate::error::ApiError;

/// Deeper keys than any operation has are refused before they are nested.
const DEEPEST: usize = 10;

/// A part of the form, by the steps of its keys.
#[derive(Debug, Default)]
struct Node {
    text: Option<String>,
    parts: BTreeMap<String, Node>,
}

/// Reads a form. `Version` says which service is meant.
pub(super) fn read(body: &[u8]) -> Result<Request, ApiError> {
    let unknown = || unknown_operation(Service::AutoScaling);
    let mut root = Node::default();
    for (key, value) in form_urlencoded::parse(body) {
        root.insert(&key, value.into_owned())?;
    }
    let mut take = |name: &str| root.parts.remove(name).and_then(|node| node.text);
    let operation = take("Action").ok_or_else(unknown)?;
    let service = match take("Version").as_deref() {
        Some("2011-01-01") => Service::AutoScaling,
        Some("2010-03-31") => Service::Sns,
        Some("2016-11-15") => Service::Ec2,
        Some("2015-12-01") => Service::LoadBalancing,
        _ => return Err(unknown()),
    };
    Ok(Request { service, operation, parameters: Parameters::Json(root.object(service)) })
}

impl Node {
    fn insert(&mut self, key: &str, value: String) -> Result<(), ApiError> {
        let mut node = self;
        for (depth, step) in key.split('.').enumerate() {
            if depth == DEEPEST {
                return Err(ApiError::refused("MalformedQueryString", format!("{key} is too deep")));
            }
            node = node.parts.entry(step.to_owned()).or_default();
        }
        node.text = Some(value);
        Ok(())
    }

    fn object(self, service: Service) -> Value {
        let members = self.parts.into_iter().map(|(name, node)| (name, node.value(service)));
        Value::Object(members.collect())
    }

    fn value(mut self, service: Service) -> Value {
        if service == Service::Ec2 && self.is_list() {
            return Value::Array(self.numbered().map(|node| node.value(service)).collect());
        }
        if let Some(list) = self.only("member") {
            return Value::Array(list.numbered().map(|node| node.value(service)).collect());
        }
        if let Some(entries) = self.only("entry") {
            let pairs = entries.numbered().filter_map(|node| node.pair(service));
            return Value::Object(pairs.collect::<Map<_, _>>());
        }
        match self.text {
            Some(text) if self.parts.is_empty() => Value::String(text),
            _ => self.object(service),
        }
    }

    /// Whether all its parts are numbered.
    fn is_list(&self) -> bool {
        !self.parts.is_empty() && self.parts.keys().all(|number| number.parse::<usize>().is_ok())
    }

    fn only(&mut self, name: &str) -> Option<Node> {
        if self.parts.len() == 1 { self.parts.remove(name) } else { None }
    }

    /// The parts in the order of their numbers: as text, 10 would come before 2.
    fn numbered(self) -> impl Iterator<Item = Node> {
        let mut parts: Vec<_> = self.parts.into_iter().collect();
        parts.sort_by_key(|(number, _)| number.parse::<usize>().unwrap_or(usize::MAX));
        parts.into_iter().map(|(_, node)| node)
    }

    /// A map's entry: SNS says `Name` and `Value`, others `key` and `value`.
    fn pair(mut self, service: Service) -> Option<(String, Value)> {
        let mut take = |names: [&str; 2]| names.into_iter().find_map(|name| self.parts.remove(name));
        let key = take(["Name", "key"])?.text?;
        Some((key, take(["Value", "value"])?.value(service)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn forms_are_nested() {
        let rows = [
            ("", json!({})),
            ("Group=web%20one", json!({"Group": "web one"})),
            ("Ids.member.2=b&Ids.member.1=a&Ids.member.10=c", json!({"Ids": ["a", "b", "c"]})),
            (
                "Entries.member.1.Id=x&Entries.member.1.Message=m",
                json!({"Entries": [{"Id": "x", "Message": "m"}]}),
            ),
            (
                "Attributes.entry.1.Name=k&Attributes.entry.1.Value.DataType=String",
                json!({"Attributes": {"k": {"DataType": "String"}}}),
            ),
        ];
        for (form, expected) in rows {
            for (version, service) in
                [("2011-01-01", Service::AutoScaling), ("2015-12-01", Service::LoadBalancing)]
            {
                let body = format!("Action=Op&Version={version}&{form}");
                let request = read(body.as_bytes()).expect(form);
                let read = (request.service, request.operation.as_str(), request.parameters);
                assert_eq!(read, (service, "Op", Parameters::Json(expected.clone())), "{form}");
            }
        }
    }

    #[test]
    fn ec2_numbers_its_lists_without_a_word() {
        let form =
            "Action=Op&Version=2016-11-15&InstanceId.2=b&InstanceId.1=a&Filter.1.Name=n&Filter.1.Value.1=v";
        let expected = json!({"InstanceId": ["a", "b"], "Filter": [{"Name": "n", "Value": ["v"]}]});
        assert_eq!(read(form.as_bytes()).map(|request| request.parameters), Ok(Parameters::Json(expected)));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let deep = format!("Action=Op&Version=2011-01-01&{}=1", ["a"; 11].join("."));
        for body in ["", "Version=2011-01-01", "Action=Op", "Action=Op&Version=2000-01-01", deep.as_str()] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
