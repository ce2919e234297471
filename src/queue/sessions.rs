//! Who is logged in at the console, and who guesses tokens: known to the whole fleet, for any process may be asked
//! next.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ClassifyForPeople, Queue, QueueError};

/// A login. Nothing in it helps whoever reads it to log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The name that was given.
    pub name: String,
    /// Whether it was the operator's token.
    pub operator: bool,
    /// A digest of that token, keyed with the session's secret id.
    pub token: String,
}

/// Where a token was presented; wrong ones are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginMethod {
    /// On the login page.
    Login,
    /// As a bearer token.
    Bearer,
}

/// How wrong tokens slow down who presents them.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// So many in a row cost nothing. Then each doubles the wait, from one second on.
    pub free: u32,
    /// But not beyond.
    pub longest: Duration,
    /// After so long without one all is forgotten.
    pub remembered: Duration,
}

impl Patience {
    /// With one client (see `Client` in the console).
    pub const CLIENT: Self = Self {
        free: 5,
        longest: Duration::from_secs(60),
        remembered: Duration::from_secs(15 * 60),
    };
    /// With all clients together that never had the right one.
    pub const ALL: Self = Self {
        free: 50,
        longest: Duration::from_secs(5),
        remembered: Duration::from_secs(60),
    };
}

/// So many clients with wrong tokens stand in the audit within [`Patience::CLIENT`]'s `remembered`, each once.
const CLIENTS_NOTED: u32 = 20;

/// What became of a token that was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knocked {
    /// It counts. A wrong one `is_news` if it belongs into the audit, where not each of them stands.
    Heard {
        /// Whether it does.
        is_news: bool,
    },
    /// Neither a right nor a wrong one counts before this has passed; being told so makes the wait no longer.
    Wait(Duration),
}

/// So long a client that presented the right token is not held up by what others guess.
pub const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

impl LoginMethod {
    fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Bearer => "bearer",
        }
    }
}

impl Queue {
    /// Keeps a login: under `key`, until `idle` has passed without a look, and never longer than `lifetime`.
    pub async fn open_session(
        &self,
        key: &str,
        session: &Session,
        idle: Duration,
        lifetime: Duration,
    ) -> Result<(), QueueError> {
        let json = serde_json::to_string(session)
            .map_err(|error| QueueError::unreadable("a session", error.classify_for_people()))?;
        let mut call = self.scripts.session.prepare_invoke();
        call.arg("open")
            .arg(key)
            .arg(json)
            .arg(idle.as_millis() as u64)
            .arg(lifetime.as_millis() as u64);
        let _: String = self.run(&mut call).await?;
        Ok(())
    }

    /// The login of `key`; with `idle` it lasts so much longer again.
    pub async fn session(
        &self,
        key: &str,
        idle: Option<Duration>,
    ) -> Result<Option<Session>, QueueError> {
        let mut call = self.scripts.session.prepare_invoke();
        call.arg("look")
            .arg(key)
            .arg(idle.unwrap_or_default().as_millis() as u64);
        let json: String = self.run(&mut call).await?;
        if json.is_empty() {
            return Ok(None);
        }
        let session = serde_json::from_str(&json)
            .map_err(|error| QueueError::unreadable("a session", error.classify_for_people()))?;
        Ok(Some(session))
    }

    /// Ends a login.
    pub async fn end_session(&self, key: &str) -> Result<(), QueueError> {
        let mut call = self.scripts.session.prepare_invoke();
        call.arg("end").arg(key);
        let _: String = self.run(&mut call).await?;
        Ok(())
    }

    /// `client` has presented a token.
    pub async fn knock(
        &self,
        door: LoginMethod,
        client: &str,
        right: bool,
    ) -> Result<Knocked, QueueError> {
        let mut call = self.scripts.knock.prepare_invoke();
        call.arg(door.as_str()).arg(client).arg(u8::from(right));
        for patience in [Patience::CLIENT, Patience::ALL] {
            call.arg(patience.free)
                .arg(patience.longest.as_millis() as u64)
                .arg(patience.remembered.as_millis() as u64);
        }
        call.arg(KNOWN_FOR.as_millis() as u64).arg(CLIENTS_NOTED);
        let (wait, is_news): (u64, bool) = self.run(&mut call).await?;
        Ok(match wait {
            0 => Knocked::Heard { is_news },
            wait => Knocked::Wait(Duration::from_millis(wait)),
        })
    }
}
