//! `/dead-letters/{destination}/{id}/edit`: a row mended by hand. Its fields, then what would be sent, then the replay.

mod form;
mod preview;
mod typed;

use axum::{
    Form,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use jiff::{SignedDuration, Timestamp};
use jobs::{destination::Vendor, outcome::DeadClass};
use maud::{Markup, html};
use queue::{
    audit::{AuditAction, AuditFilter},
    letters::Letter,
};

use self::{
    form::FormError,
    typed::{EditAction, Typed},
};
use super::{asked::PageContext, layout::Tab, links};
use crate::{
    console::visitor::Operator,
    operations::{
        client::OperatorClient,
        dead_letters::LetterName,
        editing::Draft,
        error::{OperatorError, RefusalKind},
        wire::{NewValues, ReplayRequest},
    },
};

/// Whether another row could help. A newer change has overtaken a stale one, and of a refused acknowledgement every
/// destination has the row already.
pub const fn can_help(class: DeadClass) -> bool {
    !matches!(class, DeadClass::Stale | DeadClass::AckRejected)
}

/// A letter, and its row as it is now.
struct Subject<'a> {
    asked: &'a PageContext,
    letter: Letter,
    /// Where else the change is dead, and another row could help.
    others: Vec<Vendor>,
    draft: Draft,
}

/// The form, with the row's values in it.
pub async fn show(
    _: Operator,
    asked: PageContext,
    Path((vendor, id)): Path<(String, String)>,
) -> Response {
    match Subject::find(&asked, &vendor, &id).await {
        Ok(subject) => {
            let typed = Typed::of(&subject.draft);
            subject.ask(StatusCode::OK, &typed, None).await
        }
        Err(refused) => refused,
    }
}

/// What was written into it: shown as it would be sent, or replayed.
pub async fn submit(
    _: Operator,
    asked: PageContext,
    Path((vendor, id)): Path<(String, String)>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let subject = match Subject::find(&asked, &vendor, &id).await {
        Ok(subject) => subject,
        Err(refused) => return refused,
    };
    let typed = Typed::read(fields);
    if typed.version != subject.draft.version {
        return subject.moved(&typed).await;
    }
    if typed.step == EditAction::Change {
        return subject.ask(StatusCode::OK, &typed, None).await;
    }
    let edits = typed.edits(&subject.draft);
    if edits.is_empty() {
        let trouble = FormError::Nothing;
        return subject.refuse(&typed, &trouble).await;
    }
    let operations = &asked.client.operations;
    let vendor = subject.letter.destination;
    if typed.step == EditAction::Preview {
        return match operations.preview_draft(vendor, &subject.draft, &edits) {
            Ok(accepted) => {
                let elsewhere = subject.others.iter().map(|other| {
                    let draft = &subject.draft;
                    (*other, operations.preview_draft(*other, draft, &edits))
                });
                let elsewhere: Vec<_> = elsewhere.collect();
                let main = preview::main(&subject, &edits, &typed, &accepted, &elsewhere);
                subject.reveal(StatusCode::OK, &main).await
            }
            Err(problems) => {
                let trouble = FormError::Problems(&problems);
                subject.refuse(&typed, &trouble).await
            }
        };
    }
    let request = NewValues {
        fields: edits,
        dry_run: false,
        version: Some(typed.version.clone()),
    };
    match asked.client.edit(vendor, &id, request).await {
        Ok(_) => subject.follow(&typed).await,
        Err(OperatorError::Refused {
            why: RefusalKind::Invalid,
            problems,
            ..
        }) => {
            subject
                .refuse(&typed, &FormError::Problems(&problems))
                .await
        }
        Err(error) if error.is(RefusalKind::NotFound) => asked.letter_gone(&id),
        Err(error) if error.is(RefusalKind::Conflict) => {
            match Subject::find(&asked, vendor.as_str(), &id).await {
                Ok(now) => now.moved(&typed).await,
                Err(refused) => refused,
            }
        }
        Err(error) => asked.failed(Tab::Letters, &error),
    }
}

impl<'a> Subject<'a> {
    async fn find(asked: &'a PageContext, vendor: &str, id: &str) -> Result<Self, Response> {
        let Ok(vendor) = vendor.parse::<Vendor>() else {
            return Err(asked.letter_gone(id));
        };
        if !asked.sees_people() {
            return Err(asked.people_are_hidden());
        }
        let failed = |error: OperatorError| asked.failed(Tab::Letters, &error);
        let timeline = asked.client.timeline(id).await.map_err(failed)?;
        let letters = timeline
            .map(|timeline| timeline.letters)
            .unwrap_or_default();
        let (here, elsewhere): (Vec<_>, Vec<_>) = letters
            .into_iter()
            .partition(|letter| letter.destination == vendor);
        let Some(letter) = here.into_iter().next() else {
            return Err(asked.letter_gone(id));
        };
        if !can_help(letter.class) {
            return Err(cannot(asked, &letter, letter.class.explained().means));
        }
        let others = elsewhere.iter().filter(|other| can_help(other.class));
        let others = others.map(|other| other.destination).collect();
        let draft = asked.client.operations.draft(id).await;
        let draft = draft.map_err(|error| failed(error.into()))?;
        match draft.filter(|draft| !draft.fields.is_empty()) {
            Some(draft) => Ok(Self {
                asked,
                letter,
                others,
                draft,
            }),
            None => {
                let why = "Its row is not kept any more, or holds nothing that fields can be read from. Correct it in AlumnIQ and fetch it again.";
                Err(cannot(asked, &letter, why))
            }
        }
    }

    fn id(&self) -> &str {
        &self.letter.change_id
    }

    fn title(&self) -> String {
        let at = self.letter.destination.noun();
        format!("Edit change {} at {at}", self.id())
    }

    async fn ask(
        &self,
        status: StatusCode,
        typed: &Typed,
        trouble: Option<&FormError<'_>>,
    ) -> Response {
        let main = form::main(self, typed, trouble);
        self.reveal(status, &main).await
    }

    async fn refuse(&self, typed: &Typed, trouble: &FormError<'_>) -> Response {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        self.ask(status, typed, Some(trouble)).await
    }

    /// The edited row helps elsewhere, too, where that was wanted.
    async fn follow(&self, typed: &Typed) -> Response {
        let wanted = self
            .others
            .iter()
            .filter(|other| typed.also.contains(other));
        let ids: Vec<_> = wanted
            .map(|other| LetterName::at(*other, self.id()))
            .collect();
        if !ids.is_empty() {
            let request = ReplayRequest {
                ids,
                ..ReplayRequest::default()
            };
            match self.asked.client.replay(request).await {
                Err(error) if !error.is(RefusalKind::NotFound) => {
                    return self.asked.failed(Tab::Letters, &error);
                }
                // Somebody else may have handled them meanwhile.
                _ => {}
            }
        }
        Redirect::to(&links::change(self.id())).into_response()
    }

    /// Another row is there than the one that was seen.
    async fn moved(&self, typed: &Typed) -> Response {
        let trouble = FormError::Moved;
        self.ask(StatusCode::CONFLICT, typed, Some(&trouble)).await
    }

    /// Values are shown: first that is written down, once an hour.
    async fn reveal(&self, status: StatusCode, main: &Markup) -> Response {
        match self.on_record().await {
            Ok(()) => self
                .asked
                .with_status(status, Tab::Letters, &self.title(), main),
            Err(error) => self.asked.failed(Tab::Letters, &error),
        }
    }
}

impl Subject<'_> {
    async fn on_record(&self) -> Result<(), OperatorError> {
        let client = &self.asked.client;
        let filter = AuditFilter {
            by: Some(client.by.name.clone()),
            action: Some(AuditAction::Revealed),
            change_id: Some(self.id().to_owned()),
        };
        let known = client.audit(&filter, None, 1).await?.items;
        let at = known.first().and_then(|entry| entry.at.parse().ok());
        let is_known = at.is_some_and(|at: Timestamp| {
            Timestamp::now().duration_since(at) < SignedDuration::from_hours(1)
        });
        if !is_known {
            let vendor = self.letter.destination;
            client
                .operations
                .reveal(vendor, self.id(), &client.by)
                .await?;
        }
        Ok(())
    }
}

fn cannot(asked: &PageContext, letter: &Letter, why: &str) -> Response {
    let back = links::letter(letter.destination, &letter.change_id);
    let main = html! {
        p { (super::text::prose(why)) }
        p { a href=(back) { "Back to the dead letter" } }
    };
    let what = "This change cannot be edited here";
    asked.problem(StatusCode::CONFLICT, Tab::Letters, what, &main)
}
