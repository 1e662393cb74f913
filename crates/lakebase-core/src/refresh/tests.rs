//! Scripts of events, and the seconds at which the machine starts a fetch.

use std::time::Duration;

use super::*;
use crate::Timestamp;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn at(seconds: u64) -> Moment {
    let wall = Timestamp::from_unix_millis(1_769_817_600_000).saturating_add(secs(seconds));
    Moment { monotonic: secs(seconds), wall }
}

/// A machine without jitter, so that the boundaries are exact.
fn machine() -> Machine {
    let policy = Policy::default().scatter(false);
    let mut machine = Machine::new(policy, 1);
    machine.earliness = 0;
    machine
}

/// Plays `second:step` pairs on one machine and compares the seconds at which a flight started.
///
/// Steps: `tick` (nobody asks), `want`, `want+` (with 30 s to live), `ok=LIFE`, `same`, `err`, `no`,
/// `later=SECONDS`, `lost`, `refuse` (the current value), `stale` (the current value),
/// `older` (an older flight brings a value), `late` (an older flight fails).
#[track_caller]
fn check(script: &str, expected: &str) {
    let mut machine = machine();
    let mut starts = Vec::new();
    let mut flight = None;
    let mut older = FlightId::default();
    for pair in script.split_whitespace() {
        let (second, step) = pair.split_once(':').expect("second:step");
        let (step, number) = step.split_once('=').unwrap_or((step, "0"));
        let (now, number) = (at(second.parse().unwrap()), number.parse().unwrap());
        let current = flight.unwrap_or_default();
        let (permanent, retry_after) = (step == "no", (step == "later").then_some(secs(number)));
        let fetched =
            |flight, lifetime, same| Event::Fetched { flight, started: now, lifetime, same };
        let event = match step {
            "tick" => None,
            "want" => Some(Event::Wanted { at_least: Duration::ZERO }),
            "want+" => Some(Event::Wanted { at_least: secs(30) }),
            "ok" => Some(fetched(current, secs(number), false)),
            "same" => Some(fetched(current, secs(3600), true)),
            "err" | "no" | "later" => {
                Some(Event::Failed { flight: current, permanent, retry_after })
            }
            "lost" => Some(Event::Lost { flight: current }),
            "stale" => machine.generation().map(|generation| Event::Stale { generation }),
            "refuse" => machine.generation().map(|generation| Event::Refused { generation }),
            "older" => Some(fetched(older, secs(number), false)),
            "late" => Some(Event::Failed { flight: older, permanent: true, retry_after: None }),
            other => panic!("no such step: {other}"),
        };
        if let Some(event) = event {
            machine.handle(now, event);
        }
        if let Action::Fetch { flight: new, .. } = machine.poll(now) {
            starts.push(second);
            older = flight.replace(new).unwrap_or_default();
        }
    }
    assert_eq!(starts.join(" "), expected, "{script}");
}

#[test]
fn renews_at_minute_fifty() {
    check("0:want 0:ok=3600 2999:want 3000:tick", "0 3000");
}

#[test]
fn one_flight_at_a_time() {
    check("0:want 0:want 5:want 30:want", "0");
}

#[test]
fn a_flight_that_does_not_report_in_time_is_given_up() {
    check("0:want 30:want 31:want", "0 31");
}

#[test]
fn a_flight_that_was_given_up_is_gone_also_while_the_next_one_waits() {
    let mut waiting = 0;
    for seed in 0..50 {
        let mut machine = Machine::new(Policy::default(), seed);
        for round in 0..8 {
            machine.handle(at(round * 5), Event::Wanted { at_least: Duration::ZERO });
            let Action::Fetch { flight, .. } = machine.poll(at(round * 5)) else { continue };
            if round < 7 {
                let event = Event::Failed { flight, permanent: false, retry_after: None };
                machine.handle(at(round * 5), event);
            }
        }
        assert!(machine.flight().is_some());
        if matches!(machine.poll(at(35 + 31)), Action::Wait(_)) {
            assert_eq!(machine.flight(), None);
            waiting += 1;
        }
    }
    assert!(waiting > 0, "no seed leads to a wait");
}

#[test]
fn a_lost_flight_is_replaced_once_and_then_spaced() {
    check("0:want 1:lost 2:lost 2:want 3:want", "0 1 3");
}

#[test]
fn cold_failures_pause_for_less_than_a_second_at_first() {
    check("0:want 0:err 0:want 1:want 1:err 1:want 2:want", "0 1 2");
}

#[test]
fn cold_pauses_end_at_five_seconds() {
    let mut script = "0:want 0:err".to_owned();
    for round in 1..20 {
        script.push_str(&format!(" {0}:want {0}:err", round * 5));
    }
    check(
        &format!("{script} 99:want 100:want"),
        &(0..21).map(|round| (round * 5).to_string()).collect::<Vec<_>>().join(" "),
    );
}

#[test]
fn refusals_pause_five_ten_twenty_seconds_for_every_caller() {
    check("0:want 0:no 4:want 5:want 5:no 14:want 15:want 15:no 34:tick 35:tick", "0 5 15 35");
}

#[test]
fn retry_after_is_a_floor_but_not_for_ever() {
    check("0:want 0:later=20 19:want 20:want", "0 20");
    check("0:want 0:later=99999 599:want 600:want", "0 600");
}

#[test]
fn a_pause_from_the_window_becomes_short_when_the_value_dies() {
    check("0:want 0:ok=60 59:want 59:no 59:refuse 63:want 64:want", "0 59 64");
    check("0:want 0:ok=600 570:want 571:err 571:err 600:want", "0 570 600");
}

#[test]
fn the_same_value_again_waits_thirty_seconds_or_for_its_death() {
    check("0:want 0:ok=3600 3000:want 3000:same 3029:want 3030:want", "0 3000 3030");
    check("0:want 0:ok=60 50:want 50:same 59:want 60:want", "0 50 60");
}

#[test]
fn a_value_that_dies_on_the_way_is_a_failure() {
    check("0:want 0:ok=0 0:want 1:want", "0 1");
}

#[test]
fn a_refused_value_is_fetched_again_at_once_but_only_twice_in_a_row() {
    check(
        "0:want 0:ok=3600 1:refuse 1:ok=3600 2:refuse 2:ok=3600 3:refuse 30:refuse 31:refuse",
        "0 1 2 31",
    );
}

#[test]
fn a_stale_value_is_fetched_again_until_there_is_a_newer_one() {
    // After failures the pauses are those of a valid value.
    check(
        "0:want 0:ok=3600 1:stale 1:err 1:want 2:want 2:ok=3600 3:want 3001:want 3002:want",
        "0 1 2 3002",
    );
    // A value that is not valid for longer than the stale one is taken, too.
    check("0:want 0:ok=3600 1:stale 1:ok=3599 2000:want 3000:want 3001:want", "0 1 3001");
}

#[test]
fn values_are_stale_only_twice_in_a_row() {
    check(
        "0:want 0:ok=3600 1:stale 1:ok=3600 2:stale 2:ok=3600 3:stale 30:stale 31:stale",
        "0 1 2 31",
    );
    // Both limits are the same one, and a second report of the same value does not count.
    check(
        "0:want 0:ok=3600 1:stale 1:stale 1:ok=3600 2:refuse 2:ok=3600 3:stale 3:refuse",
        "0 1 2",
    );
}

#[test]
fn a_demand_for_more_life_fetches_early() {
    check("0:want 0:ok=3600 10:want+ 3571:want", "0 3571");
    check("0:want 0:ok=40 5:want 11:want+", "0 11");
}

#[test]
fn late_reports_of_older_flights_change_nothing_unless_they_help() {
    // The first flight is given up at 31; its failure is ignored, the second one goes on.
    check("0:want 31:want 32:late 32:want 40:ok=3600 41:late 3039:want 3040:want", "0 31 3040");
    // A value that an older flight brings is taken if there is none, and the flight under way goes on.
    check("0:want 31:want 32:older=3600 33:ok=60 34:want", "0 31");
}

#[test]
fn while_nobody_asks_failed_fetches_keep_the_longer_pauses() {
    // These are a second, then up to three, then up to nine.
    check("0:tick 0:err 0:tick 1:tick 1:err 5:tick", "0 1 5");
}

/// Gives `machine` a value at `second`; returns how long it is fresh.
fn hold(machine: &mut Machine, second: u64) -> Duration {
    let Action::Fetch { flight, .. } = machine.poll(at(second)) else { panic!("nothing is due") };
    let (started, lifetime) = (at(second), secs(3600));
    machine.handle(started, Event::Fetched { flight, started, lifetime, same: false });
    let (_, fresh_for, _) = machine.spans().expect("it was accepted");
    fresh_for
}

#[test]
fn jitter_makes_instances_differ_only_towards_earlier_and_stays() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let mut machine = Machine::new(Policy::default(), seed);
        hold(&mut machine, 0);
        let fresh = hold(&mut machine, 3000);
        assert!(secs(2850) <= fresh && fresh <= secs(3000), "{fresh:?}");
        assert_eq!(fresh, hold(&mut machine, 6000));
        seen.insert(fresh);
    }
    assert!(seen.len() > 100, "{} different", seen.len());
}

#[test]
fn what_came_at_need_or_after_a_failure_is_renewed_at_any_time_of_its_life() {
    let mut minutes = [[0; 50]; 3];
    for seed in 0..4_000 {
        let mut machine = Machine::new(Policy::default(), seed);
        let first = hold(&mut machine, 0);
        let Action::Fetch { flight, .. } = machine.poll(at(3000)) else { panic!("it is due") };
        let event = Event::Failed { flight, permanent: false, retry_after: None };
        machine.handle(at(3000), event);
        let late = hold(&mut machine, 3001);
        // A life and more later.
        let expired = hold(&mut machine, 7000);
        for (minutes, fresh) in minutes.iter_mut().zip([first, late, expired]) {
            minutes[usize::try_from(fresh.as_secs() / 60).unwrap().min(49)] += 1;
        }
    }
    for minutes in minutes {
        assert_eq!(minutes[0] + minutes[1], 0, "{minutes:?}");
        assert!(minutes[3..].iter().all(|count| (40..=150).contains(count)), "{minutes:?}");
    }
}

#[test]
fn pauses_fit_fifteen_attempts_into_the_last_ten_minutes() {
    for seed in 0..500 {
        let mut machine = Machine::new(Policy::default(), seed);
        let mut attempts = 0;
        for tenth in 0..6000u32 {
            let now = Moment { monotonic: secs(60) + Duration::from_millis(100) * tenth, ..at(60) };
            if let Action::Fetch { flight, .. } = machine.poll(now) {
                attempts += 1;
                machine.handle(now, Event::Failed { flight, permanent: false, retry_after: None });
            }
        }
        assert!((12..=15).contains(&attempts), "{attempts} attempts with seed {seed}");
    }
}

#[test]
fn phases_have_the_documented_bounds() {
    let mut machine = machine();
    let phase_at = |machine: &Machine, second| machine.phase(at(second));
    assert_eq!(phase_at(&machine, 0), Phase::Empty);
    let Action::Fetch { flight, .. } = machine.poll(at(0)) else { panic!("nothing is held") };
    let event = Event::Fetched { flight, started: at(0), lifetime: secs(3600), same: false };
    machine.handle(at(2), event);
    let table = [
        (0, Phase::Fresh),
        (2999, Phase::Fresh),
        (3000, Phase::Advisory),
        (3539, Phase::Advisory),
        (3540, Phase::Mandatory),
        (3599, Phase::Mandatory),
        (3600, Phase::Expired),
    ];
    for (second, phase) in table {
        assert_eq!(phase_at(&machine, second), phase, "second {second}");
    }
    assert_eq!(machine.left(at(3599)), Some(secs(1)));
    assert_eq!(machine.left(at(3600)), None);
    let generation = machine.generation().expect("it has expired, but exists");
    machine.handle(at(3), Event::Stale { generation });
    for (second, phase) in [(3, Phase::Mandatory), (3599, Phase::Mandatory), (3600, Phase::Expired)]
    {
        assert_eq!(phase_at(&machine, second), phase, "stale, second {second}");
    }
    assert_eq!(machine.left(at(3)), Some(secs(3597)), "it is valid as long as before");
}
