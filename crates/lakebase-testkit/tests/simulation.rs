//! A small fleet over a month: what the shipped way of refreshing promises, and what others lose.

use lakebase_testkit::simulation::{Settings, Strategy, simulate};

#[test]
fn no_login_is_refused_because_of_an_outage_that_fits_into_the_window() {
    let report = simulate(Settings { instances: 60, ..Settings::default() });
    println!("{report}");
    let column = |strategy| {
        let found = report.columns.iter().find(|(it, _)| *it == strategy);
        &found.expect("every strategy has a column").1
    };
    let ours = column(Strategy::Machine);
    assert!(report.outages.1 >= 20, "{} short outages", report.outages.1);
    assert_eq!(ours.refused_by_short_outages, 0);
    assert_eq!(ours.refused_without_outage, 0);
    assert_eq!(ours.dead_tokens, 0);
    for other in [Strategy::LoopAtFifty, Strategy::LazyTwoMinutes] {
        let other = column(other);
        assert!(other.refused_by_short_outages > 0);
        assert!(other.refused() > 2 * ours.refused());
        assert!(other.logins.abs_diff(ours.logins) * 100 < ours.logins);
    }
}

#[test]
fn the_same_seed_gives_the_same_month() {
    let settings = Settings { instances: 3, days: 3, ..Settings::default() };
    assert_eq!(simulate(settings).to_string(), simulate(settings).to_string());
    let other = simulate(Settings { seed: 2, ..settings });
    assert_ne!(simulate(settings).to_string(), other.to_string());
}
