//! A fleet over a month in virtual time: logins refused by three ways of refreshing tokens.
//!
//! All instances use one service with outages of ten seconds to seventy minutes. Each has its own clocks: skewed,
//! set forward and back now and then, and standing still while the instance is suspended. Every way of
//! refreshing meets exactly the same month.

mod contender;
mod world;

use std::fmt;
use std::time::Duration;

pub use contender::Strategy;
use contender::{Contender, Login};
use world::{Cause, Instance, Service};

/// How large a simulation is; the same settings always give the same result.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many instances. Default: 1000.
    pub instances: u32,
    /// How many days. Default: 30.
    pub days: u32,
    /// The mean time between two logins of one instance. Default: 5 minutes.
    pub login_every: Duration,
    /// For all that is random.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { instances: 1000, days: 30, login_every: Duration::from_secs(300), seed: 1 }
    }
}

/// What happened to one strategy.
#[derive(Clone, Debug, Default)]
pub struct Column {
    /// All logins.
    pub logins: u64,
    /// Logins refused by an outage shorter than nine minutes, which the ten minutes before a token's
    /// death are there to bridge.
    pub refused_by_short_outages: u64,
    /// Logins refused by longer outages.
    pub refused_by_long_outages: u64,
    /// Logins refused while or after an outage that met an instance whose clock had just been set forward,
    /// or that had just started or woken up.
    pub refused_after_disturbances: u64,
    /// Those among them in outages shorter than nine minutes.
    pub refused_after_disturbances_by_short_outages: u64,
    /// Those among them while the token lived by true time: a clock that was set forward made it look dead, as it does
    /// after a suspend.
    pub refused_after_disturbances_with_living_tokens: u64,
    /// Logins refused although the service was well for the last hour.
    pub refused_without_outage: u64,
    /// Logins with a token that was dead, among all those that were refused.
    pub dead_tokens: u64,
    /// Calls of the service.
    pub mints: u64,
    /// The largest number of calls in one minute, by all instances together.
    pub mints_in_worst_minute: u64,
    /// Logins refused on each day.
    pub refused_per_day: Vec<u64>,
}

impl Column {
    /// All refused logins.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused_by_short_outages
            + self.refused_by_long_outages
            + self.refused_after_disturbances
            + self.refused_without_outage
    }
}

/// The strategies side by side. `Display` prints a table.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was simulated.
    pub settings: Settings,
    /// How many outages there were, and how many of them were shorter than nine minutes.
    pub outages: (usize, usize),
    /// One column per strategy.
    pub columns: Vec<(Strategy, Column)>,
}

/// Simulates the month for every strategy.
#[must_use]
pub fn simulate(settings: Settings) -> Report {
    let service = Service::new(&settings);
    let columns = Strategy::ALL.map(|strategy| (strategy, run(&settings, &service, strategy)));
    Report { settings, outages: service.count(), columns: columns.into() }
}

fn run(settings: &Settings, service: &Service, strategy: Strategy) -> Column {
    let minutes = settings.days as usize * 24 * 60 + 1;
    let mut per_minute = vec![0u64; minutes];
    let mut column =
        Column { refused_per_day: vec![0; settings.days as usize], ..Column::default() };
    for number in 0..settings.instances {
        let instance = Instance::new(settings, number);
        live(settings, service, instance, strategy, &mut column, &mut per_minute);
    }
    column.mints = per_minute.iter().sum();
    column.mints_in_worst_minute = per_minute.iter().copied().max().unwrap_or(0);
    column
}

/// One instance's month.
fn live(
    settings: &Settings,
    service: &Service,
    mut instance: Instance,
    strategy: Strategy,
    column: &mut Column,
    per_minute: &mut [u64],
) {
    let mut contender = Contender::new(strategy, instance.seed);
    let end = Duration::from_secs(u64::from(settings.days) * 86_400);
    let mut login_at = instance.next_login(settings);
    loop {
        let wake = contender.next_wake(&instance);
        let disturbance = instance.next_disturbance();
        let next = login_at.min(wake).min(disturbance);
        if next >= end {
            return;
        }
        instance.real = instance.real.max(next);
        let calls = if disturbance == next {
            instance.disturb();
            // Logins that would have fallen into a suspend do not happen.
            login_at = login_at.max(instance.real);
            contender.disturbed(&instance);
            0
        } else if wake == next {
            contender.wake(&instance, service)
        } else {
            login_at = instance.real + instance.next_login(settings);
            let (login, calls) = contender.login(&instance, service);
            column.logins += 1;
            if login != Login::Accepted {
                refuse(column, service, &instance, &contender, login);
            }
            calls
        };
        let minute = (instance.real.as_secs() / 60) as usize;
        if let Some(count) = per_minute.get_mut(minute) {
            *count += calls;
        }
    }
}

fn refuse(
    column: &mut Column,
    service: &Service,
    instance: &Instance,
    contender: &Contender,
    login: Login,
) {
    column.dead_tokens += u64::from(login == Login::DeadToken);
    let cause = service.cause(instance.real);
    let count = match cause {
        Cause::None => &mut column.refused_without_outage,
        _ if contender.is_disturbed() => {
            let (short, living) = (cause == Cause::ShortOutage, contender.token_lives(instance));
            column.refused_after_disturbances_by_short_outages += u64::from(short);
            column.refused_after_disturbances_with_living_tokens += u64::from(living);
            &mut column.refused_after_disturbances
        }
        Cause::ShortOutage => &mut column.refused_by_short_outages,
        Cause::LongOutage => &mut column.refused_by_long_outages,
    };
    *count += 1;
    let day = (instance.real.as_secs() / 86_400) as usize;
    if let Some(count) = column.refused_per_day.get_mut(day) {
        *count += 1;
    }
}

/// A row's name and where its number comes from.
type Row = (&'static str, fn(&Column) -> u64);

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { instances, days, .. } = self.settings;
        let (outages, short) = self.outages;
        writeln!(f, "{instances} instances, {days} days, {outages} outages, {short} below 9 min")?;
        let rows: [Row; 11] = [
            ("logins", |it| it.logins),
            ("refused", Column::refused),
            ("  by outages below 9 min", |it| it.refused_by_short_outages),
            ("  by longer outages", |it| it.refused_by_long_outages),
            ("  in outages after a start, wake-up or clock step", |it| {
                it.refused_after_disturbances
            }),
            ("    of these, below 9 min", |it| it.refused_after_disturbances_by_short_outages),
            ("    of these, with a token that lived", |it| {
                it.refused_after_disturbances_with_living_tokens
            }),
            ("  while the service was well", |it| it.refused_without_outage),
            ("dead tokens presented", |it| it.dead_tokens),
            ("mints", |it| it.mints),
            ("mints in the worst minute", |it| it.mints_in_worst_minute),
        ];
        write!(f, "{:<50}", "")?;
        for (strategy, _) in &self.columns {
            write!(f, " {:>22}", strategy.name())?;
        }
        writeln!(f)?;
        for (name, value) in rows {
            write!(f, "{name:<50}")?;
            for (_, column) in &self.columns {
                write!(f, " {:>22}", value(column))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
