//! `[notify]`: whom the fleet tells when its state changes.

use std::time::Duration;

use secrecy::SecretString;

use super::{
    key::{default, optional, unnamed_secret},
    reader::Reader,
    secret,
    section::section,
    setting::words,
    url::BaseUrl,
    webhook::{SigningSecret, WebhookError, WebhookUrl},
};

section! {
    /// Notifications: the fleet tells a webhook, once, when a destination is paused or resumed, when dead
    /// letters appear or are cleared, and when the books are off or balance again. Without `webhook_url`
    /// nobody is told.
    NotifyConfig at "notify" {
        /// Where to POST. A secret, because whoever knows the address of a Slack channel can write into it.
        webhook_url: Option<SecretString> = unnamed_secret(),
        /// "json": the fields of the README, for programs; "slack": one text, for Slack and what takes the
        /// same (Mattermost, Rocket.Chat, Discord's address with /slack behind it).
        format: NotifyFormat = default("json"),
        /// Signs each notification, so that the receiver knows whose it is (Standard Webhooks): `whsec_` and
        /// the base64 of 24 to 64 random bytes. Required while `format` is "json".
        secret: Option<SecretString> = unnamed_secret(),
        /// How long a state must last before it is told: a pause of a few seconds is nobody's business.
        /// `0s`: everything is told at once.
        after: Duration = default("1m").within(0.0, 86_400.0),
        /// Where people reach a process of the fleet (`console.listen`): the messages then link to its runbook.
        console_url: Option<BaseUrl> = optional("https://relay.example.edu"),
    }
}

words! {
    /// What a notification looks like.
    NotifyFormat {
        /// Fields, for programs.
        Json = "json",
        /// A text, for a channel.
        Slack = "slack",
    }
}

impl NotifyConfig {
    /// Whom to tell and what to sign with; `None` where nobody is told, or one of the two cannot be read, as in no loaded
    /// configuration.
    pub fn receiver(&self) -> Option<(WebhookUrl, Option<SigningSecret>)> {
        let url = WebhookUrl::parse(self.webhook_url.as_ref()?).ok()?;
        let secret = self.secret.as_ref().map(SigningSecret::parse);
        Some((url, secret.transpose().ok()?))
    }
}

/// The rules between the keys.
pub(super) fn check(reader: &mut Reader, config: &NotifyConfig) {
    if let Some(Err(error)) = config.secret.as_ref().map(SigningSecret::parse) {
        refuse(reader, "notify.secret", &error);
    }
    let Some(url) = &config.webhook_url else {
        return;
    };
    match WebhookUrl::parse(url) {
        Err(error) => refuse(reader, "notify.webhook_url", &error),
        Ok(url) if url.is_plaintext_remote() => {
            reader.caution(
                "notify.webhook_url",
                "is http://: whoever is on the way can read the address and write to it",
                "use https://",
            );
        }
        Ok(_) => {}
    }
    if config.secret.is_none()
        && config.format == NotifyFormat::Json
        && let Some(key) = NotifyConfig::SECTION.key("secret")
    {
        secret::missing(
            reader,
            key,
            "is required while `notify.format` is \"json\": without it a receiver cannot tell who wrote; make one with \
             `echo \"whsec_$(head -c 32 /dev/urandom | base64)\"`",
        );
    }
}

fn refuse(reader: &mut Reader, path: &str, error: &WebhookError) {
    let finding = reader.about(path, &error.to_string());
    reader.problem(finding);
}
