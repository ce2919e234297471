//! Over the API of a process of the fleet.

use jobs::{destination::Vendor, reply::Reply};
use queue::{
    bulk::BulkView,
    letters::{Handled, Letter, LetterGroup, LetterPage, LetterRef, Order},
    stats::Status,
    timeline::Timeline,
};
use reqwest::{
    Method, RequestBuilder,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;

use super::{LetterAction, OperatorClient, OperatorError};
use crate::{
    operations::{
        bulk::NewBulk,
        dead_letters::{DeadLetterFilter, LetterName},
        destinations::Gate,
        erase::PersonErased,
        moment::Day,
        rate::Rate,
        reconcile::{Days, Reconciled},
        wire::{
            DaysRequest, DiscardRequest, EraseRequest, ErrorBody, LetterGroups, LettersHandled,
            NAME_HEADER, ReplayRequest,
        },
    },
    vendors::Http,
};

/// A process that serves the API.
pub struct Remote {
    /// Its API.
    pub http: Http,
    /// Its address, for people.
    pub url: String,
    /// Who may ask.
    pub token: Option<HeaderValue>,
    /// Who asks, for the audit log.
    pub name: Option<HeaderValue>,
}

impl OperatorClient for Remote {
    async fn status(&self) -> Result<Status, OperatorError> {
        self.get("status").await
    }

    async fn timeline(&self, change_id: &str) -> Result<Option<Timeline>, OperatorError> {
        let path = format!("changes/{}", segment(change_id));
        match self.call(self.request(Method::GET, &path)).await? {
            Answer::Body(body) => self.read(&body).map(Some),
            Answer::Refused(404, refused) if refused.error.code == "not_found" => Ok(None),
            Answer::Refused(_, refused) => Err(told(*refused)),
        }
    }

    async fn letters_of(&self, change_id: &str) -> Result<Vec<Letter>, OperatorError> {
        let timeline = self.timeline(change_id).await?;
        Ok(timeline.map_or_else(Vec::new, |timeline| timeline.letters))
    }

    async fn letters(
        &self,
        order: Order,
        filter: &DeadLetterFilter,
        cursor: Option<&LetterRef>,
        limit: usize,
    ) -> Result<LetterPage, OperatorError> {
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

    async fn groups(&self, filter: &DeadLetterFilter) -> Result<Vec<LetterGroup>, OperatorError> {
        let request = self.request(Method::GET, "dead-letters/groups");
        let groups: LetterGroups = self.answer(request.query(filter)).await?;
        Ok(groups.items)
    }

    async fn count(
        &self,
        names: Vec<LetterName>,
        filter: &DeadLetterFilter,
    ) -> Result<u64, OperatorError> {
        let body = ReplayRequest {
            ids: names,
            filter: Some(filter.clone()),
            dry_run: true,
            apply_stale: false,
        };
        let counted: LettersHandled = self.post("dead-letters/replay", &body).await?;
        Ok(counted.letters)
    }

    // It is one request: only a bulk has a rate.
    async fn handle(
        &self,
        action: LetterAction,
        names: Vec<LetterName>,
        filter: &DeadLetterFilter,
        _: Option<Rate>,
    ) -> Result<Handled, OperatorError> {
        let filter = Some(filter.clone());
        let done: LettersHandled = match action {
            LetterAction::Replay { apply_stale } => {
                let body = ReplayRequest {
                    ids: names,
                    filter,
                    dry_run: false,
                    apply_stale,
                };
                self.post("dead-letters/replay", &body).await?
            }
            LetterAction::Discard {
                reason,
                keep_unacknowledged,
            } => {
                let body = DiscardRequest {
                    ids: names,
                    filter,
                    dry_run: false,
                    reason: reason.into(),
                    keep_unacknowledged,
                };
                self.post("dead-letters/discard", &body).await?
            }
        };
        Ok(Handled {
            handled: done.letters,
            gone: done.gone,
        })
    }

    async fn start_bulk(&self, new: NewBulk) -> Result<BulkView, OperatorError> {
        self.post("bulks", &new).await
    }

    async fn bulk(&self, id: &str) -> Result<BulkView, OperatorError> {
        self.get(&format!("bulks/{}", segment(id))).await
    }

    async fn cancel_bulk(&self, id: &str) -> Result<BulkView, OperatorError> {
        let path = format!("bulks/{}/cancel", segment(id));
        self.answer(self.request(Method::POST, &path)).await
    }

    // The server does.
    async fn work_bulk(&self, _: &str, _: &CancellationToken) {}

    async fn pause(&self, vendor: Vendor) -> Result<Gate, OperatorError> {
        let path = format!("destinations/{vendor}/pause");
        self.answer(self.request(Method::POST, &path)).await
    }

    async fn resume(&self, vendor: Vendor) -> Result<Gate, OperatorError> {
        let path = format!("destinations/{vendor}/resume");
        self.answer(self.request(Method::POST, &path)).await
    }

    async fn reconcile(&self, days: Days, fix: bool) -> Result<Reconciled, OperatorError> {
        let asked = match days {
            Days::AsAPoll => DaysRequest::default(),
            Days::On(on) => DaysRequest {
                on: Some(Day(on)),
                ..DaysRequest::default()
            },
            Days::Since(since, until) => DaysRequest {
                on: None,
                since: Some(Day(since)),
                until: until.map(Day),
            },
        };
        match fix {
            true => self.post("reconcile/fix", &asked).await,
            false => {
                let request = self.request(Method::GET, "reconcile");
                self.answer(request.query(&asked)).await
            }
        }
    }

    async fn erase(&self, xid: &str, asked: EraseRequest) -> Result<PersonErased, OperatorError> {
        self.post(&format!("people/{}/erase", segment(xid)), &asked)
            .await
    }
}

impl Remote {
    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, OperatorError> {
        self.answer(self.request(Method::GET, path)).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, OperatorError> {
        let body = serde_json::to_string(body).map_err(|error| {
            let advice = "this is a defect of the command";
            OperatorError::refused(format!("the request cannot be written: {error}"), advice)
        })?;
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

    async fn answer<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, OperatorError> {
        match self.call(request).await? {
            Answer::Body(body) => self.read(&body),
            Answer::Refused(_, refused) => Err(told(*refused)),
        }
    }

    async fn call(&self, request: RequestBuilder) -> Result<Answer, OperatorError> {
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

    fn read<T: DeserializeOwned>(&self, body: &str) -> Result<T, OperatorError> {
        serde_json::from_str(body).map_err(|error| {
            self.is_no_relay(&format!("its answer is not ours ({:?})", error.classify()))
        })
    }

    fn is_no_relay(&self, why: &str) -> OperatorError {
        OperatorError::refused(
            format!(
                "no alumniq-relay of this version serves {}: {why}",
                self.url
            ),
            "check --server (or ALUMNIQ_RELAY_SERVER), and that both are of one version",
        )
    }
}

enum Answer {
    Body(String),
    Refused(u16, Box<ErrorBody>),
}

fn unusable(cause: &str, advice: Option<String>) -> OperatorError {
    let advice = advice.unwrap_or_else(|| {
        "check --server (or ALUMNIQ_RELAY_SERVER): it is `console.listen` of a process with the role console, or what \
         stands before it"
            .to_owned()
    });
    OperatorError::refused(format!("the server cannot be used: {cause}"), advice)
}

/// The server's own words, as an error of this command.
fn told(refused: ErrorBody) -> OperatorError {
    let error = refused.error;
    if error.code == "unauthenticated" {
        return OperatorError::refused(
            "the server does not know this token",
            "set ALUMNIQ_RELAY_TOKEN, or --token-file, to its console.operator_token or console.viewer_token",
        );
    }
    OperatorError::refused(error.message, error.advice)
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
