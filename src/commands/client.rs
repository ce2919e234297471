//! Where an operator's command goes: to Redis, as the configuration says, or with `--server` to a process of the
//! fleet. What is printed and how it ends is the same.

use std::{ops::Deref, path::Path, time::Duration};

use reqwest::header::HeaderValue;
use secrecy::SecretString;

use super::{
    assemble::{self, worker_name},
    context::{Context, Redis, operator},
    misused, usage,
};
use crate::{
    cli::GlobalArgs,
    config::LogFormat,
    console::visitor::clean_name,
    observe::logs,
    operations::{
        client::{Local, OperatorClient, Remote},
        wire::API_ROOT,
    },
    vendors::{ClientSettings, Http, Timeouts, secret_header},
    visible::without_byte_order_mark,
};

/// After which an answer is given up.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The same of what takes a while; the console itself ends a request after ten minutes.
const PATIENCE: Duration = Duration::from_secs(590);

/// The variable with the token.
const TOKEN: &str = "ALUMNIQ_RELAY_TOKEN";

/// A client, and what has to be closed behind it.
pub struct ClientSession {
    client: Box<dyn OperatorClient>,
    redis: Option<Redis>,
    /// What it works on, for people.
    pub name: String,
    /// Whether nothing but errors is shown.
    pub is_quiet: bool,
}

/// What a command does with the queue.
#[derive(Debug, Clone, Copy)]
pub enum QueueAccess {
    /// It only looks.
    Read,
    /// It may change something.
    Write,
}

impl ClientSession {
    /// As the flags say.
    pub async fn open(global: &GlobalArgs, access: QueueAccess) -> miette::Result<Self> {
        Self::open_for(global, access, TIMEOUT).await
    }

    /// The same for what takes a while: AlumnIQ is asked, or Redis' files are rewritten.
    pub async fn open_patiently(global: &GlobalArgs, access: QueueAccess) -> miette::Result<Self> {
        Self::open_for(global, access, PATIENCE).await
    }

    async fn open_for(
        global: &GlobalArgs,
        access: QueueAccess,
        timeout: Duration,
    ) -> miette::Result<Self> {
        if let Some(remote) = remote(global, timeout)? {
            return Ok(Self {
                name: remote.url.clone(),
                client: Box::new(remote),
                redis: None,
                is_quiet: global.quiet,
            });
        }
        let context = Context::load(global)?;
        let redis = match access {
            QueueAccess::Read => context.open_to_read().await?,
            QueueAccess::Write => context.open_to_write().await?,
        };
        let operations = assemble::operations(&context, &redis.queue, &worker_name())?;
        let local = Local::new(operations, operator());
        Ok(Self {
            name: context.config.namespace.as_str().to_owned(),
            client: Box::new(local),
            redis: Some(redis),
            is_quiet: global.quiet,
        })
    }

    /// Whether it works on Redis itself.
    pub fn is_local(&self) -> bool {
        self.redis.is_some()
    }

    /// Lets go of it.
    pub async fn close(self) -> miette::Result<()> {
        drop(self.client);
        match self.redis {
            Some(redis) => redis.close().await,
            None => Ok(()),
        }
    }
}

impl Deref for ClientSession {
    type Target = dyn OperatorClient;

    fn deref(&self) -> &Self::Target {
        &*self.client
    }
}

/// The process that the flags or the environment name.
fn remote(global: &GlobalArgs, timeout: Duration) -> miette::Result<Option<Remote>> {
    let Some(url) = global.server.as_deref().map(str::trim) else {
        return Ok(None);
    };
    let format = global.log_format.unwrap_or(LogFormat::Pretty);
    let filter = Some(logs::SUMMARY_FILTER);
    logs::init(format, global.log_flag(), filter).map_err(misused)?;
    let token = token(global.token_file.as_deref())?;
    let settings = ClientSettings {
        timeouts: Timeouts::within(timeout),
        ..ClientSettings::default()
    };
    let secrets: Vec<&SecretString> = token.iter().collect();
    let http = Http::new("server", "--server", url, &secrets, settings)
        .map_err(misused)?
        .under(API_ROOT.trim_start_matches('/'));
    if token.is_some() && http.is_plaintext_remote() {
        logs::tell(format_args!(
            "warning: the token goes to {url} without TLS: use https://"
        ));
    }
    let token = token
        .map(|token| secret_header(TOKEN, "Bearer ", &token))
        .transpose()
        .map_err(misused)?;
    let name = clean_name(&operator().name);
    Ok(Some(Remote {
        http,
        url: url.to_owned(),
        token,
        name: name.and_then(|name| HeaderValue::from_bytes(name.as_bytes()).ok()),
    }))
}

/// The token; never from a flag.
fn token(file: Option<&Path>) -> miette::Result<Option<SecretString>> {
    let text = match file {
        Some(path) => std::fs::read_to_string(path).map_err(|error| {
            usage(
                format!("--token-file {} cannot be read: {error}", path.display()),
                "name a file that holds the token and nothing else",
            )
        })?,
        None => std::env::var(TOKEN).unwrap_or_default(),
    };
    let token = without_byte_order_mark(&text).trim();
    if token.is_empty() && file.is_some() {
        return Err(usage(
            "the file of --token-file is empty",
            "write console.operator_token or console.viewer_token into it",
        ));
    }
    Ok((!token.is_empty()).then(|| token.into()))
}
