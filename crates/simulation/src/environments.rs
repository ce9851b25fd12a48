//! Lambda's execution environments: warm ones, cold ones, several side by side, each with a clock of its own.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_fake::FakeAws;
use aws_smithy_async::time::TimeSource;
use serde_json::Value;

use crate::dice::Dice;
use crate::later;
use crate::plan::Environments;

type Make<F> = Box<dyn Fn(&SdkConfig) -> F>;

/// All environments of one function.
pub(crate) struct Pool<F> {
    fake: FakeAws,
    config: SdkConfig,
    plan: Environments,
    /// Starts the function.
    make: Make<F>,
    dice: RefCell<Dice>,
    idle: RefCell<Vec<Rc<F>>>,
}

impl<F> Pool<F> {
    pub(crate) fn new(
        fake: &FakeAws,
        config: &SdkConfig,
        plan: &Environments,
        seed: u64,
        make: impl Fn(&SdkConfig) -> F + 'static,
    ) -> Self {
        Self {
            fake: fake.clone(),
            config: config.clone(),
            plan: plan.clone(),
            make: Box::new(make),
            dice: RefCell::new(Dice::new(seed ^ 0x5bd1_e995)),
            idle: RefCell::default(),
        }
    }

    /// One invocation, in an environment that is idle, or in a new one. An environment whose invocation is killed, or
    /// timed out, is gone with it.
    pub(crate) async fn invoke<O>(&self, handle: impl AsyncFnOnce(&F) -> O) -> O {
        let environment = self.take();
        let answer = handle(&environment).await;
        self.idle.borrow_mut().push(environment);
        answer
    }

    /// What an invocation gets: as this version of the function has written it, or a later one.
    pub(crate) fn receive(&self, event: Value) -> Value {
        if self.dice.borrow_mut().chance(self.plan.later) { later::written(event) } else { event }
    }

    fn take(&self) -> Rc<F> {
        let idle = self.idle.borrow_mut().pop();
        let mut dice = self.dice.borrow_mut();
        idle.filter(|_| !dice.chance(self.plan.cold)).unwrap_or_else(|| Rc::new(self.start(&mut dice)))
    }

    fn start(&self, dice: &mut Dice) -> F {
        if self.plan.skew.is_zero() {
            return (self.make)(&self.config);
        }
        let by = self.plan.skew.mul_f64(dice.real(0.0, 1.0));
        let clock = Skewed { fake: self.fake.clone(), by, is_ahead: dice.chance(0.5) };
        (self.make)(&self.config.to_builder().time_source(clock).build())
    }
}

/// AWS's clock, and so much more or less.
#[derive(Clone, Debug)]
struct Skewed {
    fake: FakeAws,
    by: Duration,
    is_ahead: bool,
}

impl TimeSource for Skewed {
    fn now(&self) -> SystemTime {
        let now = TimeSource::now(&self.fake);
        if self.is_ahead { now + self.by } else { now - self.by }
    }
}
