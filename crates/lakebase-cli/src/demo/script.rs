//! The steps of the demo, in order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use lakebase::core::CredentialCache;
use lakebase::{Lakebase, LakebasePool};

use super::Plan;
use super::load::Load;
use super::resolver::BrokenResolver;
use super::summary::Summary;
use super::tally::Tally;
use super::timeline::Timeline;
use super::world::{Service, WORKERS, open_pool};
use crate::output::note;

/// How often the script looks whether something has happened, and how long it waits for that at most.
const LOOK: Duration = Duration::from_millis(20);
const SHOW_AFTER: Duration = Duration::from_secs(30);
/// On a machine that is very slow the pool may not log in while a revoked token is the newest.
const REVOCATIONS: u32 = 5;

/// Plays the whole demo on a fresh emulator.
pub(crate) async fn play(plan: Plan) -> anyhow::Result<Summary> {
    note("starting a workspace and its Postgres on this machine …");
    let service = Service::start(plan).await?;
    note(format!(
        "a token lives {} s here instead of an hour: time is compressed {} times",
        plan.token_lifetime.as_secs(),
        plan.compression()
    ));
    let resolver = Arc::new(BrokenResolver::default());
    let lakebase = service.program(Arc::clone(&resolver))?;
    let clock = Arc::clone(&lakebase.connector().runtime().clock);
    let timeline = Timeline::start(clock, plan.total);
    let tally = Arc::new(Tally::default());
    let stage = Stage { plan, service, lakebase, resolver, timeline, tally };
    let played = stage.play().await;
    stage.timeline.end(&stage.service, &stage.tally);
    let summary = played?;
    let Stage { service, .. } = stage;
    service.stop().await?;
    Ok(summary)
}

struct Stage {
    plan: Plan,
    service: Service,
    lakebase: Lakebase,
    resolver: Arc<BrokenResolver>,
    timeline: Timeline,
    tally: Arc<Tally>,
}

impl Stage {
    async fn play(&self) -> anyhow::Result<Summary> {
        self.endpoint().await?;
        let cache = self.lakebase.connector().credentials().await?;
        let cache = cache.ok_or_else(|| anyhow!("the demo logs in without tokens"))?;
        let Self { plan, service, timeline, tally, .. } = self;
        tokio::select! {
            summary = self.acts(&cache) => summary,
            () = timeline.watch_tokens(cache.clone(), plan.token_lifetime, service, tally) => {
                bail!("the watch over tokens ended")
            }
            () = timeline.draw(service, tally) => bail!("the drawing ended"),
        }
    }

    /// The acts; each begins at its part of the whole, or when the one before is over.
    async fn acts(&self, cache: &CredentialCache) -> anyhow::Result<Summary> {
        let pool = self.open_pool().await?;
        let clock = &self.lakebase.connector().runtime().clock;
        let load = Load::start(&pool, clock, &self.tally);
        self.timeline.event(format!("{WORKERS} tasks query through a pool of {WORKERS}"));
        self.timeline.until(0.3).await;
        let outage = self.outage(cache).await?;
        self.timeline.until(0.6).await;
        let wake_up = self.wake_up(&load).await?;
        self.timeline.until(0.8).await;
        self.revocation().await?;
        self.timeline.until(1.0).await;
        load.finish().await?;
        let played = self.timeline.elapsed();
        let closed_cleanly = pool.close().await;
        self.timeline.event("the pool is closed");
        Ok(self.summary(played, outage, wake_up, closed_cleanly))
    }

    async fn endpoint(&self) -> anyhow::Result<()> {
        let workspace = self.lakebase.workspace().context("the demo has no workspace")?;
        let chosen = self.lakebase.endpoint().await?.context("the demo has no endpoint")?;
        let name = chosen.name.as_endpoint().context("the demo has no endpoint")?;
        let listed = workspace.list_endpoints(&name.branch()).await?;
        let shown: Vec<String> = listed
            .iter()
            .map(|endpoint| format!("{} ({})", endpoint.name.id(), endpoint.endpoint_type))
            .collect();
        self.timeline.event(format!("the branch lists {}", shown.join(", then ")));
        self.timeline.event(format!(
            "chosen: {}, because its type is {}; the place in the list does not count",
            chosen.name.id(),
            chosen.endpoint_type
        ));
        Ok(())
    }

    async fn open_pool(&self) -> anyhow::Result<LakebasePool> {
        let pool = open_pool(&self.lakebase, self.plan).await?;
        let params = self.lakebase.connector().login().await?.params;
        let addresses: Vec<String> = params.addresses.iter().map(ToString::to_string).collect();
        self.timeline.event(format!(
            "the system's resolver, made to fail here, does not know {}",
            params.host
        ));
        self.timeline.event(format!(
            "a direct DNS query to {} does: {}; TLS goes on verifying the name",
            self.service.dns(),
            addresses.join(", ")
        ));
        Ok(pool)
    }

    /// The workspace gives out no tokens when one is due. Returns for how long.
    async fn outage(&self, cache: &CredentialCache) -> anyhow::Result<Duration> {
        let (began, failed) = (self.timeline.elapsed(), self.service.failed_mints());
        let held = cache.get().await?.generation();
        self.service.begin_outage();
        self.timeline.event("outage: the workspace answers 503 to requests for a token");
        self.wait("a token to come due", || self.service.failed_mints() > failed).await?;
        self.timeline.event("a new token is due and cannot be had; the old one still serves");
        tokio::time::sleep(self.plan.token_lifetime.mul_f64(0.2)).await;
        self.service.end_outage();
        let lasted = self.timeline.elapsed().saturating_sub(began);
        self.timeline.event(format!("the outage ends after {:.1} s", lasted.as_secs_f64()));
        let next = self.lakebase.connector().within(SHOW_AFTER, cache.changed(Some(held))).await;
        next.context("no token came after the outage")?;
        Ok(lasted)
    }

    /// The endpoint is suspended for want of traffic, and woken. Returns how long the first answer took.
    async fn wake_up(&self, load: &Load) -> anyhow::Result<Duration> {
        load.pause().await;
        self.timeline.event("traffic stops, and the endpoint scales to zero");
        self.service.suspend()?;
        tokio::time::sleep(self.plan.ping_after_idle * 3).await;
        let (queries, woken) = (self.tally.queries(), self.service.counters().wakes);
        let began = self.timeline.elapsed();
        load.resume();
        self.timeline.event("traffic comes back; the first login wakes the endpoint");
        self.wait("an answer after the wake-up", || self.tally.queries() > queries).await?;
        let took = self.timeline.elapsed().saturating_sub(began);
        if self.service.counters().wakes == woken {
            bail!("queries were answered although the endpoint was asleep");
        }
        self.timeline.event(format!("awake: first answer after {:.1} s", took.as_secs_f64()));
        Ok(took)
    }

    /// All tokens stop being accepted, without notice.
    async fn revocation(&self) -> anyhow::Result<()> {
        let refused = self.service.counters().refused;
        for _ in 0..REVOCATIONS {
            // Of a fresh one, since one that is due anyway might be replaced before it is refused.
            let tokens = self.timeline.tokens();
            self.wait("the next token", || self.timeline.tokens() > tokens).await?;
            let tokens = self.timeline.tokens();
            self.service.revoke_tokens();
            self.timeline.event("all tokens are revoked, without notice");
            self.wait("a token after the revocation", || self.timeline.tokens() > tokens).await?;
            if self.service.counters().refused > refused {
                self.timeline.event("a login was refused, and made good at once with that token");
                return Ok(());
            }
        }
        bail!("no login was refused although the tokens were revoked {REVOCATIONS} times")
    }

    async fn wait(&self, what: &str, happened: impl Fn() -> bool) -> anyhow::Result<()> {
        let began = self.timeline.elapsed();
        while !happened() {
            if self.timeline.elapsed().saturating_sub(began) > SHOW_AFTER {
                bail!("waited {} s for {what}", SHOW_AFTER.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    fn summary(
        &self,
        played: Duration,
        outage: Duration,
        wake_up: Duration,
        closed_cleanly: bool,
    ) -> Summary {
        let counters = self.service.counters();
        let times = self.tally.times();
        let millis = |time: Duration| round(time.as_secs_f64() * 1000.0);
        Summary {
            queries: self.tally.queries(),
            failed_queries: self.tally.failed(),
            first_failure: self.tally.first_failure(),
            logins: counters.accepted,
            refused_logins: counters.refused,
            tokens_minted: self.service.tokens_minted(),
            rotations: self.timeline.tokens().saturating_sub(1),
            failed_mints: self.service.failed_mints(),
            outage_seconds: round(outage.as_secs_f64()),
            wake_ups: counters.wakes,
            wake_up_seconds: round(wake_up.as_secs_f64()),
            resolver_failures: self.resolver.failures(),
            median_query_ms: millis(times.median),
            p99_query_ms: millis(times.p99),
            slowest_query_ms: millis(times.slowest),
            token_lifetime_seconds: self.plan.token_lifetime.as_secs(),
            seconds: round(played.as_secs_f64()),
            closed_cleanly,
        }
    }
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
