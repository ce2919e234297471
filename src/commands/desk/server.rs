//! The API of a process of the fleet, as commands use it.

use std::{path::Path, time::Duration};

use jobs::{destination::Vendor, reply::Reply};
use miette::{IntoDiagnostic, miette};
use queue::{
    bulk::BulkView,
    letters::{Handled, LetterGroup, LetterPage, LetterRef, Order},
    stats::Status,
    timeline::Timeline,
};
use reqwest::{
    Method, RequestBuilder,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use secrecy::SecretString;
use serde::{Serialize, de::DeserializeOwned};

use super::{Action, Ended};
use crate::{
    cli::Global,
    commands::{context::operator, misused, told::LetterGroups, usage},
    config::LogFormat,
    console::{
        api::{
            ROOT,
            error::ErrorBody,
            letters::{Discard, Done, Replay},
            people::NewErasure,
            reconcile::WhichDays,
        },
        visitor::{NAME_HEADER, clean_name},
    },
    observe::logs,
    operations::{
        bulk::NewBulk,
        dead_letters::{DeadLetterFilter, LetterName},
        destinations::Gate,
        erase::PersonErased,
        moment::Day,
        reason::Reason,
        reconcile::{Days, Reconciled},
    },
    vendors::{ClientSettings, Http, Timeouts, secret_header},
    visible::without_byte_order_mark,
};

/// After which an answer is given up.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// The same of what takes a while; the console itself ends a request after ten minutes.
pub const PATIENCE: Duration = Duration::from_secs(590);

/// The variable with the token.
const TOKEN: &str = "ALUMNIQ_RELAY_TOKEN";

/// A process that serves the API.
pub struct Server {
    quiet: bool,
    http: Http,
    url: String,
    token: Option<HeaderValue>,
    name: Option<HeaderValue>,
}

/// A query's parts.
type Query<'a> = Vec<(&'static str, String)>;

impl Server {
    /// The one that the flags or the environment name.
    pub fn of(global: &Global, timeout: Duration) -> miette::Result<Option<Self>> {
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
            .under(ROOT.trim_start_matches('/'));
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
        Ok(Some(Self {
            http,
            url: url.to_owned(),
            quiet: global.quiet,
            token,
            name: name.and_then(|name| HeaderValue::from_bytes(name.as_bytes()).ok()),
        }))
    }

    /// Everything at a glance.
    pub async fn status(&self) -> miette::Result<Status> {
        self.get("status", Vec::new()).await
    }

    /// One change.
    pub async fn timeline(&self, change_id: &str) -> miette::Result<Option<Timeline>> {
        let path = format!("changes/{}", segment(change_id));
        match self.call(self.request(Method::GET, &path)).await? {
            Answer::Body(body) => self.read(&body).map(Some),
            Answer::Refused(404, refused) if refused.error.code == "not_found" => Ok(None),
            Answer::Refused(_, refused) => Err(told(&refused)),
        }
    }

    /// A page of dead letters.
    pub async fn letters(
        &self,
        order: Order,
        filter: &DeadLetterFilter,
        cursor: Option<&LetterRef>,
        limit: usize,
    ) -> miette::Result<LetterPage> {
        let mut page = LetterPage {
            total: 0,
            items: Vec::new(),
            next: cursor.cloned(),
        };
        // It gives at most a thousand at a time.
        while page.items.len() < limit {
            let many = (limit - page.items.len()).min(1000);
            let mut query = vec![("limit", many.to_string())];
            if order == Order::NewestFirst {
                query.push(("order", "newest".to_owned()));
            }
            query.extend(page.next.map(|next| ("cursor", next.to_string())));
            let request = self.request(Method::GET, "dead-letters");
            let next: LetterPage = self.answer(request.query(filter).query(&query)).await?;
            page.items.extend(next.items);
            (page.total, page.next) = (next.total, next.next);
            if page.next.is_none() {
                break;
            }
        }
        Ok(page)
    }

    /// Dead letters by their causes.
    pub async fn groups(&self, filter: &DeadLetterFilter) -> miette::Result<Vec<LetterGroup>> {
        let request = self.request(Method::GET, "dead-letters/groups");
        let groups: LetterGroups = self.answer(request.query(filter)).await?;
        Ok(groups.items)
    }

    /// How many letters would be handled.
    pub async fn count(
        &self,
        ids: Vec<LetterName>,
        filter: &DeadLetterFilter,
    ) -> miette::Result<u64> {
        let body = Replay {
            ids,
            filter: Some(filter.clone()),
            dry_run: true,
            apply_stale: false,
        };
        let done: Done = self.post("dead-letters/replay", &body).await?;
        Ok(done.letters)
    }

    /// Handles letters.
    pub async fn handle(
        &self,
        action: &Action,
        ids: Vec<LetterName>,
        filter: &DeadLetterFilter,
    ) -> miette::Result<Ended> {
        let filter = Some(filter.clone());
        let done: Done = match action.clone() {
            Action::Replay { apply_stale } => {
                let body = Replay {
                    ids,
                    filter,
                    dry_run: false,
                    apply_stale,
                };
                self.post("dead-letters/replay", &body).await?
            }
            Action::Discard {
                reason,
                keep_unacknowledged,
            } => {
                let body = Discard {
                    ids,
                    filter,
                    dry_run: false,
                    reason: reason.into(),
                    keep_unacknowledged,
                };
                self.post("dead-letters/discard", &body).await?
            }
        };
        Ok(Ended {
            handled: Handled {
                handled: done.letters,
                gone: done.gone,
            },
            cancelled: false,
        })
    }

    /// Begins a bulk.
    pub async fn start_bulk(&self, new: &NewBulk) -> miette::Result<BulkView> {
        self.post("bulks", new).await
    }

    /// How far a bulk is.
    pub async fn bulk(&self, id: &str) -> miette::Result<BulkView> {
        self.get(&format!("bulks/{}", segment(id)), Vec::new())
            .await
    }

    /// Calls a bulk off.
    pub async fn cancel_bulk(&self, id: &str) -> miette::Result<BulkView> {
        let path = format!("bulks/{}/cancel", segment(id));
        self.answer(self.request(Method::POST, &path)).await
    }

    /// Shuts or opens a gate.
    pub async fn gate(&self, vendor: Vendor, action: &str) -> miette::Result<()> {
        let path = format!("destinations/{vendor}/{action}");
        let request = self.request(Method::POST, &path);
        let _: Gate = self.answer(request).await?;
        Ok(())
    }

    /// Whether nothing but errors is shown.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Its address, for people.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Holds the books against AlumnIQ's feed.
    pub async fn reconcile(&self, days: Days, fix: bool) -> miette::Result<Reconciled> {
        let asked = match days {
            Days::AsAPoll => WhichDays::default(),
            Days::On(on) => WhichDays {
                on: Some(Day(on)),
                ..WhichDays::default()
            },
            Days::Since(since, until) => WhichDays {
                on: None,
                since: Some(Day(since)),
                until: until.map(Day),
            },
        };
        if fix {
            return self.post("reconcile/fix", &asked).await;
        }
        let parts = [
            ("on", asked.on),
            ("since", asked.since),
            ("until", asked.until),
        ];
        let parts = parts.into_iter();
        let query = parts.filter_map(|(name, day)| Some((name, day?.to_string())));
        self.get("reconcile", query.collect()).await
    }

    /// Removes one person's data.
    pub async fn erase(
        &self,
        xid: &str,
        reason: Option<&Reason>,
        keep_unacknowledged: bool,
    ) -> miette::Result<PersonErased> {
        let path = format!("people/{}/erase", segment(xid));
        let order = NewErasure {
            reason: reason.map_or_else(String::new, |reason| reason.as_str().to_owned()),
            keep_unacknowledged,
        };
        self.post(&path, &order).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: Query<'_>) -> miette::Result<T> {
        self.answer(self.request(Method::GET, path).query(&query))
            .await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> miette::Result<T> {
        let body = serde_json::to_string(body).into_diagnostic()?;
        let json = HeaderValue::from_static("application/json");
        let request = self.request(Method::POST, path);
        self.answer(request.header(CONTENT_TYPE, json).body(body))
            .await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.http.request(method, path);
        for (header, value) in [
            (AUTHORIZATION.as_str(), &self.token),
            (NAME_HEADER, &self.name),
        ] {
            if let Some(value) = value {
                request = request.header(header, value.clone());
            }
        }
        request
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> miette::Result<T> {
        match self.call(request).await? {
            Answer::Body(body) => self.read(&body),
            Answer::Refused(_, refused) => Err(told(&refused)),
        }
    }

    async fn call(&self, request: RequestBuilder) -> miette::Result<Answer> {
        let answer = match self.http.call("api", request, None).await.reply {
            Reply::Answer(answer) => answer,
            Reply::Unreachable { cause, advice } => return Err(unusable(&cause, advice)),
            Reply::Lost { cause } => return Err(unusable(&cause, None)),
        };
        if (200..300).contains(&answer.status) {
            return Ok(Answer::Body(answer.body));
        }
        match serde_json::from_str::<ErrorBody>(&answer.body) {
            Ok(refused) => Ok(Answer::Refused(answer.status, Box::new(refused))),
            Err(_) => Err(self.is_no_relay(&format!("it answered {}", answer.status))),
        }
    }

    fn read<T: DeserializeOwned>(&self, body: &str) -> miette::Result<T> {
        serde_json::from_str(body).map_err(|error| {
            self.is_no_relay(&format!("its answer is not ours ({:?})", error.classify()))
        })
    }

    fn is_no_relay(&self, why: &str) -> miette::Report {
        miette!(
            help = "check --server (or ALUMNIQ_RELAY_SERVER), and that both are of one version",
            "no alumniq-relay of this version serves {}: {why}",
            self.url
        )
    }
}

enum Answer {
    Body(String),
    Refused(u16, Box<ErrorBody>),
}

fn unusable(cause: &str, advice: Option<String>) -> miette::Report {
    let advice = advice.unwrap_or_else(|| {
        "check --server (or ALUMNIQ_RELAY_SERVER): it is `console.listen` of a process with the role console, or what \
         stands before it"
            .to_owned()
    });
    miette!(help = advice, "the server cannot be used: {cause}")
}

/// The server's own words, as an error of this command.
fn told(refused: &ErrorBody) -> miette::Report {
    let error = &refused.error;
    if error.code == "unauthenticated" {
        return miette!(
            help = "set ALUMNIQ_RELAY_TOKEN, or --token-file, to its console.operator_token or console.viewer_token",
            "the server does not know this token"
        );
    }
    miette!(help = error.advice.clone(), "{}", error.message)
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

/// An id as one segment of an address.
fn segment(id: &str) -> String {
    id.bytes().fold(String::new(), |mut segment, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                segment.push(char::from(byte));
            }
            byte => segment += &format!("%{byte:02X}"),
        }
        segment
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_segment_whatever_it_holds() {
        assert_eq!(segment("A-1_b~"), "A-1_b~");
        assert_eq!(segment("../a b?#é"), "%2E%2E%2Fa%20b%3F%23%C3%A9");
    }
}
