//! `llmio serve`: starts, listens, and does periodic duties until a signal ends it.

use super::import::take_over;
use super::provide::provide;
use crate::admin;
use crate::catalog_file::{self, CatalogFile, Verdict};
use crate::engine::Engine;
use crate::exit::{self, Exit};
use crate::gateway::{Gateway, Handle};
use crate::greeting;
use crate::inbound::{ClientLimits, Refusals};
use crate::log;
use crate::options::Settings;
use crate::pages;
use crate::shutdown::{self, Signals};
use crate::start::{self, StartedGateway};
use anyhow::{Context, Result};
use http::Method;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, timeout};

const LOOK_AT_WORKERS_EVERY: Duration = Duration::from_secs(1);
const MAINTAIN_EVERY: Duration = Duration::from_secs(60);
/// How long a duty waits for the component, so that others are not held up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves until a signal.
pub(crate) fn run(settings: &Settings) -> Result<()> {
    start::prepare_process();
    let address = settings.listen_address(start::environment).map_err(|text| Exit::new(exit::CONFIG, text))?;
    let started = start::start(settings, Some(address))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(started, settings, address))
}

async fn serve(started: StartedGateway, settings: &Settings, address: SocketAddr) -> Result<()> {
    let handle = started.gateway.handle()?;
    let quirks = settings.imitates_spin();
    let catalog = match &settings.catalog {
        Some(path) if quirks => {
            let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
            handle.stores().variables.set_catalog(text);
            None
        }
        Some(path) => {
            let (file, warnings) = first_catalog(&handle, path).await?;
            warnings.iter().for_each(log::warn);
            Some(file)
        }
        None => None,
    };
    if !quirks {
        Refusals::learn(&handle).await.context("the component does not say how to refuse requests")?;
    }
    let is_taken_over = take_over(&handle, settings, settings.catalog.is_some()).await?;
    let provided = if settings.catalog.is_none() && !is_taken_over { provide(&handle).await? } else { None };
    let greeting = match provided {
        _ if started.folder.is_greeted() => None,
        Some(model) => Some(model),
        None => Some(first_model(&handle).await),
    };
    // From here on a signal starts draining. Before, it ends the process at once.
    let mut signals = if quirks { Signals::left_alone() } else { Signals::new()? };
    let limits = ClientLimits::with_stall(Duration::from_millis(settings.client_stall_ms));
    let address = started.gateway.listen(address, limits)?;
    started.folder.announce(address)?;
    match greeting {
        // A closed stdout is no reason not to serve, but then nobody has read it, and the next start says it again.
        Some(model) => {
            let link = if greeting::is_read_on_a_terminal() { console_link(&handle).await } else { None };
            if greeting::print_first(&started, address, model.as_deref(), link.as_deref()).is_ok() {
                started.folder.set_greeted();
            }
        }
        None => greeting::print_again(&started, address),
    }
    if let Err(error) = attend(&started.gateway, &handle, catalog, &mut signals).await {
        // The other workers' calls get their error events, and what is queued is written.
        if let Err(also) = shutdown::cut(started.gateway, &mut signals).await {
            log::warn(format_args!("while ending: {also:#}"));
        }
        return Err(error);
    }
    shutdown::drain(started.gateway, &mut signals, Duration::from_secs(settings.drain)).await
}

/// Publishes the catalog file and returns it with the component's warnings. At the start an invalid file is an error,
/// since there is no last good one.
pub(super) async fn first_catalog(gateway: &Handle, path: &Path) -> Result<(CatalogFile, Vec<String>)> {
    let mut file = CatalogFile::new(path);
    gateway.stores().variables.set("catalog_path", path.display().to_string());
    let text = file.read().map_err(|error| Exit::new(exit::CONFIG, format!("{error:#}")))?;
    let checked = timeout(ANSWER_TIMEOUT, catalog_file::publish(gateway, text))
        .await
        .context("the component did not answer in time");
    match checked.and_then(|checked| checked) {
        Ok(Verdict::Accepted(warnings)) => Ok((file, warnings)),
        Ok(Verdict::Refused(problems)) => {
            let message = format!("{} is invalid:\n{}", file.path().display(), problems.join("\n"));
            Err(Exit::new(exit::CONFIG, message).into())
        }
        Err(error) => {
            let message = format!("{} could not be checked: {error:#}; try again", file.path().display());
            Err(Exit::new(exit::TEMPORARY, message).into())
        }
    }
}

/// A model to call first, whether its catalog is from a file, stored or built in.
async fn first_model(handle: &Handle) -> Option<String> {
    let read = async |path| {
        let request = admin::request(handle.stores(), Method::GET, path, "application/json", "").ok()?;
        let response = timeout(ANSWER_TIMEOUT, handle.send(request)).await.ok()?.ok()?;
        serde_json::from_slice(response.body()).ok()
    };
    greeting::first_model(&read("/v1/models").await?, &read("/api/catalog").await?)
}

/// A link that signs one browser in to the console; it is as good as the token, and shown where that would be.
async fn console_link(handle: &Handle) -> Option<String> {
    let request = admin::request(handle.stores(), Method::POST, "/api/sessions", "application/json", "").ok()?;
    let response = timeout(ANSWER_TIMEOUT, handle.send(request)).await.ok()?.ok()?;
    greeting::link(&serde_json::from_slice(response.body()).ok()?)
}

/// How long the start goes on after the listener is there.
const START_SETTLES: Duration = Duration::from_secs(1);

/// The host's duties while it serves; returns at a signal.
async fn attend(gateway: &Gateway, handle: &Handle, catalog: Option<CatalogFile>, signals: &mut Signals) -> Result<()> {
    let mut maintain = interval(MAINTAIN_EVERY);
    let mut pulse = interval(LOOK_AT_WORKERS_EVERY);
    for timer in [&mut maintain, &mut pulse] {
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    // Apart from the other duties: a check may take long, and a signal must not wait for it.
    let watch = async {
        match catalog {
            Some(file) => catalog_file::watch(handle, file).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(watch);
    let settled = tokio::time::sleep(START_SETTLES);
    tokio::pin!(settled);
    loop {
        tokio::select! {
            biased;
            () = signals.next() => return Ok(()),
            () = &mut settled, if !settled.is_elapsed() => pages::give_back(Engine::embedded()),
            _ = pulse.tick() => {
                // Its listener is gone with it, and the connections the kernel hashes to it would hang.
                if gateway.has_lost_a_worker() {
                    return Err(Exit::new(exit::INTERNAL, "a worker thread has ended, and its connections with it; start llmio again").into());
                }
                handle.stores().publish_metrics();
            }
            never = &mut watch => match never {},
            // Spin has no such duty.
            _ = maintain.tick(), if !handle.stores().quirks => {
                handle.stores().keep_clock(false);
                let handle = handle.clone();
                tokio::spawn(async move {
                    if let Err(error) = run_maintenance(&handle).await {
                        log::warn(format_args!("maintenance failed: {error:#}"));
                    }
                });
            }
        }
    }
}

async fn run_maintenance(handle: &Handle) -> Result<()> {
    let request = admin::maintain(handle.stores())?;
    let response =
        timeout(ANSWER_TIMEOUT, handle.send(request)).await.context("the component did not answer in time")??;
    anyhow::ensure!(response.status().is_success(), "the component answered {}", response.status());
    Refusals::learn(handle).await
}
