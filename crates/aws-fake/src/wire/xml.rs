//! awsQuery answers: JSON into XML, lists as `<member>`.

use quick_xml::escape::escape;
use serde_json::Value;

use super::Service;
use crate::error::ApiError;

/// The XML namespace of a query service; none for one that speaks JSON.
pub(super) fn namespace(service: Service) -> Option<&'static str> {
    match service {
        Service::Ecs => None,
        Service::AutoScaling => Some("http://autoscaling.amazonaws.com/doc/2011-01-01/"),
        Service::Sns => Some("http://sns.amazonaws.com/doc/2010-03-31/"),
    }
}

/// The answer of an operation.
pub(super) fn answer(namespace: &str, operation: &str, answer: &Value, request_id: &str) -> String {
    let result = element(&format!("{operation}Result"), &content(answer));
    let metadata = element("ResponseMetadata", &element("RequestId", &escape(request_id)));
    format!("<{operation}Response xmlns=\"{namespace}\">{result}{metadata}</{operation}Response>")
}

/// An error. `Sender` blames the caller, `Receiver` the service.
pub(super) fn error(namespace: &str, error: &ApiError, request_id: &str) -> String {
    let blamed = if error.status < 500 { "Sender" } else { "Receiver" };
    let parts = [("Type", blamed), ("Code", &error.code), ("Message", &error.message)];
    let parts: String = parts.iter().map(|(name, text)| element(name, &escape(*text))).collect();
    let request_id = element("RequestId", &escape(request_id));
    format!("<ErrorResponse xmlns=\"{namespace}\">{}{request_id}</ErrorResponse>", element("Error", &parts))
}

fn element(name: &str, content: &str) -> String {
    format!("<{name}>{content}</{name}>")
}

fn content(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => escape(text.as_str()).into_owned(),
        Value::Array(items) => items.iter().map(|item| element("member", &content(item))).collect(),
        Value::Object(members) => {
            let given = members.iter().filter(|(_, member)| !member.is_null());
            given.map(|(name, member)| element(name, &content(member))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_written() {
        let rows = [
            (json!({}), ""),
            (json!({"A": null, "B": 1, "C": true}), "<B>1</B><C>true</C>"),
            (json!({"A": "x < y & \"z\""}), "<A>x &lt; y &amp; &quot;z&quot;</A>"),
            (
                json!({"L": [{"I": "a"}, {"I": "b"}]}),
                "<L><member><I>a</I></member><member><I>b</I></member></L>",
            ),
        ];
        for (value, expected) in rows {
            let expected = format!(
                "<OpResponse xmlns=\"n\"><OpResult>{expected}</OpResult>\
                 <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></OpResponse>"
            );
            assert_eq!(answer("n", "Op", &value, "r"), expected, "{value}");
        }
    }
}
