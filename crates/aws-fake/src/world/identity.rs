//! Who calls AWS, as CloudTrail writes it down.
//!
//! The shapes are documented:
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>.

use serde::Deserialize;
use serde_json::{Value, json};

use super::names::ACCOUNT;
use crate::json::put;

/// A caller.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Identity {
    /// A user of IAM, by name.
    IamUser(String),
    /// Somebody or something in a role; also everybody who comes by a permission set of the Identity Center.
    AssumedRole {
        /// The role's name.
        role: String,
        /// The session's name.
        session: String,
    },
    /// A user of the Identity Center, by id, without a role.
    IdentityCenterUser(String),
    /// The account's root user.
    Root,
    /// A service, by its principal, in a role that is linked to it.
    Service(String),
    /// A service, by its principal, by itself.
    AwsService(String),
}

impl Identity {
    /// A user of IAM.
    pub fn iam_user(name: &str) -> Self {
        Self::IamUser(name.to_owned())
    }

    /// A session of a role.
    pub fn assumed_role(role: &str, session: &str) -> Self {
        Self::AssumedRole { role: role.to_owned(), session: session.to_owned() }
    }

    /// A person who came by a permission set of the Identity Center: the session has the person's name.
    pub fn sso(permission_set: &str, person: &str) -> Self {
        Self::assumed_role(&format!("AWSReservedSSO_{permission_set}_0123456789abcdef"), person)
    }

    /// A service in a role of its own, as Auto Scaling launches instances.
    pub fn service(principal: &str) -> Self {
        Self::Service(principal.to_owned())
    }

    /// CloudTrail's `userIdentity`.
    pub fn to_json(&self) -> Value {
        match self {
            Self::IamUser(name) => json!({
                "type": "IAMUser",
                "principalId": "AIDACKCEVSQ6C2EXAMPLE",
                "arn": format!("arn:aws:iam::{ACCOUNT}:user/{name}"),
                "accountId": ACCOUNT,
                "accessKeyId": self.access_key(),
                "userName": name,
            }),
            Self::AssumedRole { role, session } => {
                let is_sso = role.starts_with("AWSReservedSSO_");
                let path = if is_sso { "role/aws-reserved/sso.amazonaws.com" } else { "role" };
                assumed(role, session, path, None)
            }
            Self::IdentityCenterUser(id) => json!({
                "type": "IdentityCenterUser",
                "accountId": ACCOUNT,
                "onBehalfOf": {
                    "userId": id,
                    "identityStoreArn": format!("arn:aws:identitystore::{ACCOUNT}:identitystore/d-9067642ac7"),
                },
                "credentialId": "90e292de-5eb8-446e-9602-90f7c45044f7",
            }),
            Self::Root => json!({
                "type": "Root",
                "principalId": ACCOUNT,
                "arn": format!("arn:aws:iam::{ACCOUNT}:root"),
                "accountId": ACCOUNT,
                "accessKeyId": self.access_key(),
            }),
            Self::Service(principal) => {
                let role = linked_role(principal);
                let path = format!("role/aws-service-role/{principal}");
                assumed(&role, short(principal), &path, Some(principal))
            }
            Self::AwsService(principal) => json!({"type": "AWSService", "invokedBy": principal}),
        }
    }

    /// The access key that it calls with. Services, and people without a role, have none.
    pub fn access_key(&self) -> Option<&'static str> {
        match self {
            Self::IamUser(_) => Some("AKIAIOSFODNN7EXAMPLE"),
            Self::AssumedRole { .. } | Self::Root => Some("ASIAIOSFODNN7EXAMPLE"),
            Self::IdentityCenterUser(_) | Self::Service(_) | Self::AwsService(_) => None,
        }
    }

    /// CloudTrail's `Username` of an event; a service by itself has none.
    pub fn username(&self) -> Option<&str> {
        match self {
            Self::IamUser(name) | Self::IdentityCenterUser(name) => Some(name),
            Self::AssumedRole { session, .. } => Some(session),
            Self::Root => Some("root"),
            Self::Service(principal) => Some(short(principal)),
            Self::AwsService(_) => None,
        }
    }
}

/// The first word of a principal: the name that services give their sessions.
fn short(principal: &str) -> &str {
    let name = principal.split('.').next().unwrap_or(principal);
    if name == "autoscaling" { "AutoScaling" } else { name }
}

fn linked_role(principal: &str) -> String {
    format!("AWSServiceRoleFor{}", short(principal))
}

fn assumed(role: &str, session: &str, path: &str, invoked_by: Option<&str>) -> Value {
    let mut identity = json!({
        "type": "AssumedRole",
        "principalId": format!("AROACKCEVSQ6C2EXAMPLE:{session}"),
        "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}"),
        "accountId": ACCOUNT,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROACKCEVSQ6C2EXAMPLE",
                "arn": format!("arn:aws:iam::{ACCOUNT}:{path}/{role}"),
                "accountId": ACCOUNT,
                "userName": role,
            },
            "webIdFederationData": {},
            "attributes": {"mfaAuthenticated": "false"},
        },
    });
    match invoked_by {
        Some(principal) => put(&mut identity, "invokedBy", principal),
        None => put(&mut identity, "accessKeyId", "ASIAIOSFODNN7EXAMPLE"),
    }
    identity
}
