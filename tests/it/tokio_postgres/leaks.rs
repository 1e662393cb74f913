//! Checkouts and statements of pools that are dropped at any point leave nothing.

use lakebase::RecyclingOptions;

use super::pool::kinds;
use crate::leaks::{ENOUGH, Watched};

on_each_runtime! { acquire query }

async fn acquire() {
    for kind in kinds() {
        let watched = Watched::new();
        let lakebase = watched.cold();
        let pool = kind.open(&lakebase, 2, RecyclingOptions::new()).await.unwrap();
        let held = pool.get().await.unwrap();
        let mut dropped = 0;
        for count in 0..ENOUGH {
            match watched.polls(count, pool.get()).await {
                None => dropped += 1,
                Some(client) => {
                    drop(client.unwrap());
                    break;
                }
            }
        }
        assert!(dropped > 0, "{kind:?}");
        // No place in the pool is lost.
        drop((pool.get().await.unwrap(), held));
        drop((pool.get().await.unwrap(), pool.get().await.unwrap()));
        drop((pool, lakebase));
        watched.settles("acquire").await;
    }
}

async fn query() {
    for kind in kinds() {
        let watched = Watched::new();
        let lakebase = watched.cold();
        let pool = kind.open(&lakebase, 1, RecyclingOptions::new()).await.unwrap();
        for count in 0..ENOUGH {
            if let Some(found) = watched.polls(count, pool.one()).await {
                assert_eq!(found.unwrap(), 1);
                break;
            }
            // The only connection is usable again, whatever was left on its line.
            assert_eq!(pool.one().await.unwrap(), 1, "{kind:?} after {count} polls");
        }
        drop((pool, lakebase));
        watched.settles("query").await;
    }
}
