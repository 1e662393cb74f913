//! Clients that come and go, against the rules of the line.

use proptest::prelude::*;
use tokio::sync::oneshot::error::TryRecvError;

use super::*;

type Line = Queue<u8, u32>;

const FOREVER: Duration = Duration::from_secs(1_000);

fn idle(key: u8, session: u32, since: u64) -> Idle<u8, u32> {
    Idle { key, session, since: Duration::from_secs(since), expires: FOREVER }
}

/// A short name for a turn.
fn turn(turn: Turn<u8, u32>) -> String {
    match turn {
        Turn::Reuse(idle) => format!("reuse {}", idle.session),
        Turn::Open => "open".to_owned(),
        Turn::Replace(session) => format!("replace {session}"),
    }
}

fn at_once(queue: &mut Line, key: u8) -> String {
    turn(queue.enter(&key, None).unwrap())
}

#[test]
fn the_session_that_was_used_last_is_used_next() {
    let mut queue = Line::new(2);
    assert_eq!([at_once(&mut queue, 0), at_once(&mut queue, 0)], ["open", "open"]);
    queue.give_back(idle(0, 1, 5));
    queue.give_back(idle(0, 2, 6));
    assert_eq!(at_once(&mut queue, 0), "reuse 2");
    // A client with another key takes the place of the session that was idle for longest.
    assert_eq!(at_once(&mut queue, 9), "replace 1");
    assert_eq!(queue.counts(), Counts { taken: 2, idle: 0, waiting: 0 });
}

#[test]
fn the_line_is_served_in_order_whatever_becomes_free() {
    let mut queue = Line::new(1);
    assert_eq!(at_once(&mut queue, 0), "open");
    let mut line: Vec<_> =
        [0, 7, 0, 0].map(|key| queue.enter(&key, Some(b"name")).unwrap_err()).into();
    assert_eq!(queue.next_name(&0), Some(Some(&b"name"[..])));
    queue.give_back(idle(0, 1, 0));
    assert_eq!(turn(line[0].turn.try_recv().unwrap()), "reuse 1");
    assert_eq!(queue.next_name(&0), None, "the next one wants another kind");
    queue.give_back(idle(0, 1, 0));
    assert_eq!(turn(line[1].turn.try_recv().unwrap()), "replace 1");
    // One leaves, one is gone without a word, and a session has ended.
    queue.leave(line[2].number);
    drop(line.remove(2));
    queue.free();
    assert_eq!(turn(line[2].turn.try_recv().unwrap()), "open");
    queue.free();
    assert_eq!(queue.counts(), Counts { taken: 0, idle: 0, waiting: 0 });
}

#[test]
fn a_client_that_left_is_passed_over() {
    let mut queue = Line::new(1);
    at_once(&mut queue, 0);
    let [first, second, mut third] = [0, 7, 0].map(|key| queue.enter(&key, None).unwrap_err());
    drop((first, second));
    queue.give_back(idle(0, 1, 0));
    assert_eq!(turn(third.turn.try_recv().unwrap()), "reuse 1");
}

#[test]
fn idle_sessions_end_in_time_and_the_last_ones_stay() {
    let seconds = Duration::from_secs;
    let mut queue = Line::new(5);
    for _ in 0..4 {
        at_once(&mut queue, 0);
    }
    for number in 0..4_u64 {
        let expires = if number == 3 { seconds(40) } else { FOREVER };
        let session = u32::try_from(number).unwrap();
        let since = seconds(number * 10);
        queue.idle.push(Idle { key: 0, session, since, expires });
    }
    let sweep = |queue: &mut Line, now, ended: u32| {
        let swept = queue.sweep(seconds(now), seconds(15), 2, |session| *session == ended);
        (swept.ended, swept.closed, queue.due(seconds(15), 2).map(|due| due.as_secs()))
    };
    assert_eq!(sweep(&mut queue, 10, 99), (0, vec![], Some(15)));
    assert_eq!(sweep(&mut queue, 15, 99), (0, vec![0], Some(25)));
    assert_eq!(sweep(&mut queue, 16, 2), (1, vec![], Some(40)));
    // Two are to stay however long they are idle, but not when they are too old.
    assert_eq!(sweep(&mut queue, 39, 99), (0, vec![], Some(40)));
    assert_eq!(sweep(&mut queue, 40, 99), (0, vec![3], Some(1_000)));
    assert_eq!(queue.idle_before(seconds(10)), Vec::<u32>::new());
    assert_eq!(queue.idle_before(seconds(11)), [1]);
    assert_eq!(queue.counts(), Counts { taken: 0, idle: 0, waiting: 0 });
}

proptest! {
    /// However clients come and go: never more sessions than places, nobody waits while there is room, nobody overtakes, and
    /// nothing is lost.
    #[test]
    fn places_are_kept(size in 1_usize..4, steps in prop::collection::vec((0_u8..6, 0_u8..2, 0_usize..8), 1..200)) {
        let mut queue = Line::new(size);
        let (mut next, mut used, mut line) = (0_u32, Vec::<(u8, u32)>::new(), Vec::<(u8, Ticket<u8, u32>)>::new());
        let mut live = 0_usize;
        for (step, key, at) in steps {
            let mut turns = Vec::new();
            match step {
                0..=2 => match queue.enter(&key, None) {
                    Ok(turn) => turns.push((key, turn)),
                    Err(ticket) => line.push((key, ticket)),
                },
                3 if !used.is_empty() => {
                    let (key, session) = used.remove(at % used.len());
                    queue.give_back(idle(key, session, 0));
                }
                4 if !used.is_empty() => {
                    used.remove(at % used.len());
                    live -= 1;
                    queue.free();
                }
                5 if !line.is_empty() => {
                    let (_, ticket) = line.remove(at % line.len());
                    queue.leave(ticket.number);
                }
                _ => {}
            }
            // Whose turn came is at the head of the line.
            while let Some((key, ticket)) = line.first_mut() {
                match ticket.turn.try_recv() {
                    Ok(turn) => turns.push((*key, turn)),
                    Err(TryRecvError::Empty) => break,
                    Err(error) => panic!("{error}"),
                }
                line.remove(0);
            }
            prop_assert!(line.iter_mut().all(|(_, ticket)| ticket.turn.try_recv().is_err()));
            for (key, turn) in turns {
                match turn {
                    Turn::Reuse(idle) => {
                        prop_assert_eq!(idle.key, key);
                        used.push((key, idle.session));
                        continue;
                    }
                    Turn::Open => live += 1,
                    Turn::Replace(_) => {}
                }
                used.push((key, next));
                next += 1;
            }
            let counts = queue.counts();
            prop_assert!(live <= size);
            prop_assert_eq!(counts.taken, live);
            prop_assert_eq!(counts.idle, live - used.len());
            prop_assert_eq!(counts.waiting, line.len());
            prop_assert!(line.is_empty() || used.len() == size);
        }
    }
}
