//! What callers get at every age of a value, with healthy and broken services and clocks.

use std::time::Duration;

use lakebase_core::refresh::{Demand, Status};
use lakebase_core::{Clock, Error, ErrorKind};
use lakebase_testkit::{Answer, Reply};

use crate::world::{HOUR, World, down, forbidden, millis, secs, text, unreachable};

#[test]
fn a_fresh_token_is_read_without_waiting_and_without_a_fetch() {
    let world = World::new(vec![Reply::token(HOUR).after(millis(100))]);
    assert!(world.cache.peek().is_none());
    world.get().unwrap();
    world.pass(secs(47 * 60));
    assert_eq!(world.get_at_once().unwrap(), "token 1");
    assert_eq!(text(&world.cache.peek().unwrap()), "token 1");
    assert_eq!(world.origin.calls(), 1);
}

#[test]
fn values_held_side_by_side_stay_what_they_were() {
    let world = World::new((0..4).map(|_| Reply::token(HOUR)).collect());
    let mut held = Vec::new();
    for number in 1..=4 {
        // More than a thread can hold without counting references.
        for _ in 0..12 {
            held.push((number, world.spawn.run(world.cache.get()).unwrap()));
        }
        world.pass(HOUR);
    }
    held.extend(held.clone());
    for (number, value) in held {
        assert_eq!(value.token.expose(), format!("token {number}"));
    }
}

#[test]
fn in_the_window_the_old_token_comes_at_once_and_the_next_in_the_background() {
    let world = World::new(vec![Reply::token(HOUR).after(millis(100))]);
    world.get().unwrap();
    world.pass(secs(50 * 60));
    assert_eq!(world.get_at_once().unwrap(), "token 1");
    world.pass(millis(100));
    assert_eq!(world.get_at_once().unwrap(), "token 2");
    assert_eq!(world.origin.calls(), 2);
}

#[test]
fn without_a_spawner_one_caller_of_the_window_fetches_and_keeps_the_old_token_on_failure() {
    let world = World::without_spawner(vec![Reply::token(HOUR), down().after(millis(100))]);
    world.get().unwrap();
    world.pass(secs(50 * 60));
    assert_eq!(world.get().unwrap(), "token 1");
    assert_eq!(world.origin.calls(), 2);
    assert_eq!(world.get_at_once().unwrap(), "token 1");
    world.origin.follow(vec![Reply::token(HOUR).after(millis(100))]);
    world.pass(secs(60));
    assert_eq!(world.get().unwrap(), "token 2");
}

#[test]
fn at_the_edge_callers_wait_but_fall_back_to_the_old_token() {
    let world = World::new(vec![Reply::token(HOUR), Reply::token(HOUR).after(millis(100))]);
    world.get().unwrap();
    world.pass(HOUR - secs(50));
    assert_eq!(world.get().unwrap(), "token 2");

    let world = World::new(vec![Reply::token(HOUR), down().after(millis(100))]);
    world.get().unwrap();
    world.pass(HOUR - secs(50));
    let start = world.now();
    assert_eq!(world.get().unwrap(), "token 1");
    assert_eq!(world.now() - start, millis(100));
    assert_eq!(world.get_at_once().unwrap(), "token 1", "the spacing holds at the edge too");

    let world = World::new(vec![Reply::token(HOUR), Reply::silence()]);
    world.get().unwrap();
    world.pass(HOUR - secs(50));
    let start = world.now();
    assert_eq!(world.get().unwrap(), "token 1");
    assert!(world.now() - start <= secs(10));
}

#[test]
fn a_dead_token_is_never_handed_out() {
    let world = World::new(vec![Reply::token(HOUR), down()]);
    world.get().unwrap();
    world.pass(HOUR - millis(1));
    assert_eq!(world.get().unwrap(), "token 1");
    world.pass(millis(1));
    assert!(world.cache.peek().is_none());
    assert_eq!(world.get().unwrap_err().to_string(), "the service is down");
}

#[test]
fn an_outage_of_the_whole_window_costs_no_error_and_few_attempts() {
    let world = World::new(vec![Reply::token(HOUR), down()]);
    world.get().unwrap();
    let start = world.time.wall();
    world.pass(secs(50 * 60));
    let mut first_failure = None;
    for _ in 0..599 {
        assert_eq!(world.get().unwrap(), "token 1");
        world.pass(secs(1));
        if let Status::Degraded { since, last_error, good_until } = world.cache.status() {
            assert_eq!(good_until, start.saturating_add(HOUR));
            assert_eq!(last_error.to_string(), "the service is down");
            assert_eq!(*first_failure.get_or_insert(since), since);
        }
    }
    assert!(first_failure.is_some());
    let attempts = world.origin.calls() - 1;
    assert!((12..=15).contains(&attempts), "{attempts} attempts");
    world.origin.follow(vec![Reply::token(HOUR)]);
    world.pass(secs(60));
    world.get().unwrap();
    world.pass(secs(60));
    assert_eq!(world.get().unwrap(), "token 2");
    assert!(matches!(world.cache.status(), Status::Fresh { .. }));
}

#[test]
fn after_an_outage_of_any_length_the_next_get_that_is_due_recovers() {
    for minutes in [5, 20, 70] {
        for reply in [down(), unreachable(), forbidden()] {
            let world = World::new(vec![Reply::token(HOUR), reply]);
            world.get().unwrap();
            world.pass(secs(50 * 60));
            for _ in 0..minutes * 60 {
                let alive = world.cache.peek().is_some();
                assert_eq!(world.get().is_ok(), alive, "errors begin when the token dies");
                world.pass(secs(1));
            }
            world.origin.follow(vec![Reply::token(HOUR)]);
            world.pass(secs(60));
            world.get().unwrap();
            world.pass(secs(0));
            assert_eq!(world.get_at_once().unwrap(), "token 2");
        }
    }
}

#[test]
fn cold_failures_are_spaced_from_a_quarter_second_to_five() {
    let world = World::new(vec![down()]);
    let mut at = Vec::new();
    for _ in 0..1200 {
        let before = world.origin.calls();
        world.get_at_once().unwrap_err();
        if world.origin.calls() > before {
            at.push(world.now());
        }
        world.pass(millis(50));
    }
    let pauses: Vec<u128> = at.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
    assert_eq!(pauses[..6], [250, 500, 1000, 2000, 4000, 5000]);
    assert!(pauses[6..].iter().all(|pause| *pause == 5000), "{pauses:?}");
}

#[test]
fn refusals_are_spaced_from_five_seconds_to_sixty_and_never_final() {
    let world = World::new(vec![forbidden()]);
    let mut at = Vec::new();
    for _ in 0..400 {
        let before = world.origin.calls();
        assert_eq!(world.get_at_once().unwrap_err().kind(), ErrorKind::PermissionDenied);
        if world.origin.calls() > before {
            at.push(world.now());
        }
        world.pass(secs(1));
    }
    let pauses: Vec<u64> = at.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert_eq!(pauses, [5, 10, 20, 40, 60, 60, 60, 60, 60]);
}

#[test]
fn the_service_may_ask_to_be_left_alone() {
    let throttled = Error::new(ErrorKind::Throttled, "slow down").with_retry_after(secs(20));
    let world = World::new(vec![Reply::failure(throttled), Reply::token(HOUR)]);
    world.get().unwrap_err();
    world.pass(millis(19_999));
    world.get().unwrap_err();
    assert_eq!(world.origin.calls(), 1);
    world.pass(millis(1));
    assert_eq!(world.get().unwrap(), "token 1");
}

#[test]
fn useless_answers_are_failures_and_cause_no_busy_loop() {
    let dead = Reply::token(Duration::ZERO);
    let html = Reply::failure(Error::new(ErrorKind::Protocol, "not JSON"));
    for reply in [dead, html] {
        let world = World::new(vec![reply, Reply::token(HOUR)]);
        assert_eq!(world.get().unwrap_err().kind(), ErrorKind::Protocol);
        assert_eq!(world.get_at_once().unwrap_err().kind(), ErrorKind::Protocol);
        assert_eq!(world.origin.calls(), 1);
        world.pass(millis(250));
        world.get().unwrap();
        assert_eq!(world.origin.calls(), 2);
    }
}

#[test]
fn the_same_token_again_is_no_progress_and_not_asked_for_within_thirty_seconds() {
    let same = Reply { delay: Duration::ZERO, answer: Answer::Same };
    let world = World::new(vec![Reply::token(HOUR), same]);
    world.get().unwrap();
    let first = world.cache.peek().unwrap().generation();
    world.pass(secs(50 * 60));
    for _ in 0..300 {
        assert_eq!(world.get_at_once().unwrap(), "token 1");
        world.pass(secs(1));
    }
    assert_eq!(world.cache.peek().unwrap().generation(), first);
    assert_eq!(world.origin.calls(), 1 + 10);
    assert!(matches!(world.cache.status(), Status::Fresh { .. }), "it is no failure");
}

#[test]
fn a_shorter_lived_token_does_not_replace_one_that_lives_longer() {
    let world = World::new(vec![Reply::token(HOUR), Reply::token(secs(300))]);
    world.get().unwrap();
    world.pass(secs(50 * 60));
    world.get().unwrap();
    world.pass(secs(1));
    assert_eq!(world.get_at_once().unwrap(), "token 1");
    world.pass(secs(6 * 60));
    world.get().unwrap();
    world.pass(secs(1));
    assert_ne!(world.get().unwrap(), "token 1");
}

#[test]
fn short_and_very_long_lives_cause_neither_busy_loops_nor_dead_tokens() {
    for life in [secs(1), secs(10), secs(300), HOUR, 24 * HOUR, 100_000 * HOUR] {
        let world = World::new(vec![Reply::token(life)]);
        let start = world.now();
        while world.now() - start < secs(3600) {
            world.get().unwrap();
            world.pass(secs(1));
        }
        let most = 2 + (HOUR.as_millis() / (life.as_millis() * 2 / 5)) as usize;
        assert!(world.origin.calls() <= most, "{life:?}: {} mints", world.origin.calls());
    }
}

#[test]
fn clocks_that_stop_or_step_cost_at_most_one_early_mint() {
    let hour = 3_600_000;
    for (suspend, step) in [(5 * HOUR, 0), (secs(0), -hour), (secs(0), hour), (5 * HOUR, -hour)] {
        let world = World::new(vec![Reply::token(HOUR)]);
        world.get().unwrap();
        world.pass(secs(60));
        world.time.suspend(suspend);
        world.time.step_wall(step);
        for _ in 0..45 * 60 {
            let held = world.spawn.run(world.cache.get()).unwrap();
            assert!(world.time.real() < held.expires_at, "no dead token");
            world.pass(secs(1));
        }
        assert!(world.origin.calls() <= 2, "{} mints", world.origin.calls());
    }
}

#[test]
fn a_wrong_local_clock_does_no_harm_when_the_service_says_the_time() {
    for hours in [-2, 2] {
        let world = World::new(vec![Reply::token(HOUR)]);
        world.time.step_wall(hours * 3_600_000);
        for _ in 0..120 {
            let held = world.spawn.run(world.cache.get()).unwrap();
            assert!(world.time.real() < held.expires_at);
            world.pass(secs(60));
        }
        assert!(world.origin.calls() <= 4);
    }
}

#[test]
fn a_slewed_clock_shortens_a_life_at_most_a_little() {
    let world = World::new(vec![Reply::token(HOUR)]);
    for minute in 0..120 {
        let held = world.spawn.run(world.cache.get()).unwrap();
        assert!(world.time.real() < held.expires_at);
        world.pass(secs(60));
        world.time.step_wall(if minute % 2 == 0 { 30 } else { -30 });
    }
    assert_eq!(world.origin.calls(), 3);
}

#[test]
fn a_refused_token_is_replaced_by_a_forced_mint() {
    let world = World::new(vec![Reply::token(HOUR)]);
    world.get().unwrap();
    let refused = world.cache.peek().unwrap().generation();
    world.cache.invalidate(refused);
    world.cache.invalidate(refused);
    assert!(world.cache.peek().is_none());
    assert_eq!(world.get().unwrap(), "token 2");
    assert_eq!((world.origin.calls(), world.origin.forced()), (2, 1));
    world.cache.invalidate(refused);
    assert_eq!(world.get_at_once().unwrap(), "token 2", "late news about an old token");
}

#[test]
fn forced_mints_are_two_in_a_row_and_then_one_per_thirty_seconds() {
    let world = World::new(vec![Reply::token(HOUR)]);
    let mut at = Vec::new();
    for _ in 0..120 {
        world.get().unwrap();
        let before = world.origin.forced();
        world.cache.invalidate(world.cache.peek().unwrap().generation());
        world.get().unwrap();
        if world.origin.forced() > before {
            at.push(world.now());
        }
        world.pass(secs(1));
    }
    let pauses: Vec<u64> = at.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert_eq!(pauses, [1, 29, 30, 30], "{at:?}");
}

#[test]
fn a_forced_mint_that_fails_stays_forced() {
    let world = World::new(vec![Reply::token(HOUR), down(), Reply::token(HOUR)]);
    world.get().unwrap();
    world.cache.invalidate(world.cache.peek().unwrap().generation());
    world.get().unwrap_err();
    world.pass(millis(250));
    assert_eq!(world.get().unwrap(), "token 2");
    assert_eq!(world.origin.forced(), 2);
}

#[test]
fn a_demand_for_more_life_is_met_by_a_fetch_and_never_by_less() {
    let world = World::new(vec![Reply::token(HOUR), Reply::token(HOUR), down()]);
    let demand = Demand::nested(false);
    let get = || world.spawn.run(world.cache.get_for(demand)).map(|held| text(&held));
    assert_eq!(get().unwrap(), "token 1");
    world.pass(HOUR - secs(29));
    assert_eq!(get().unwrap(), "token 2", "29 s do not outlive a flight of 30 s");
    world.pass(HOUR - secs(29));
    assert_eq!(get().unwrap_err().to_string(), "the service is down");
    assert_eq!(world.get().unwrap(), "token 2", "others may still have it");
}

#[test]
fn a_fresh_token_that_is_too_short_for_a_demand_is_fetched_again() {
    let world = World::new(vec![Reply::token(secs(40))]);
    let get = || world.spawn.run(world.cache.get_for(Demand::nested(false)));
    assert_eq!(text(&get().unwrap()), "token 1");
    world.pass(secs(11));
    assert_eq!(world.get_at_once().unwrap(), "token 1", "it is fresh to others");
    assert_eq!(text(&get().unwrap()), "token 2");
}

#[test]
fn a_short_life_meets_a_demand_for_more_if_nothing_better_is_had() {
    let world = World::new(vec![Reply::token(secs(20))]);
    let held = world.spawn.run(world.cache.get_for(Demand::nested(false))).unwrap();
    assert_eq!((text(&held).as_str(), world.origin.calls()), ("token 1", 1));
}

#[test]
fn status_tells_readiness() {
    let world = World::new(vec![down(), Reply::token(HOUR)]);
    assert!(matches!(world.cache.status(), Status::Empty));
    world.get().unwrap_err();
    let status = world.cache.status();
    assert!(matches!(&status, Status::Dead { last_error, .. } if last_error.status() == Some(503)));
    assert!(!status.is_ready());
    world.pass(secs(5));
    world.get().unwrap();
    let until = world.time.wall().saturating_add(HOUR);
    let status = world.cache.status();
    assert!(matches!(status, Status::Fresh { good_until } if good_until == until), "{status:?}");
    world.pass(2 * HOUR);
    assert!(matches!(world.cache.status(), Status::Empty), "idle, not broken");
}

#[test]
fn nothing_that_can_be_printed_shows_a_token() {
    let world = World::new(vec![Reply::token(HOUR)]);
    let held = world.spawn.run(world.cache.get()).unwrap();
    let printed = format!("{held:?} {:?} {:?}", world.cache, world.cache.status());
    assert!(!printed.contains("token 1"), "{printed}");
}
