//! The least that a cache of expiring tokens can do: load a shared pointer and look at both clocks.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use arc_swap::ArcSwapOption;

use super::Subject;
use crate::service::{LIFE, Service};

#[derive(Clone)]
pub(crate) struct Floor {
    slot: Arc<ArcSwapOption<Entry>>,
    service: Service,
}

struct Entry {
    token: String,
    monotonic: Instant,
    wall: SystemTime,
}

impl Subject for Floor {
    async fn new(service: &Service) -> Self {
        Self { slot: Arc::default(), service: service.clone() }
    }

    async fn token(&self) -> bool {
        let entry = self.slot.load();
        if let Some(entry) = &*entry {
            let fresh = Instant::now() < entry.monotonic && SystemTime::now() < entry.wall;
            black_box(&entry.token);
            return fresh;
        }
        let Some(token) = self.service.mint().await else { return false };
        let (monotonic, wall) = (Instant::now() + LIFE, SystemTime::now() + LIFE);
        self.slot.store(Some(Arc::new(Entry { token: token.to_owned(), monotonic, wall })));
        true
    }
}
