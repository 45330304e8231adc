//! Faults in Sentry: loud log lines become events, with nothing sensitive in them.
//!
//! Sentry's own client makes the events and the envelopes, on first use. Its transports send from a thread of their own,
//! which stands still when an instance is frozen; ours sends as work behind the request, which the platform waits for.

mod envelopes;
mod event;
mod often;
mod scrub;

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use sentry::{Client, ClientOptions, types::Dsn};
use serde_json::{Map, Value};

use self::{envelopes::Envelopes, often::Often};
use super::{alarms::Work, reports};
use crate::{
    clock,
    config::{Config, ConfigError, Stage},
    env,
};

/// Where events go.
struct Sentry {
    dsn: Dsn,
    stage: Stage,
    often: Often,
    opened: OnceLock<(Client, Arc<Envelopes>)>,
}

static SENTRY: OnceLock<Sentry> = OnceLock::new();

/// Has the faults of this process reported, if the deployment has a DSN. Opens nothing.
///
/// # Errors
/// A sentence that names the variable.
pub(crate) fn start(config: &Config) -> Result<(), ConfigError> {
    let Some(dsn) = &config.sentry_dsn else { return Ok(()) };
    let malformed = |_| ConfigError::malformed(&env::SENTRY_DSN, "https://KEY@HOST/PROJECT, as Sentry's page shows it");
    let dsn = dsn.expose().parse().map_err(malformed)?;
    SENTRY.get_or_init(|| Sentry { dsn, stage: config.stage, often: Often::default(), opened: OnceLock::new() });
    reports::collect_with(report);
    Ok(())
}

fn report(line: &Map<String, Value>) -> Option<Work> {
    let sentry = SENTRY.get()?;
    let left_out = sentry.often.may_be_told(&event::kind(line), clock::now_ms())?;
    let (client, envelopes) = sentry.opened.get_or_init(|| sentry.open());
    client.capture_event(event::of(line, left_out), None);
    Some(Box::pin(envelopes.clone().send(&sentry.dsn)))
}

impl Sentry {
    fn open(&self) -> (Client, Arc<Envelopes>) {
        let envelopes = Arc::new(Envelopes::default());
        let mut options = ClientOptions::default();
        options.dsn = Some(self.dsn.clone());
        options.release = Some(Cow::Owned(format!("purser@{}", crate::version())));
        options.environment = Some(Cow::Borrowed(match self.stage {
            Stage::Development => "development",
            Stage::Preview => "preview",
            Stage::Production => "production",
        }));
        options.transport = Some(Arc::new(envelopes.clone()));
        (Client::with_options(options), envelopes)
    }
}
