//! The task that carries out a flight.

use std::future::Future;
use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll};

use super::Expires;
use super::flight::Cockpit;
use super::inner::Inner;

/// The task that carries out a flight. It does not keep the cache alive.
pub(super) struct FlightTask<T: Expires> {
    cockpit: Cockpit<T>,
    inner: Weak<Inner<T>>,
}

impl<T: Expires> FlightTask<T> {
    pub(super) fn new(cockpit: Cockpit<T>, inner: Weak<Inner<T>>) -> Self {
        Self { cockpit, inner }
    }
}

impl<T: Expires> Future for FlightTask<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Poll::Ready(landing) = self.cockpit.poll(context) else { return Poll::Pending };
        if let (Some(landing), Some(inner)) = (landing, self.inner.upgrade()) {
            inner.settle(&self.cockpit.flight, landing);
        }
        Poll::Ready(())
    }
}

impl<T: Expires> Drop for FlightTask<T> {
    fn drop(&mut self) {
        let flight = &self.cockpit.flight;
        match self.inner.upgrade() {
            Some(_) if !self.cockpit.started && !flight.is_over() => flight.unman(),
            Some(inner) => inner.lose(flight),
            None => flight.end(None),
        }
    }
}
