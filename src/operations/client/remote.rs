//! Over the API of a process of the fleet.

use async_trait::async_trait;
use jobs::{destination::Vendor, reply::Reply};
use queue::{
    audit::{AuditFilter, AuditPage},
    bulk::{BulkList, BulkView},
    letters::{DeadLetterOrder, Letter, LetterGroup, LetterPage, LetterRef},
    person::PersonCursor,
    stats::Status,
    timeline::Timeline,
};
use reqwest::{
    Method, RequestBuilder,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;

use super::OperatorClient;
use crate::{
    operations::{
        bulk::NewBulk,
        dead_letters::DeadLetterFilter,
        destinations::{Destinations, Gate},
        erase::PersonErased,
        error::{OperatorError, RefusalKind},
        moment::CampusDay,
        overview::Overview,
        reconcile::{Days, Reconciled},
        wire::{
            Campus, DaysRequest, DiscardRequest, Draft, EditDone, EraseRequest, ErrorBody,
            LetterGroups, LettersHandled, NAME_HEADER, NewValues, Person, Problem, ReplayRequest,
            Row,
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

#[async_trait]
impl OperatorClient for Remote {
    async fn campus(&self) -> Result<Campus, OperatorError> {
        self.get("campus").await
    }

    async fn overview(&self) -> Result<Overview, OperatorError> {
        self.get("overview").await
    }

    async fn status(&self) -> Result<Status, OperatorError> {
        self.get("status").await
    }

    async fn timeline(&self, change_id: &str) -> Result<Option<Timeline>, OperatorError> {
        let path = format!("changes/{}", segment(change_id));
        match self.call(self.request(Method::GET, &path)).await? {
            Answer::Body(body) => self.read(&body).map(Some),
            Answer::Refused(refused) if refused.code == "not_found" => Ok(None),
            Answer::Refused(refused) => Err(told(refused)),
        }
    }

    async fn person(
        &self,
        xid: &str,
        cursor: Option<&PersonCursor>,
        limit: usize,
    ) -> Result<Person, OperatorError> {
        let path = format!("people/{}", segment(xid));
        let request = self.request(Method::GET, &path);
        self.answer(request.query(&page(cursor, limit))).await
    }

    async fn erase(&self, xid: &str, asked: EraseRequest) -> Result<PersonErased, OperatorError> {
        self.post(&format!("people/{}/erase", segment(xid)), &asked)
            .await
    }

    async fn letters(
        &self,
        order: DeadLetterOrder,
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
            if order == DeadLetterOrder::NewestFirst {
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

    async fn letter(&self, vendor: Vendor, change_id: &str) -> Result<Letter, OperatorError> {
        self.get(&letter(vendor, change_id)).await
    }

    async fn row(&self, vendor: Vendor, change_id: &str) -> Result<Row, OperatorError> {
        self.get(&format!("{}/row", letter(vendor, change_id)))
            .await
    }

    async fn draft(&self, vendor: Vendor, change_id: &str) -> Result<Draft, OperatorError> {
        self.get(&format!("{}/draft", letter(vendor, change_id)))
            .await
    }

    async fn edit(
        &self,
        vendor: Vendor,
        change_id: &str,
        asked: NewValues,
    ) -> Result<EditDone, OperatorError> {
        self.post(&format!("{}/edit", letter(vendor, change_id)), &asked)
            .await
    }

    async fn replay(&self, asked: ReplayRequest) -> Result<LettersHandled, OperatorError> {
        self.post("dead-letters/replay", &asked).await
    }

    async fn discard(&self, asked: DiscardRequest) -> Result<LettersHandled, OperatorError> {
        self.post("dead-letters/discard", &asked).await
    }

    async fn bulks(&self) -> Result<Vec<BulkView>, OperatorError> {
        let bulks: BulkList = self.get("bulks").await?;
        Ok(bulks.items)
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

    async fn destinations(&self) -> Result<Destinations, OperatorError> {
        self.get("destinations").await
    }

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
                on: Some(CampusDay(on)),
                ..DaysRequest::default()
            },
            Days::Since(since, until) => DaysRequest {
                on: None,
                since: Some(CampusDay(since)),
                until: until.map(CampusDay),
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

    async fn audit(
        &self,
        filter: &AuditFilter,
        cursor: Option<u64>,
        limit: usize,
    ) -> Result<AuditPage, OperatorError> {
        let action = filter.action.map(|action| action.to_string());
        let request = self.request(Method::GET, "audit").query(&[
            ("by", &filter.by),
            ("action", &action),
            ("change_id", &filter.change_id),
        ]);
        self.answer(request.query(&page(cursor.as_ref(), limit)))
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
            let message = format!("the request cannot be written: {error}");
            let advice = "this is a defect of the command";
            OperatorError::refused(RefusalKind::Invalid, message, advice)
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
            Answer::Refused(refused) => Err(told(refused)),
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
            Ok(refused) => Ok(Answer::Refused(refused.error)),
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
            RefusalKind::Unavailable,
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
    Refused(Problem),
}

fn unusable(cause: &str, advice: Option<String>) -> OperatorError {
    let advice = advice.unwrap_or_else(|| {
        "check --server (or ALUMNIQ_RELAY_SERVER): it is `console.listen` of a process with the role console, or what \
         stands before it"
            .to_owned()
    });
    let message = format!("the server cannot be used: {cause}");
    OperatorError::refused(RefusalKind::Unavailable, message, advice)
}

/// The server's own words, as an error of this command.
fn told(problem: Problem) -> OperatorError {
    let why = match problem.code.as_str() {
        "unauthenticated" => {
            return OperatorError::refused(
                RefusalKind::Denied,
                "the server does not know this token",
                "set ALUMNIQ_RELAY_TOKEN, or --token-file, to its console.operator_token or console.viewer_token",
            );
        }
        "not_found" => RefusalKind::NotFound,
        "invalid" => RefusalKind::Invalid,
        "conflict" => RefusalKind::Conflict,
        "vendor" => RefusalKind::Vendor,
        "unavailable" => RefusalKind::Unavailable,
        _ => RefusalKind::Denied,
    };
    OperatorError::Refused {
        why,
        message: problem.message,
        advice: problem.advice,
        problems: problem.problems,
    }
}

/// Which page.
fn page(cursor: Option<&impl ToString>, limit: usize) -> [(&'static str, Option<String>); 2] {
    [
        ("cursor", cursor.map(ToString::to_string)),
        ("limit", Some(limit.to_string())),
    ]
}

/// Where the API has one dead letter.
fn letter(vendor: Vendor, change_id: &str) -> String {
    format!("dead-letters/{vendor}/{}", segment(change_id))
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
