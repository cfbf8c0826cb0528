//! `llmio bench soak`: a server of its own, a provider that fails in all ways, and clients that leave, trap and send
//! large bodies. What is told at the end has to hold after hours: memory and descriptors do not grow, and there is one
//! record for each request.

mod caller;
mod provider;
mod server;

use crate::commands::output::print;
use anyhow::{Context, Result, ensure};
use caller::{Caller, Tally};
use provider::Provider;
use server::{Sample, Server};
use std::time::{Duration, Instant};

const SAMPLE_EVERY: Duration = Duration::from_secs(2);
/// How long calls in flight and their records may take after the last request.
const SETTLE: Duration = Duration::from_secs(15);
/// The first part of a run (one in so many) is left out, since its memory is what caches and instances need.
const WARM_PART: usize = 5;

/// How long and how hard.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How long
    #[arg(long, value_name = "N", default_value_t = 10)]
    minutes: u64,

    /// Clients at the same time
    #[arg(long, value_name = "N", default_value_t = 16)]
    clients: usize,
}

/// Runs it, prints what came of it, and fails when there is a record too few or too many.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(soak(arguments))
}

async fn soak(arguments: &Arguments) -> Result<()> {
    let provider = Provider::start().await?;
    let server = Server::start(provider.address()).await?;
    let until = Instant::now() + Duration::from_secs(arguments.minutes * 60);
    let callers = (0..arguments.clients).map(|_| tokio::spawn(Caller::new(server.address()).call_until(until)));
    let callers: Vec<_> = callers.collect();
    let mut samples = vec![server.sample()?];
    while Instant::now() < until {
        tokio::time::sleep(SAMPLE_EVERY).await;
        samples.push(server.sample()?);
    }
    let mut tally = Tally::default();
    for caller in callers {
        tally.add(&caller.await?);
    }
    let rows = rows_once_settled(&server, tally.requests()).await?;
    let text = report(&tally, rows, &samples, arguments);
    let log = server.stop().await?;
    print(&format!("{text}{log}"))?;
    ensure!(rows == tally.requests(), "{rows} records of {} requests", tally.requests());
    Ok(())
}

/// The number of records, as soon as it is the one expected or nothing more is to come.
async fn rows_once_settled(server: &Server, expected: u64) -> Result<u64> {
    let start = Instant::now();
    loop {
        let rows = server.count_records().await.context("records cannot be counted")?;
        if rows == expected || start.elapsed() > SETTLE {
            return Ok(rows);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn report(tally: &Tally, rows: u64, samples: &[Sample], arguments: &Arguments) -> String {
    let (first, last) = (samples.first().copied().unwrap_or_default(), samples.last().copied().unwrap_or_default());
    let settled = &samples[samples.len() / WARM_PART..];
    let most = |value: fn(&Sample) -> u64| samples.iter().map(value).max().unwrap_or(0);
    let per_second = tally.requests() / (arguments.minutes * 60).max(1);
    format!(
        "{tally}, {per_second} a second\n\
         records: {rows}\n\
         memory: {} MiB at the start, {} MiB at the end, at most {} MiB; {:+.1} MiB an hour\n\
         descriptors: {} at the start, {} at the end, at most {}\n",
        first.memory_kib >> 10,
        last.memory_kib >> 10,
        most(|sample| sample.memory_kib) >> 10,
        slope_mib_per_hour(settled),
        first.descriptors,
        last.descriptors,
        most(|sample| sample.descriptors),
    )
}

/// Least squares, since the first and last value alone may only show one large body.
fn slope_mib_per_hour(samples: &[Sample]) -> f64 {
    let points: Vec<(f64, f64)> =
        samples.iter().map(|sample| (sample.at.as_secs_f64() / 3600.0, sample.memory_kib as f64 / 1024.0)).collect();
    let count = points.len().max(1) as f64;
    let mean = |value: fn(&(f64, f64)) -> f64| points.iter().map(value).sum::<f64>() / count;
    let (hour, memory) = (mean(|point| point.0), mean(|point| point.1));
    let above: f64 = points.iter().map(|point| (point.0 - hour) * (point.1 - memory)).sum();
    let below: f64 = points.iter().map(|point| (point.0 - hour).powi(2)).sum();
    if below > 0.0 { above / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_what_memory_grows_by_in_an_hour() {
        let sample = |minute: u64, mib: u64| Sample {
            at: Duration::from_secs(minute * 60),
            memory_kib: mib << 10,
            descriptors: 0,
        };
        let growing: Vec<Sample> = (0..10).map(|minute| sample(minute, 50 + minute)).collect();
        assert!((slope_mib_per_hour(&growing) - 60.0).abs() < 0.01);
        let flat: Vec<Sample> = (0..10).map(|minute| sample(minute, 50)).collect();
        assert!(slope_mib_per_hour(&flat).abs() < 0.01);
        assert!(slope_mib_per_hour(&[]).abs() < 0.01);
    }
}
