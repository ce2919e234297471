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
use jobs::{destination::Vendor, outcome::DeadClass};
use maud::{Markup, html};
use queue::letters::Letter;

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
        error::{FieldProblem, OperatorError, RefusalKind},
        wire::{Draft, EditDone, NewValues, ReplayRequest},
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
            subject.ask(StatusCode::OK, &typed, None)
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
        return subject.moved(&typed);
    }
    if typed.step == EditAction::Change {
        return subject.ask(StatusCode::OK, &typed, None);
    }
    let edits = typed.edits(&subject.draft);
    if edits.is_empty() {
        let trouble = FormError::Nothing;
        return subject.refuse(&typed, &trouble);
    }
    let vendor = subject.letter.destination;
    let request = NewValues {
        fields: edits,
        dry_run: typed.step == EditAction::Preview,
        version: Some(typed.version.clone()),
    };
    match asked.client.edit(vendor, &id, request.clone()).await {
        Ok(accepted) if request.dry_run => match subject.elsewhere(&request).await {
            Ok(elsewhere) => {
                let edits = &request.fields;
                let main = preview::main(&subject, edits, &typed, &accepted, &elsewhere);
                subject.page(StatusCode::OK, &main)
            }
            Err(error) => asked.failed(Tab::Letters, &error),
        },
        Ok(_) => subject.follow(&typed).await,
        Err(OperatorError::Refused {
            why: RefusalKind::Invalid,
            problems,
            ..
        }) => {
            let trouble = FormError::Problems(&problems);
            subject.refuse(&typed, &trouble)
        }
        Err(error) if error.is(RefusalKind::NotFound) => asked.letter_gone(&id),
        Err(error) if error.is(RefusalKind::Conflict) => {
            match Subject::find(&asked, vendor.as_str(), &id).await {
                Ok(now) => now.moved(&typed),
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
        match asked.client.draft(vendor, id).await {
            Ok(draft) if !draft.fields.is_empty() => Ok(Self {
                asked,
                letter,
                others,
                draft,
            }),
            Err(error) if error.is(RefusalKind::NotFound) => Err(asked.letter_gone(id)),
            Err(error) => Err(failed(error)),
            Ok(_) => {
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

    fn page(&self, status: StatusCode, main: &Markup) -> Response {
        let title = self.title();
        self.asked.with_status(status, Tab::Letters, &title, main)
    }

    fn ask(&self, status: StatusCode, typed: &Typed, trouble: Option<&FormError<'_>>) -> Response {
        self.page(status, &form::main(self, typed, trouble))
    }

    fn refuse(&self, typed: &Typed, trouble: &FormError<'_>) -> Response {
        self.ask(StatusCode::UNPROCESSABLE_ENTITY, typed, Some(trouble))
    }

    /// The dry run of `request` wherever else the change is dead. A place that took it meanwhile is left out.
    async fn elsewhere(
        &self,
        request: &NewValues,
    ) -> Result<Vec<(Vendor, Result<EditDone, Vec<FieldProblem>>)>, OperatorError> {
        let mut tried = Vec::new();
        for other in &self.others {
            match self
                .asked
                .client
                .edit(*other, self.id(), request.clone())
                .await
            {
                Ok(accepted) => tried.push((*other, Ok(accepted))),
                Err(OperatorError::Refused {
                    why: RefusalKind::Invalid,
                    problems,
                    ..
                }) => tried.push((*other, Err(problems))),
                Err(error) if error.is(RefusalKind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(tried)
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
    fn moved(&self, typed: &Typed) -> Response {
        self.ask(StatusCode::CONFLICT, typed, Some(&FormError::Moved))
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
