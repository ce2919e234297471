//! `erase`.

use std::io::{self, BufRead, IsTerminal};

use miette::{IntoDiagnostic, miette};
use queue::erase::Files;

use super::{
    client::{ClientSession, QueueAccess},
    one_line,
};
use crate::{
    cli::{GlobalArgs, privacy::EraseArgs},
    exit::Exit,
    observe::logs,
    operations::{erase::PersonErased, wire::EraseRequest},
};

/// Asks, removes, and says what is left elsewhere.
pub async fn run(global: &GlobalArgs, arguments: EraseArgs) -> miette::Result<Exit> {
    let session = ClientSession::open_patiently(global, QueueAccess::Write).await?;
    let erased = erase(&session, &arguments).await;
    session.close().await?;
    let erased = erased?;
    super::print(&if arguments.json {
        format!("{}\n", serde_json::to_string(&erased).into_diagnostic()?)
    } else {
        text(&erased)
    })?;
    let erasure = &erased.erasure;
    Ok(match (&erasure.files, erasure.erased.arrived) {
        (Files::Kept(_), _) | (_, 1..) => Exit::NeedsAPerson,
        _ => Exit::Good,
    })
}

async fn erase(session: &ClientSession, arguments: &EraseArgs) -> miette::Result<PersonErased> {
    if !arguments.yes && !confirmed(&session.name)? {
        return Err(miette!("nothing was erased"));
    }
    let asked = EraseRequest {
        reason: arguments
            .reason
            .clone()
            .map(String::from)
            .unwrap_or_default(),
        keep_unacknowledged: arguments.keep_unacknowledged,
    };
    Ok(session.erase(&arguments.xid, asked).await?)
}

/// Asks on a terminal. Not with the xid: a terminal's history need not hold it twice.
fn confirmed(whose: &str) -> miette::Result<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(super::usage(
            "erasing cannot be undone, and there is no terminal to ask on",
            "add --yes to erase without being asked",
        ));
    }
    logs::flush();
    eprint!(
        "Erase everything that {whose} holds of this person? This cannot be undone. Type yes: "
    );
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .into_diagnostic()?;
    Ok(answer.trim() == "yes")
}

fn text(
    PersonErased {
        erasure,
        not_erased,
    }: &PersonErased,
) -> String {
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
                "Redis' files hold it until they are rewritten, which was not done: {}\nRun BGREWRITEAOF, and BGSAVE \
                 where it saves snapshots.\n",
                one_line(why)
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
    for left in not_erased {
        text += &format!("  {}\n", one_line(left));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::erase::Erasure;
    use queue::erase::Erased;

    #[test]
    fn it_says_what_went_what_is_told_and_what_is_left() {
        let erased = |erasure: &Erasure| PersonErased::from(erasure.clone());
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
        let shown = text(&erased(&erasure));
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
        let shown = text(&erased(&erasure));
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
