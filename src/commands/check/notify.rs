//! Notifications: can they be made. None is sent: a check writes nothing anywhere, least of all into a channel.

use super::CheckFinding;
use crate::commands::context::Context;

const ABOUT: &str = "notify";

/// Nothing where nobody is to be told.
pub fn configured(context: &Context) -> Vec<CheckFinding> {
    match context.webhook() {
        Ok(None) => Vec::new(),
        Ok(Some(webhook)) => vec![CheckFinding::ok(
            ABOUT,
            format!(
                "{} was not called; `alumniq-relay notify test` sends it a message",
                webhook.authority()
            ),
        )],
        Err(error) => vec![CheckFinding::fail(
            ABOUT,
            error.to_string(),
            "mend [notify]",
        )],
    }
}
