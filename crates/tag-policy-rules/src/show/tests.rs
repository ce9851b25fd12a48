use serde_json::json;
use tag_policy::rules::check;

use super::*;

const FILE: Screen = Screen { width: None };

fn published() -> Vec<Value> {
    vec![
        json!({"RuleId": 1, "TagKey": "ProjectCode", "Action": "Update", "Required": "Y", "Default": "Proj007"}),
        json!({"RuleId": 2, "TagKey": "CreatedBy", "Action": "UserLookup", "Required": "Y", "Default": ""}),
        json!({"RuleId": 3, "TagKey": "Expires", "Action": "Function", "Required": "N", "Default": "today()"}),
    ]
}

/// The answer of `rules` without its colours.
fn shown(items: &[Value], screen: Screen) -> String {
    plain(&rules(items, &check(items), "f", screen).text)
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn the_published_rules_are_a_table() {
    let expected = "\
RuleId  TagKey       Action      Required  Default  If missing
     1  ProjectCode  Update      Y         Proj007  write
     2  CreatedBy    UserLookup  Y                  write
     3  Expires      Function    N         today()  write
f: 3 rules, no faults
";
    assert_eq!(shown(&published(), FILE), expected);
}

#[test]
fn what_becomes_of_a_missing_tag_is_said() {
    let rule = |id: i64, more: Value| {
        let mut rule = json!({"RuleId": id, "TagKey": format!("K{id}"), "Action": "Update", "Default": "x"});
        for (name, value) in more.as_object().expect("attributes") {
            rule[name] = value.clone();
        }
        rule
    };
    let items = [
        rule(1, json!({"Required": "Y"})),
        rule(2, json!({"Required": "N"})),
        rule(3, json!({"Required": "Y", "Enabled": "N"})),
        rule(4, json!({"Required": "Y", "Enabled": false})),
        rule(5, json!({"Required": "?"})),
        rule(6, json!({"RuleId": "six"})),
        rule(7, json!({"OnMissing": "write"})),
    ];
    let text = shown(&items, FILE);
    let words = ["write", "report", "off", "off", "faulty", "faulty", "write"];
    for (line, word) in text.lines().skip(1).zip(words) {
        assert!(line.split("  ").any(|cell| cell.trim() == word), "{word}: {line}");
    }
    assert!(text.contains("\nfault in rule 5: Required must be Y or N\n"), "{text}");
    assert!(text.contains("\nfault in item 6 of the list: RuleId must be a whole number\n"), "{text}");
    assert!(text.ends_with("f: 7 rules, 2 faults in 2 rules: the function would only report\n"), "{text}");
}

#[test]
fn a_rule_is_a_line_unless_on_a_terminal() {
    let long = "word ".repeat(30);
    let rule = json!({
        "RuleId": 1, "TagKey": "Team", "Action": "Update", "Required": "Y", "Default": long.trim(),
        "Priority": 5, "AllowedValues": [long.trim(), "web"], "Exempt": {"No": "*"},
    });
    let text = shown(std::slice::from_ref(&rule), FILE);
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains("web\"]; Exempt: {\"No\":\"*\"}; Priority: 5\n"), "{text}");
    for width in [40, 80, 100, 200] {
        let text = shown(std::slice::from_ref(&rule), Screen { width: Some(width) });
        let besides = text.lines().find(|line| line.starts_with("1 besides: AllowedValues: [\"word "));
        assert_eq!(besides.is_some(), width < 100, "{text}");
        let drawn = text.lines().filter(|line| line.starts_with(['┌', '│', '╞', '└']));
        let widest = drawn.map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= usize::from(width), "{widest} > {width}\n{text}");
        assert!(text.starts_with('┌') && text.lines().count() > 5, "{text}");
    }
}

#[test]
fn a_terminal_is_not_commanded() {
    let rule = json!({
        "RuleId": 1, "TagKey": "a\u{1b}[2Jb", "Action": "Update", "Default": "x\ny\u{7}", "Un\u{1b}known": "\u{9b}",
    });
    for screen in [FILE, Screen { width: Some(200) }] {
        let answer =
            rules(std::slice::from_ref(&rule), &check(std::slice::from_ref(&rule)), "f\u{1b}", screen);
        let text = plain(&answer.text);
        assert!(!text.chars().any(|character| character.is_control() && character != '\n'), "{text:?}");
        // What is stripped above are our colours, and nothing of the rule's.
        for escaped in ["a\\u{1b}[2Jb", "unknown attribute Un\\u{1b}known", "\nf\\u{1b}: 1 rule"] {
            assert!(text.contains(escaped), "{escaped}: {text}");
        }
    }
}

#[test]
fn what_is_shown_can_be_loaded_again() {
    let awkward = [
        "Y",
        "N",
        "yes",
        "off",
        "007",
        "1e3",
        "2026-01-01",
        "null",
        "~",
        " lead",
        "trail ",
        "x: y",
        "# no",
        "*",
        "0x10",
        "12:30:00",
        "a\tb",
        "two\nlines\n",
        "\r\nx",
        "é\u{2028}",
        "[a-z]+\\d{2}",
        "- a",
        "%",
        "@",
        "<<",
        "=",
        "'\"",
        "\u{1b}[31m",
    ];
    let long = "word ".repeat(40);
    let mut items = published();
    for (text, id) in awkward.into_iter().chain([long.as_str()]).zip(10..) {
        items.push(json!({
            "RuleId": id, "TagKey": "K", "Action": "Update", "Default": text, "AllowedValues": [text],
            "Scope": {"Tags": {text: text}}, "GraceHours": 0, "Enabled": true, "KeyCaseFix": null,
        }));
    }
    let checked = check(&items);
    let (json, yaml) =
        (json(&items, &checked, "t").expect("JSON"), yaml(&items, &checked, "t").expect("YAML"));
    assert_eq!(serde_json::from_str::<Vec<Value>>(&json.text).expect("JSON"), items);
    let options = serde_saphyr::options! { strict_booleans: true };
    assert_eq!(serde_saphyr::from_str_with_options::<Vec<Value>>(&yaml.text, options).expect("YAML"), items);
    assert!(
        yaml.text.starts_with("- RuleId: 1\n  TagKey: ProjectCode\n  Action: Update\n  Required: \"Y\"\n")
    );
    assert_eq!((&json.remarks, json.faulty), (&yaml.remarks, yaml.faulty));
    assert!(json.faulty && json.remarks.contains("TagKey must be unique"), "{}", json.remarks);
}

#[test]
fn attributes_are_in_their_order_and_strange_ones_last() {
    let items = [json!({"Zone": 1, "Aisle": 1, "Priority": 1, "TagKey": "K", "RuleId": 1})];
    let yaml = yaml(&items, &check(&items), "t").expect("YAML");
    assert_eq!(yaml.text, "- RuleId: 1\n  TagKey: K\n  Priority: 1\n  Aisle: 1\n  Zone: 1\n");
}

#[test]
fn rules_without_faults_may_still_do_nothing() {
    let off = |id: i64| json!({"RuleId": id, "TagKey": "K", "Action": "UserLookup", "Enabled": "N"});
    for (name, items, expected) in [
        ("none", vec![], "f: no rules: the function only reports\n"),
        ("none on", vec![off(7), off(8)], "f: 2 rules, none of them on: the function only reports\n"),
        ("some on", [published(), vec![off(7)]].concat(), "f: 4 rules (1 off), no faults\n"),
    ] {
        let answer = rules(&items, &check(&items), "f", FILE);
        let text = plain(&answer.text);
        assert!(text.ends_with(expected) && !answer.faulty, "{name}: {text}");
        assert_eq!(
            text.lines().count(),
            if items.is_empty() { 1 } else { items.len() + 2 },
            "{name}: {text}"
        );
    }
}

#[test]
fn the_attributes_are_those_of_the_rule_language() {
    let faults = check(&[json!({"RuleId": 1, "TagKey": "A", "Action": "UserLookup", "?": 1})]).faults;
    let reason = faults.first().expect("an unknown attribute is a fault").reason.as_str();
    let (_, listed) = reason.split_once("allowed are ").expect("the fault names what is allowed");
    let listed: BTreeSet<&str> = listed.split(", ").flat_map(|names| names.split(" and ")).collect();
    assert_eq!(listed, BTreeSet::from(ATTRIBUTES));
}
