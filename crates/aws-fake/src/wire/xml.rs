//! awsQuery answers: JSON into XML, lists as `<member>`. EC2's have no `Result` around them, and `<item>`.

use quick_xml::escape::escape;
use serde_json::Value;

use super::Service;
use crate::error::ApiError;

/// The XML namespace of a query service.
fn namespace(service: Service) -> &'static str {
    match service {
        Service::AutoScaling => "http://autoscaling.amazonaws.com/doc/2011-01-01/",
        Service::Sns => "http://sns.amazonaws.com/doc/2010-03-31/",
        Service::Ec2 => "http://ec2.amazonaws.com/doc/2016-11-15/",
        Service::LoadBalancing => "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
        Service::Ecs | Service::CloudTrail | Service::DynamoDb | Service::CloudWatch => "",
    }
}

/// The answer of an operation.
pub(super) fn answer(service: Service, operation: &str, answer: &Value, request_id: &str) -> String {
    let mut xml = Xml { text: String::new(), item: if service == Service::Ec2 { "item" } else { "member" } };
    let response = format!("{operation}Response");
    xml.open_root(&response, namespace(service));
    if service == Service::Ec2 {
        xml.leaf("requestId", request_id);
        xml.content(answer);
    } else {
        xml.element(&format!("{operation}Result"), answer);
        xml.within("ResponseMetadata", |xml| xml.leaf("RequestId", request_id));
    }
    xml.close(&response);
    xml.text
}

/// An error. `Sender` blames the caller, `Receiver` the service; EC2 blames nobody.
pub(super) fn error(service: Service, error: &ApiError, request_id: &str) -> String {
    let mut xml = Xml { text: String::new(), item: "member" };
    let told = |xml: &mut Xml| {
        xml.leaf("Code", &error.code);
        xml.leaf("Message", &error.message);
    };
    if service == Service::Ec2 {
        xml.within("Response", |xml| {
            xml.within("Errors", |xml| xml.within("Error", told));
            xml.leaf("RequestID", request_id);
        });
        return xml.text;
    }
    xml.open_root("ErrorResponse", namespace(service));
    xml.within("Error", |xml| {
        xml.leaf("Type", if error.status < 500 { "Sender" } else { "Receiver" });
        told(xml);
    });
    xml.leaf("RequestId", request_id);
    xml.close("ErrorResponse");
    xml.text
}

/// What is written so far: one buffer, since an answer can have a thousand instances.
struct Xml {
    text: String,
    /// The name of a list's element.
    item: &'static str,
}

impl Xml {
    fn open_root(&mut self, name: &str, namespace: &str) {
        for part in ["<", name, " xmlns=\"", namespace, "\">"] {
            self.text.push_str(part);
        }
    }

    fn open(&mut self, name: &str) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
    }

    fn close(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    fn within(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.open(name);
        content(self);
        self.close(name);
    }

    fn leaf(&mut self, name: &str, text: &str) {
        self.within(name, |xml| xml.text.push_str(&escape(text)));
    }

    fn element(&mut self, name: &str, value: &Value) {
        self.within(name, |xml| xml.content(value));
    }

    fn content(&mut self, value: &Value) {
        match value {
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) => self.text.push_str(&value.to_string()),
            Value::String(text) => self.text.push_str(&escape(text.as_str())),
            Value::Array(items) => {
                for item in items {
                    self.element(self.item, item);
                }
            }
            Value::Object(members) => {
                for (name, member) in members.iter().filter(|(_, member)| !member.is_null()) {
                    self.element(name, member);
                }
            }
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
            let sns = format!(
                "<OpResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><OpResult>{expected}</OpResult>\
                 <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></OpResponse>"
            );
            assert_eq!(answer(Service::Sns, "Op", &value, "r"), sns, "{value}");
            let ec2 = format!(
                "<OpResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r</requestId>{}</OpResponse>",
                expected.replace("member>", "item>")
            );
            assert_eq!(answer(Service::Ec2, "Op", &value, "r"), ec2, "{value}");
        }
    }

    #[test]
    fn errors_are_written() {
        let refused = ApiError::refused("Code", "a < b");
        let ec2 = "<Response><Errors><Error><Code>Code</Code><Message>a &lt; b</Message></Error></Errors>\
                   <RequestID>r</RequestID></Response>";
        assert_eq!(error(Service::Ec2, &refused, "r"), ec2);
        let sns = error(Service::Sns, &refused, "r");
        assert!(sns.contains("<Error><Type>Sender</Type><Code>Code</Code>"), "{sns}");
    }
}
