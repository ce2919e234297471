//! `encryption key|rotate`.

use base64::{Engine, prelude::BASE64_STANDARD};
use indicatif::ProgressBar;
use miette::{IntoDiagnostic, miette};
use queue::{
    seal::{KEY_BYTES, Seals},
    sealing::Rotated,
};
use ring::rand::{SecureRandom, SystemRandom};

use super::{context::Context, told::PayloadsResealed};
use crate::{
    cli::{GlobalArgs, privacy::EncryptionCommand},
    exit::Exit,
    observe::logs,
};

/// Dispatches.
pub async fn run(global: &GlobalArgs, command: EncryptionCommand) -> miette::Result<Exit> {
    match command {
        EncryptionCommand::Key => key(),
        EncryptionCommand::Rotate { json } => rotate(global, json).await,
    }
}

fn key() -> miette::Result<Exit> {
    let mut key = [0; KEY_BYTES];
    let filled = SystemRandom::new().fill(&mut key);
    filled.map_err(|_| miette!("the system gives no random bytes"))?;
    super::print(&format!("{}\n", BASE64_STANDARD.encode(key)))?;
    Ok(Exit::Good)
}

async fn rotate(global: &GlobalArgs, as_json: bool) -> miette::Result<Exit> {
    let context = Context::load(global)?;
    let seals = context.seals();
    if seals.known().is_empty() {
        return Err(super::usage(
            "there is no key to seal payloads under",
            "set encryption.key: `alumniq-relay encryption key` makes one",
        ));
    }
    let redis = context.open_to_write().await?;
    let bar = match as_json || global.quiet {
        true => ProgressBar::hidden(),
        false => ProgressBar::new_spinner(),
    };
    if !bar.is_hidden() {
        bar.set_draw_target(logs::bar_target());
    }
    let rotated = redis
        .queue
        .rotate(|done| bar.set_message(format!("{done} payloads")))
        .await;
    bar.finish_and_clear();
    redis.close().await?;
    let rotated = rotated.into_diagnostic()?;
    super::print(&if as_json {
        let told = PayloadsResealed {
            key: seals.current().map(|id| id.as_str().to_owned()),
            resealed: rotated.resealed,
            unreadable: rotated.broken,
            keys_still_in_use: rotated.in_use.clone(),
        };
        format!("{}\n", serde_json::to_string(&told).into_diagnostic()?)
    } else {
        text(&seals, &rotated)
    })?;
    Ok(match rotated.in_use.is_empty() && rotated.broken == 0 {
        true => Exit::Good,
        false => Exit::NeedsAPerson,
    })
}

fn text(seals: &Seals, rotated: &Rotated) -> String {
    let under = match seals.current() {
        Some(id) => format!("sealed anew under the key {id}"),
        None => "opened: there is no encryption.key".to_owned(),
    };
    let mut text = format!("{} payloads {under}\n", rotated.resealed);
    if rotated.broken > 0 {
        text += &format!(
            "{} payloads cannot be opened: they were altered in Redis. Their changes become dead letters of class \
             undecodable; the next fetch brings their rows again.\n",
            rotated.broken
        );
    }
    text += &match rotated.in_use.as_slice() {
        [] => "No payload needs another key: encryption.old_keys can be removed.\n".to_owned(),
        keys => format!(
            "Still in use: {}. A process seals under it: give every process this encryption.key, restart them, then run \
             this again.\n",
            keys.join(", ")
        ),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_whether_the_old_keys_can_go() {
        let seals = Seals::new(Some(&[7; 32]), &[[8; 32]]);
        let mut rotated = Rotated {
            resealed: 12,
            broken: 0,
            in_use: Vec::new(),
        };
        let shown = text(&seals, &rotated);
        assert!(
            shown.contains("12 payloads sealed anew under the key 8263b094"),
            "{shown}"
        );
        assert!(shown.contains("old_keys can be removed"), "{shown}");
        rotated.broken = 2;
        rotated.in_use.push("77b41f5b".to_owned());
        let shown = text(&seals, &rotated);
        assert!(shown.contains("2 payloads cannot be opened"), "{shown}");
        assert!(
            shown.contains("Still in use: 77b41f5b") && !shown.contains("can be removed"),
            "{shown}"
        );
        let opened = text(&Seals::new(None, &[[8; 32]]), &rotated);
        assert!(opened.contains("12 payloads opened"), "{opened}");
    }
}
