//! The transitions: what each needs beforehand, and the call.

mod acknowledging;
mod keeping;
mod operating;
mod working;

use std::sync::LazyLock;

use futures::future::LocalBoxFuture;

use super::campus::{Campus, Outcome};

pub type Step = for<'a> fn(&'a mut Campus) -> LocalBoxFuture<'a, Outcome>;

pub struct Case {
    pub name: &'static str,
    /// What has to be so before.
    pub prepare: Step,
    /// The transition. Who gets an error calls it again, as the fleet and people do.
    pub run: Step,
}

/// A step of a case.
macro_rules! step {
    ($campus:ident => $body:expr) => {
        |$campus| {
            Box::pin(async move {
                $body;
                Ok(())
            })
        }
    };
}
use step;

/// One that needs nothing but a queue in the middle of its work.
fn plain(name: &'static str, run: Step) -> Case {
    case(name, |_| Box::pin(async { Ok(()) }), run)
}

fn case(name: &'static str, prepare: Step, run: Step) -> Case {
    Case { name, prepare, run }
}

pub fn all() -> &'static [Case] {
    static ALL: LazyLock<Vec<Case>> = LazyLock::new(|| {
        let mut all = working::cases();
        all.extend(acknowledging::cases());
        all.extend(operating::cases());
        all.extend(keeping::cases());
        all
    });
    &ALL
}
