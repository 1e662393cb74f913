//! The orders that a subject gets: lines of JSON on standard input, each answered by one. `xtask/peers/db` obeys by this file, too.

use std::io::{self, BufRead as _};
use std::time::Duration;

use serde_json::{Value, json};

/// One line.
pub(crate) struct Order(Value);

impl Order {
    pub(crate) fn number(&self, name: &str) -> io::Result<u64> {
        self.0.get(name).and_then(Value::as_u64).ok_or_else(|| missing(name))
    }

    pub(crate) fn millis(&self, name: &str) -> io::Result<Duration> {
        self.number(name).map(Duration::from_millis)
    }

    pub(crate) fn text(&self, name: &str) -> io::Result<&str> {
        self.0.get(name).and_then(Value::as_str).ok_or_else(|| missing(name))
    }
}

fn missing(name: &str) -> io::Error {
    io::Error::other(format!("an order without {name}"))
}

/// Says that the subject is ready, then obeys until standard input ends.
pub(crate) async fn obey<E: From<io::Error>>(
    mut answer: impl AsyncFnMut(Order) -> Result<Value, E>,
) -> Result<(), E> {
    println!("{}", json!({ "ready": true }));
    for line in io::stdin().lock().lines() {
        let order = serde_json::from_str(&line?).map_err(io::Error::from)?;
        println!("{}", answer(Order(order)).await?);
    }
    Ok(())
}
