//! The function's settings. Names and allowed values are tabled in docs/pipeline.md, which a test compares with
//! this file.

use aws_helpers::settings::{SettingError, Variables};

use crate::decide::Function;

/// The alias that everything calls.
pub const ALIAS: &str = "live";

/// A function to test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which one.
    pub function: Function,
    /// Its ARN, without a version.
    pub arn: String,
    /// The version that was deployed with this one.
    pub version: String,
}

/// Everything the function can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The functions, in the order of the answer.
    pub targets: [Target; 4],
}

impl Settings {
    /// Reads and checks the settings.
    pub fn read(variables: &Variables) -> Result<Self, SettingError> {
        let allowed = "the ARN of a version of a Lambda function";
        let target = |function| move |arn: &str| target(function, arn);
        Ok(Self {
            targets: [
                variables.required("ECS_DRAINER_VERSION_ARN", allowed, target(Function::EcsDrainer))?,
                variables.required(
                    "SPOT_INTERRUPTION_VERSION_ARN",
                    allowed,
                    target(Function::SpotInterruption),
                )?,
                variables.required("TAG_POLICY_VERSION_ARN", allowed, target(Function::TagPolicy))?,
                variables.required("ECS_METRICS_VERSION_ARN", allowed, target(Function::EcsMetrics))?,
            ],
        })
    }
}

/// `arn:aws:lambda:us-east-1:123456789012:function:name:7`, taken apart.
fn target(function: Function, arn: &str) -> Option<Target> {
    let (unqualified, version) = arn.rsplit_once(':')?;
    let is_function = unqualified.starts_with("arn:")
        && unqualified.contains(":lambda:")
        && unqualified.split(':').count() == 7;
    let is_version = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    (is_function && is_version).then(|| Target {
        function,
        arn: unqualified.to_owned(),
        version: version.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_helpers::settings::undocumented;

    const NAMES: [&str; 4] = [
        "ECS_DRAINER_VERSION_ARN",
        "SPOT_INTERRUPTION_VERSION_ARN",
        "TAG_POLICY_VERSION_ARN",
        "ECS_METRICS_VERSION_ARN",
    ];

    fn read(changed: &[(&str, &str)]) -> Result<Settings, String> {
        let sound = NAMES.map(|name| (name, "arn:aws:lambda:us-east-1:123456789012:function:f:7"));
        let variables: Variables = sound.iter().chain(changed).copied().collect();
        Settings::read(&variables).map_err(|error| error.to_string())
    }

    #[test]
    fn a_version_is_taken_apart_for_the_function_that_its_variable_names() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:own";
        for name in NAMES {
            let version = format!("{arn}:8");
            let targets = read(&[(name, version.as_str())]).unwrap().targets;
            let own: Vec<_> = targets.iter().filter(|target| target.arn == arn).collect();
            let function = own[0].function.name().to_uppercase().replace('-', "_");
            assert_eq!(
                (own.len(), own[0].version.as_str(), format!("{function}_VERSION_ARN")),
                (1, "8", name.to_owned())
            );
        }
    }

    #[test]
    fn a_bad_value_is_named_with_what_is_allowed() {
        for name in NAMES {
            for value in [
                "f",
                "arn:aws:lambda:us-east-1:123456789012:function:f",
                "arn:aws:lambda:us-east-1:123456789012:function:f:live",
                "arn:aws:lambda:us-east-1:123456789012:function:f:",
                "arn:aws:sns:us-east-1:123456789012:function:f:7",
            ] {
                let expected = format!(
                    "setting {name} is {value:?}; allowed: the ARN of a version of a Lambda function"
                );
                assert_eq!(read(&[(name, value)]), Err(expected), "{name}={value}");
            }
        }
    }

    #[test]
    fn the_documented_table_is_what_is_read() {
        let page = include_str!("../../../docs/pipeline.md");
        assert_eq!(undocumented(page, include_str!("settings.rs"), read), Vec::<String>::new());
    }
}
