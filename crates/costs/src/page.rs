//! What all pages have in common: bills beside each other, and the prices.

use crate::bill::{Bill, Item, Price};
use crate::prices::{self, CHECKED, REGION};
use crate::show::{Block, Grid, dollars, number, price};

/// The column of what people use otherwise.
pub(crate) const PUBLISHED: &str = "published design";

/// Where, when, and how the free tier is treated.
pub(crate) fn intro(free_tier: bool) -> Block {
    Block::Text(format!(
        "Dollars a month of 30 days in {REGION}, at the prices of {CHECKED}, {} free tier.",
        if free_tier { "with the" } else { "without" }
    ))
}

/// A part of a bill beside that of the published design, item by item, with the sum.
pub(crate) fn compare(name: &str, part: &str, ours: &Bill, theirs: &Bill) -> Grid {
    let find =
        |bill: &Bill, name: &str| -> Option<Item> { bill.of(part).find(|item| item.name == name).cloned() };
    let missing = theirs.of(part).filter(|item| find(ours, &item.name).is_none());
    let row = |item: &Item| {
        let both = [find(ours, &item.name), find(theirs, &item.name)];
        let asked = match &both {
            [Some(mine), Some(other)] if mine.price != other.price => {
                format!("{}; published {}", rate(mine.price), rate(other.price))
            }
            _ => rate(item.price),
        };
        let cells = both.iter().flat_map(|item| match item {
            Some(item) => [units(item), dollars(item.dollars)],
            None => [String::new(), String::new()],
        });
        [item.name.clone(), asked].into_iter().chain(cells).collect::<Vec<_>>()
    };
    let mut rows: Vec<Vec<String>> = sorted(ours.of(part).chain(missing)).into_iter().map(row).collect();
    rows.push(sums("total", sum(ours, part), sum(theirs, part)));
    let header = ["item", "price", &format!("#{name}"), "#$", &format!("#{PUBLISHED}"), "#$"];
    Grid { header: header.map(str::to_owned).to_vec(), rows }
}

/// The same for what the published designs have nothing for.
pub(crate) fn alone(name: &str, part: &str, bill: &Bill) -> Grid {
    let row = |item: &Item| vec![item.name.clone(), rate(item.price), units(item), dollars(item.dollars)];
    let mut rows: Vec<Vec<String>> = sorted(bill.of(part)).into_iter().map(row).collect();
    rows.push(vec!["total".to_owned(), String::new(), String::new(), dollars(sum(bill, part))]);
    let header = ["item", "price", &format!("#{name}"), "#$"];
    Grid { header: header.map(str::to_owned).to_vec(), rows }
}

/// What is free comes last.
fn sorted<'b>(items: impl Iterator<Item = &'b Item>) -> Vec<&'b Item> {
    let (paid, free): (Vec<_>, Vec<_>) = items.partition(|item| item.price.of(1.0) > 0.0);
    [paid, free].concat()
}

/// A last row of [`compare`]'s.
pub(crate) fn sums(name: &str, mine: f64, other: f64) -> Vec<String> {
    let (mine, other) = (dollars(mine), dollars(other));
    vec![name.to_owned(), String::new(), String::new(), mine, String::new(), other]
}

/// Dollars of a part.
pub(crate) fn sum(bill: &Bill, part: &str) -> f64 {
    bill.of(part).fold(0.0, |sum, item| sum + item.dollars)
}

/// `518,400 calls`.
fn units(item: &Item) -> String {
    let decimals = match item.units {
        units if units.fract() <= 0.0 || units >= 1_000.0 => 0,
        units if units < 0.1 => 4,
        _ => 2,
    };
    let unit = item.price.unit;
    let one = if item.units.to_bits() == 1.0_f64.to_bits() { unit.trim_end_matches('s') } else { unit };
    format!("{} {one}", number(item.units, decimals))
}

/// `0.01 $ a 1,000 calls`; from the first tier to the last where there are some.
fn rate(of: &Price) -> String {
    match of.tiers {
        [tier] if tier.dollars <= 0.0 => "free".to_owned(),
        [first, .., last] => format!("{} to {} $ {}", price(first.dollars), price(last.dollars), of.each),
        [tier] => format!("{} $ {}", price(tier.dollars), of.each),
        [] => String::new(),
    }
}

/// The prices.
pub(crate) fn prices() -> Grid {
    let row = |of: &&Price| {
        let last = of.tiers.len().saturating_sub(1);
        let tiers = of.tiers.iter().enumerate().map(|(at, tier)| {
            let room = number(tier.units, 0);
            match at {
                0 if last == 0 => price(tier.dollars),
                0 => format!("{} for the first {room} {}", price(tier.dollars), of.unit),
                at if at == last => format!("{} for the rest", price(tier.dollars)),
                _ => format!("{} for the next {room}", price(tier.dollars)),
            }
        });
        let free = if of.free > 0.0 { format!("{} {}", number(of.free, 0), of.unit) } else { String::new() };
        let tiers = tiers.collect::<Vec<_>>().join(", ");
        [of.name, of.each, &tiers, &free, of.page, of.seen].map(str::to_owned).to_vec()
    };
    let header = ["price", "for", "$", "free a month", "page", "read in"].map(str::to_owned).to_vec();
    Grid { header, rows: prices::ALL.iter().map(row).collect() }
}
