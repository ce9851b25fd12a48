//! Telling whoever waits.

use aws_helpers::fault::{Fault, Kind};
use aws_sdk_codedeploy::types::LifecycleEventStatus;
use aws_sdk_codepipeline::types::{ExecutionDetails, FailureDetails, FailureType};

use crate::Clients;

/// As a policy names it.
pub(crate) const SUCCESS: &str = "codepipeline:PutJobSuccessResult";
/// As a policy names it.
pub(crate) const FAILURE: &str = "codepipeline:PutJobFailureResult";
/// As a policy names it.
pub(crate) const HOOK: &str = "codedeploy:PutLifecycleEventHookExecutionStatus";

/// Characters of a summary (`CodePipeline` API, `ExecutionDetails`); a failure's message may have 5,000.
const SUMMARY: usize = 2_048;

/// Ends the pipeline's job: with what was tested, or with what is wrong.
pub async fn tell_pipeline(
    clients: &Clients,
    job: &str,
    verdict: &Result<String, String>,
) -> Result<(), Fault> {
    let cut = |text: &str| text.chars().take(SUMMARY).collect::<String>();
    match verdict {
        Ok(summary) => {
            let details = ExecutionDetails::builder().summary(cut(summary)).percent_complete(100).build();
            let request =
                clients.codepipeline.put_job_success_result().job_id(job).execution_details(details);
            request.send().await.map(drop).map_err(|error| Fault::of(SUCCESS, error))
        }
        Err(reasons) => {
            let details =
                FailureDetails::builder().r#type(FailureType::JobFailed).message(cut(reasons)).build();
            let unsent = |message| Fault {
                operation: FAILURE,
                code: "NotSent".to_owned(),
                message,
                kind: Kind::Invalid,
            };
            let details = details.map_err(|error| unsent(error.to_string()))?;
            let request = clients.codepipeline.put_job_failure_result().job_id(job).failure_details(details);
            request.send().await.map(drop).map_err(|error| Fault::of(FAILURE, error))
        }
    }
}

/// Ends the deployment's hook. It takes no reason; the log has it.
pub async fn tell_deployment(
    clients: &Clients,
    deployment: &str,
    execution: &str,
    passed: bool,
) -> Result<(), Fault> {
    let status = if passed { LifecycleEventStatus::Succeeded } else { LifecycleEventStatus::Failed };
    let request = clients.codedeploy.put_lifecycle_event_hook_execution_status().deployment_id(deployment);
    let request = request.lifecycle_event_hook_execution_id(execution).status(status);
    request.send().await.map(drop).map_err(|error| Fault::of(HOOK, error))
}
