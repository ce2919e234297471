//! `notify test`: does the webhook take what it is told?

use jiff::Timestamp;
use jobs::notice::{Delivery, Notice, classify};
use miette::miette;

use super::{context::Context, usage};
use crate::{
    cli::{GlobalArgs, NotifyCommand},
    config::NotifyFormat,
    exit::Exit,
};

/// Sends one message; touches neither Redis nor a vendor.
pub async fn run(global: &GlobalArgs, NotifyCommand::Test: NotifyCommand) -> miette::Result<Exit> {
    let context = Context::load(global)?;
    let notify = &context.config.notify;
    let Some(webhook) = context.webhook()? else {
        return Err(usage(
            "nobody is to be told",
            "set ALUMNIQ_RELAY__NOTIFY__WEBHOOK_URL, or `webhook_url_file` in [notify]",
        ));
    };
    let now = Timestamp::now();
    let id = format!("msg_test_{:016x}", rand::random::<u64>());
    let notice = Notice::test(id, context.config.namespace.as_str(), now);
    let body = match notify.format {
        NotifyFormat::Json => notice.json(None),
        NotifyFormat::Slack => notice.slack(None),
    };
    let authority = webhook.authority();
    match classify(&webhook.post(&notice.id, now, body, None).await) {
        Delivery::Taken => {
            super::print(&format!("{authority} took {}\n", notice.id))?;
            Ok(Exit::Good)
        }
        Delivery::Failed { cause, .. } => Err(miette!(
            help = "check notify.webhook_url, notify.format, and what the receiver says of it",
            "{authority} did not take it: {cause}"
        )),
    }
}
