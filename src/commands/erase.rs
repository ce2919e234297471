//! `erase`.

use std::io::{self, BufRead, IsTerminal};

use miette::{IntoDiagnostic, miette};

use super::{
    assemble,
    context::{Context, operator},
    told::PersonErased,
};
use crate::{
    cli::{Global, privacy::Erase},
    exit::Exit,
    operations::erase::{Erasure, NOT_ERASED},
    queue::erase::Files,
};

/// Asks, removes, and says what is left elsewhere.
pub async fn run(global: &Global, arguments: Erase) -> miette::Result<Exit> {
    let context = Context::load(global)?;
    if !arguments.yes && !confirmed(context.config.namespace.as_str())? {
        return Err(miette!("nothing was erased"));
    }
    let redis = context.redis().await?;
    let operations = assemble::operations(&context, &redis.queue)?;
    let (reason, tell) = (arguments.reason.as_deref(), !arguments.keep_unacknowledged);
    let erasure = operations
        .erase(&arguments.xid, reason, tell, &operator())
        .await;
    drop(operations);
    redis.close().await?;
    let erasure = erasure.into_diagnostic()?;
    super::print(&if arguments.json {
        let told = PersonErased {
            erasure: erasure.clone(),
            not_erased: NOT_ERASED.to_vec(),
        };
        format!("{}\n", serde_json::to_string(&told).into_diagnostic()?)
    } else {
        text(&erasure)
    })?;
    Ok(match (&erasure.files, erasure.erased.arrived) {
        (Files::Kept(_), _) | (_, 1..) => Exit::NeedsAPerson,
        _ => Exit::Good,
    })
}

/// Asks on a terminal. Not with the xid: a terminal's history need not hold it twice.
fn confirmed(namespace: &str) -> miette::Result<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(super::usage(
            "erasing cannot be undone, and there is no terminal to ask on",
            "add --yes to erase without being asked",
        ));
    }
    eprint!(
        "Erase everything that {namespace} holds of this person? This cannot be undone. Type yes: "
    );
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .into_diagnostic()?;
    Ok(answer.trim() == "yes")
}

fn text(erasure: &Erasure) -> String {
    let erased = &erasure.erased;
    let open = match (erased.discarded, erasure.told) {
        (0, _) => "0 open changes".to_owned(),
        (n, true) => format!("{n} open changes, discarded: AlumnIQ is told of them"),
        (n, false) => {
            format!("{n} open changes, discarded: AlumnIQ is not told and goes on listing them")
        }
    };
    let mut text = format!(
        "Erased: {open}\n        {} changes that AlumnIQ is still to be told of\n        {} closed changes\n        \
         reason and detail of {} entries of the audit\n",
        erased.applied, erased.closed, erased.audit_entries
    );
    match &erasure.files {
        Files::Rewritten => {
            text += "Redis has rewritten its files: they hold nothing of it any more.\n"
        }
        Files::None => {}
        Files::Kept(why) => {
            text += &format!(
                "Redis' files hold it until they are rewritten, which was not done: {why}\nRun BGREWRITEAOF, and BGSAVE \
                 where it saves snapshots.\n"
            );
        }
    }
    if erased.arrived > 0 {
        text += &format!(
            "{} changes of this person are there again: AlumnIQ lists them. Erase the person there, then run this again.\n",
            erased.arrived
        );
    }
    text += "Not erased:\n";
    for left in NOT_ERASED {
        text += &format!("  {left}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::erase::Erased;

    #[test]
    fn it_says_what_went_what_is_told_and_what_is_left() {
        let mut erasure = Erasure {
            erased: Erased {
                discarded: 3,
                applied: 1,
                closed: 2,
                audit_entries: 4,
                arrived: 0,
            },
            told: true,
            files: Files::Rewritten,
        };
        let shown = text(&erasure);
        for part in [
            "3 open changes",
            "AlumnIQ is told",
            "2 closed",
            "4 entries",
            "rewritten",
            "Not erased",
            "backups",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        erasure.told = false;
        erasure.files = Files::Kept("NOPERM".to_owned());
        erasure.erased.arrived = 5;
        let shown = text(&erasure);
        for part in [
            "goes on listing them",
            "NOPERM",
            "BGREWRITEAOF",
            "5 changes of this person are there again",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
}
