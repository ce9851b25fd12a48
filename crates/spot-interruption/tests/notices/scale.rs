//! Many notices at the same moment, each with an invocation of its own, and the account's quotas as documented.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::sleep;

use crate::harness::{Run, tag};

const NOTICES: usize = 300;

#[tokio::test(start_paused = true)]
async fn three_hundred_notices_at_once() {
    // Without notices: the fake takes SNS for 20 messages a second, which is far less than AWS allows, and then those
    // would be the narrowest.
    let run = Run::new(&[("NOTICE_TOPIC_ARN", "")]);
    run.target_groups(&["web"]);
    let ids: Vec<_> = (0..NOTICES).map(|_| run.instance(Some(&tag(&["web"])), &["web"])).collect();
    let events: Vec<_> = ids.iter().map(|id| run.warning(id)).collect();
    let deliveries = events.iter().map(async |event| {
        let first = run.handle(event).await;
        if first.answer.is_err() {
            sleep(Duration::from_secs(60)).await;
            // Whatever it comes to: the third attempt would come after the two minutes.
            let _ = run.handle(event).await;
        }
    });
    join_all(deliveries).await;
    let mut requested: Vec<_> = ids
        .iter()
        .map(|id| {
            let requests = run.requests();
            let first = requests.iter().find(|(_, request)| request["EC2InstanceId"] == id.as_str());
            first.expect("every drain is requested").0
        })
        .collect();
    requested.sort();
    let left = NOTICES - run.targets("web").len();
    println!(
        "spot interruption: {NOTICES} notices at once: the last drain requested after {:.1} s, {left} deregistered in time",
        requested[NOTICES - 1].as_secs_f64()
    );
    assert!(requested[NOTICES - 1] < Duration::from_secs(20), "{:?}", requested[NOTICES - 1]);
    // 20 at once and 4 a second is all that the quota allows in two attempts of 24 s.
    assert!(left >= 180, "{left}");
}
