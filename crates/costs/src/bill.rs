//! Units → dollars.

/// So many units at a price; then the next tier begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tier {
    /// How many units it holds; infinitely many, the last.
    pub units: f64,
    /// Dollars for [`Price::per`] units.
    pub dollars: f64,
}

/// What AWS asks for something.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// What is priced.
    pub name: &'static str,
    /// What the dollars are for, in words: `a 1,000 calls`.
    pub each: &'static str,
    /// What is counted: `calls`.
    pub unit: &'static str,
    /// So many units cost the dollars of their tier.
    pub per: f64,
    /// By volume, in the order in which they fill.
    pub tiers: &'static [Tier],
    /// Units a month that the free tier gives for good.
    pub free: f64,
    /// The page that says so today.
    pub page: &'static str,
    /// Where else it was read, and what it said when; empty where it has been known for long.
    pub seen: &'static str,
}

impl Price {
    /// Dollars for so many units a month.
    #[must_use]
    pub fn of(&self, units: f64) -> f64 {
        let mut left = units;
        let mut dollars = 0.0;
        for tier in self.tiers {
            let here = left.min(tier.units);
            dollars += here * tier.dollars / self.per;
            left -= here;
        }
        dollars
    }
}

/// One line of a bill.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The part of the bill that it is in.
    pub part: &'static str,
    /// What it is for.
    pub name: String,
    /// At which price.
    pub price: &'static Price,
    /// How much of it a month.
    pub units: f64,
    /// Dollars a month.
    pub dollars: f64,
}

/// What one design costs a month.
#[derive(Clone, Debug)]
pub struct Bill {
    free_tier: bool,
    part: &'static str,
    /// In the order in which they were added.
    pub items: Vec<Item>,
}

impl Bill {
    /// A bill with nothing on it. The free tier is taken as if nothing else in the account used it.
    #[must_use]
    pub fn new(free_tier: bool) -> Self {
        Self { free_tier, part: "", items: Vec::new() }
    }

    /// Begins a part: what is added from now on is in it.
    pub fn begin(&mut self, part: &'static str) {
        self.part = part;
    }

    /// Adds an item, if there is any of it. Items of one price fill its free tier and its tiers together.
    pub fn add(&mut self, name: impl Into<String>, price: &'static Price, units: f64) {
        self.add_unless_free(name, price, units, price.free);
    }

    /// The same, where another amount is free.
    pub fn add_unless_free(&mut self, name: impl Into<String>, price: &'static Price, units: f64, free: f64) {
        if units <= 0.0 {
            return;
        }
        let free = if self.free_tier { free } else { 0.0 };
        let before = self.used(price);
        let charged = |units: f64| price.of((units - free).max(0.0));
        let dollars = charged(before + units) - charged(before);
        self.items.push(Item { part: self.part, name: name.into(), price, units, dollars });
    }

    /// Units at a price, in all parts.
    #[must_use]
    pub fn used(&self, price: &'static Price) -> f64 {
        // Not -0, which is the sum of nothing.
        self.items.iter().filter(|item| item.price == price).fold(0.0, |sum, item| sum + item.units)
    }

    /// Items of a part.
    pub fn of<'b>(&'b self, part: &'b str) -> impl Iterator<Item = &'b Item> {
        self.items.iter().filter(move |item| item.part == part)
    }

    /// Dollars a month.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.items.iter().fold(0.0, |sum, item| sum + item.dollars)
    }
}
