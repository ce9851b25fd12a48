use std::cell::RefCell;

use super::*;

/// EC2 as far as one fault goes: what it says of a call with these ids and keys.
fn refusal(case: &str, ids: &[String], keys: &[&str]) -> Option<Fault> {
    let fault = |code: &str, message: &str, kind| {
        Some(Fault { operation: "ec2:CreateTags", code: code.to_owned(), message: message.to_owned(), kind })
    };
    let has = |id: &str| ids.iter().any(|own| own == id);
    match case {
        "an id that is named" if has("i-2") => {
            fault("InvalidInstanceID.NotFound", "The instance ID 'i-2' does not exist", Kind::Gone)
        }
        "an id that is not named" if has("i-2") => fault("TagLimitExceeded", "Too many tags", Kind::Invalid),
        "a tag" if keys.contains(&"Bad") => fault("InvalidParameterValue", "Not a tag", Kind::Invalid),
        "all of it" => fault("RequestLimitExceeded", "Slow down", Kind::Throttled),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn what_spoils_a_call_is_left_out_and_nothing_else() {
    for (case, expected, calls) in [
        ("nothing", vec![], 1),
        ("an id that is named", vec!["i-2 Bad", "i-2 Good"], 2),
        ("an id that is not named", vec!["i-2 Bad", "i-2 Good"], 5),
        ("a tag", vec!["i-1 Bad", "i-2 Bad", "i-3 Bad"], 3),
        ("all of it", vec!["i-1 Bad", "i-1 Good", "i-2 Bad", "i-2 Good", "i-3 Bad", "i-3 Good"], 1),
    ] {
        let made = RefCell::new(Vec::new());
        let call = async |ids: Vec<String>, tags: Vec<Tag>| {
            let keys: Vec<&str> = tags.iter().filter_map(Tag::key).collect();
            made.borrow_mut().push(ids.len());
            refusal(case, &ids, &keys).map_or(Ok(()), Err)
        };
        let ids = ["i-1", "i-2", "i-3"].map(str::to_owned).to_vec();
        let tags = ["Good", "Bad"].map(|key| (key.to_owned(), "x".to_owned())).to_vec();
        let unwritten = each(vec![Write { ids, tags }], call).await;
        let mut lost: Vec<String> = unwritten.iter().map(|one| format!("{} {}", one.id, one.key)).collect();
        lost.sort_unstable();
        assert_eq!(
            (lost, made.borrow().len()),
            (expected.iter().map(ToString::to_string).collect(), calls),
            "{case}"
        );
    }
}
