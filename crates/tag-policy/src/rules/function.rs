//! The functions of a `Function` rule.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::instance::{Frame, Instance};

/// A function, as `Default` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `today()`: the run's date in UTC, moved on by an offset.
    Today(Offset),
    /// `launchDate()`: the date in UTC on which the instance was first launched, moved on by an offset.
    LaunchDate(Offset),
    /// `accountId()`: the account's twelve digits.
    AccountId,
    /// `region()`: the region's name.
    Region,
}

/// So many days, weeks, months or years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offset {
    days: i32,
    months: i32,
}

/// In words, for errors.
pub(super) const ALLOWED: &str = "today(), launchDate(), accountId() or region(); the dates also with an offset \
                                  such as +30d, +2w, +6m or +1y (at most 100 years)";

impl Function {
    /// Reads a function; none if it is not one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (name, offset) = text.split_once("()")?;
        match (name, offset) {
            ("today", offset) => Offset::parse(offset).map(Self::Today),
            ("launchDate", offset) => Offset::parse(offset).map(Self::LaunchDate),
            ("accountId", "") => Some(Self::AccountId),
            ("region", "") => Some(Self::Region),
            _ => None,
        }
    }

    /// The value for an instance; none where it cannot be told (a hand-made event names no account, or
    /// the date is past the calendar's end).
    #[must_use]
    pub fn value(self, instance: &Instance, frame: &Frame) -> Option<String> {
        match self {
            Self::Today(offset) => offset.after(frame.now).map(|date| date.to_string()),
            Self::LaunchDate(offset) => offset.after(instance.first_launch).map(|date| date.to_string()),
            Self::AccountId => frame.account.clone(),
            Self::Region => frame.region.clone(),
        }
    }
}

impl Offset {
    /// Reads `+30d` and its like; nothing is no offset.
    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let amount = text.strip_prefix('+')?;
        let (amount, unit) = amount.split_at_checked(amount.len().checked_sub(1)?)?;
        if !amount.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (days, months, most) = match unit {
            "d" => (1, 0, 36_525),
            "w" => (7, 0, 5_217),
            "m" => (0, 1, 1_200),
            "y" => (0, 12, 100),
            _ => return None,
        };
        let amount: i32 = amount.parse().ok().filter(|amount| (0..=most).contains(amount))?;
        Some(Self { days: days * amount, months: months * amount })
    }

    /// The date so long after a moment. The 31st plus a month is the next month's last day.
    fn after(self, moment: Timestamp) -> Option<Date> {
        let date = moment.to_zoned(TimeZone::UTC).date();
        date.checked_add(Span::new().months(self.months).days(self.days)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_computed_from_the_frozen_time() {
        let frame = Frame {
            now: "2026-01-31T23:59:59Z".parse().unwrap(),
            account: Some("123456789012".to_owned()),
            region: Some("eu-central-1".to_owned()),
        };
        let launched = "2024-02-29T00:00:00Z".parse().unwrap();
        let instance = Instance { first_launch: launched, ..Instance::default() };
        for (text, expected) in [
            ("today()", Some("2026-01-31")),
            ("today()+0d", Some("2026-01-31")),
            ("today()+30d", Some("2026-03-02")),
            ("today()+2w", Some("2026-02-14")),
            ("today()+1m", Some("2026-02-28")),
            ("today()+1y", Some("2027-01-31")),
            ("today()+100y", Some("2126-01-31")),
            ("launchDate()", Some("2024-02-29")),
            ("launchDate()+1y", Some("2025-02-28")),
            ("accountId()", Some("123456789012")),
            ("region()", Some("eu-central-1")),
            ("", None),
            ("today", None),
            ("Today()", None),
            ("today() ", None),
            ("today()+", None),
            ("today()+d", None),
            ("today()+30", None),
            ("today()+30h", None),
            ("today()-30d", None),
            ("today()++3d", None),
            ("today()+101y", None),
            ("today()+99999999999d", None),
            ("today()+3ü", None),
            ("region()+1d", None),
            ("owner()", None),
        ] {
            let value = Function::parse(text).and_then(|function| function.value(&instance, &frame));
            assert_eq!(value.as_deref(), expected, "{text:?}");
        }
    }
}
