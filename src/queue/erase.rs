//! One person's data away: rows, letters, what was sent, edits, timelines, leases, and the name itself.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use utoipa::ToSchema;

use super::{
    Queue, QueueError,
    audit::{Actor, AuditAction, Note},
    connection::Connection,
    keys,
};

/// How many changes one call removes: Redis is busy for some milliseconds.
const CHANGES_A_CALL: usize = 200;

/// How many of the server's keys, or of a person's changes, one step looks at.
const A_STEP: usize = 1_000;

/// How often what came meanwhile is removed as well. A person has no more than a few changes a minute.
const ROUNDS: u32 = 5;

/// Stands where a person's xid stood.
const ERASED: &str = "erased";

/// How often Redis is asked whether it has rewritten its files.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What became of one person's data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Erased {
    /// Changes that were open: they count as discarded.
    pub discarded: u64,
    /// Changes that every destination had, and AlumnIQ still waits to be told of.
    pub applied: u64,
    /// Changes that were closed: their rows and timelines.
    pub closed: u64,
    /// Entries of the audit about them that lost their reason and detail.
    pub audit_entries: u64,
    /// Changes that came in while the others were removed, and are still there.
    pub arrived: u64,
}

/// Whether Redis' files still hold what was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Files {
    /// They were rewritten.
    Rewritten,
    /// Redis keeps none.
    None,
    /// They hold it until they are rewritten: why that was not done here.
    Kept(String),
}

/// id -> member, '' where it stands in no lane.
type Changes = BTreeMap<String, String>;

impl Queue {
    /// Removes what Redis holds of a person, in bounded steps. What is still open is discarded, and AlumnIQ
    /// is told of it unless `keep_unacknowledged`; a running call is not settled any more. Breaking off and beginning anew does no harm.
    pub async fn erase(
        &self,
        xid: &str,
        reason: &str,
        keep_unacknowledged: bool,
        by: &Actor,
    ) -> Result<Erased, QueueError> {
        let lane = keys::lane(Some(xid), "");
        let (mut erased, ids) = self.erase_person_changes(xid, keep_unacknowledged).await?;
        let mut end = self.scripts.erase_end.prepare_invoke();
        end.arg(&lane);
        erased.arrived = self.run(&mut end).await?;
        erased.audit_entries = self.redact_audit(xid, &ids).await?;
        self.redact_bulks(xid).await?;
        let mut named: Vec<String> = ids.into_iter().collect();
        named.sort_unstable();
        let note = Note {
            count: Some(named.len() as u64),
            change_ids: &named,
            reason,
            ..Note::default()
        };
        self.note(by, AuditAction::Erased, &note).await?;
        Ok(erased)
    }

    /// The first half of [`Queue::erase`], after which it may break off: the person's changes, and which they were.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn erase_person_changes(
        &self,
        xid: &str,
        keep_unacknowledged: bool,
    ) -> Result<(Erased, HashSet<String>), QueueError> {
        let lane = keys::lane(Some(xid), "");
        let mut erased = Erased::default();
        let mut ids = HashSet::new();
        let mut changes = self.recorded(xid).await?;
        for _ in 0..ROUNDS {
            changes.extend(self.indexed(&lane).await?);
            if changes.is_empty() {
                break;
            }
            let spared = self
                .erase_changes(&lane, keep_unacknowledged, &changes, &mut erased)
                .await?;
            let found = std::mem::take(&mut changes).into_keys();
            ids.extend(found.filter(|id| !spared.contains(id)));
        }
        Ok((erased, ids))
    }

    /// The person's changes by the indexes: those in the lane, dead, and through.
    async fn indexed(&self, lane: &str) -> Result<Changes, QueueError> {
        let mut changes = Changes::new();
        let mut call = self.scripts.through.prepare_invoke();
        call.arg(lane);
        let through: Vec<String> = self.run(&mut call).await?;
        changes.extend(through.into_iter().map(|id| (id, String::new())));
        for (member, _) in self.lane_members(lane).await? {
            if let Some((_, id)) = member.split_once(' ') {
                changes.insert(id.to_owned(), member);
            }
        }
        Ok(changes)
    }

    /// The person's changes by their records: those that are through and no index names any more are among them.
    async fn recorded(&self, xid: &str) -> Result<Changes, QueueError> {
        let xid = serde_json::Value::from(xid);
        let (begins, ends) = (format!(r#"{{"xid":{xid},"#), format!(r#","xid":{xid}}}"#));
        let mut changes = Changes::new();
        let mut cursor = "0".to_owned();
        loop {
            let mut call = self.scripts.whose.prepare_invoke();
            call.arg(&cursor).arg(A_STEP).arg(&begins).arg(&ends);
            let (next, ids): (String, Vec<String>) = self.run(&mut call).await?;
            changes.extend(ids.into_iter().map(|id| (id, String::new())));
            if next == "0" {
                return Ok(changes);
            }
            cursor = next;
        }
    }

    /// The oldest first: AlumnIQ is told of them in this order. Returns those that are another person's by now, and stay.
    async fn erase_changes(
        &self,
        lane: &str,
        keep_unacknowledged: bool,
        changes: &Changes,
        erased: &mut Erased,
    ) -> Result<HashSet<String>, QueueError> {
        let mut spared = HashSet::new();
        let mut ordered: Vec<(&String, &String)> = changes.iter().collect();
        ordered.sort_by_key(|(_, member)| *member);
        for changes in ordered.chunks(CHANGES_A_CALL) {
            let mut call = self.scripts.erase.prepare_invoke();
            call.arg(lane)
                .arg(u8::from(keep_unacknowledged))
                .arg(self.settings.keep.as_millis() as u64);
            for (id, member) in changes {
                call.arg(*id).arg(*member);
            }
            let verdicts: String = self.run(&mut call).await?;
            for (verdict, (id, _)) in verdicts.chars().zip(changes) {
                match verdict {
                    'd' => erased.discarded += 1,
                    'a' => erased.applied += 1,
                    'p' => erased.closed += 1,
                    'o' => {
                        spared.insert((*id).clone());
                    }
                    _ => {}
                }
            }
        }
        Ok(spared)
    }

    /// Takes reason and detail from every entry of the audit about one of `ids`, or in which the person is named. An
    /// entry of more changes than it names loses them where it names the person.
    async fn redact_audit(&self, xid: &str, ids: &HashSet<String>) -> Result<u64, QueueError> {
        let mut redacted = 0;
        let mut cursor = "0".to_owned();
        loop {
            let (next, entries): (String, Vec<(String, String)>) = redis::cmd("ZSCAN")
                .arg(self.keys.of(&["audit"]))
                .arg(&cursor)
                .arg("COUNT")
                .arg(CHANGES_A_CALL)
                .query_async(&mut self.connection.clone())
                .await?;
            for entries in entries.chunks(CHANGES_A_CALL) {
                redacted += self.redact(xid, ids, entries).await?;
            }
            if next == "0" {
                return Ok(redacted);
            }
            cursor = next;
        }
    }

    async fn redact(
        &self,
        xid: &str,
        ids: &HashSet<String>,
        entries: &[(String, String)],
    ) -> Result<u64, QueueError> {
        let key = |id: &str| self.keys.of(&["audit", id]);
        let mut reading = redis::pipe();
        for (id, _) in entries {
            reading
                .cmd("HMGET")
                .arg(key(id))
                .arg(&["change_ids", "reason", "detail"]);
        }
        let fields: Vec<[Option<String>; 3]> =
            reading.query_async(&mut self.connection.clone()).await?;
        let mut writing = redis::pipe();
        let mut redacted = 0;
        for ((id, _), [named, reason, detail]) in entries.iter().zip(fields) {
            let named: Vec<String> = named
                .and_then(|named| serde_json::from_str(&named).ok())
                .unwrap_or_default();
            let words = || reason.iter().chain(&detail);
            let is_about =
                named.iter().any(|id| ids.contains(id)) || words().any(|text| names(text, xid));
            if is_about && words().next().is_some() {
                writing.hdel(key(id), &["reason", "detail"]).ignore();
                redacted += 1;
            }
        }
        if redacted > 0 {
            let _: () = writing.query_async(&mut self.connection.clone()).await?;
        }
        Ok(redacted)
    }

    /// Takes the person out of what bulks were ordered for. One that is under way has no letter of the person left.
    async fn redact_bulks(&self, xid: &str) -> Result<(), QueueError> {
        let mut connection = self.connection.clone();
        let bulks: Vec<String> = redis::cmd("ZRANGE")
            .arg(self.keys.of(&["bulks"]))
            .arg(0)
            .arg(-1)
            .query_async(&mut connection)
            .await?;
        for bulk in bulks {
            let key = self.keys.of(&["bulk", &bulk]);
            let (filter, reason): (Option<String>, Option<String>) = redis::cmd("HMGET")
                .arg(&key)
                .arg(&["filter", "reason"])
                .query_async(&mut connection)
                .await?;
            let filter = filter.and_then(|filter| without_person(&filter, xid));
            let reason = reason.filter(|reason| names(reason, xid));
            let mut writing = redis::cmd("HSET");
            writing.arg(&key);
            if let Some(filter) = &filter {
                writing.arg("filter").arg(filter);
            }
            if reason.is_some() {
                writing.arg("reason").arg(ERASED);
            }
            if filter.is_some() || reason.is_some() {
                let _: () = writing.query_async(&mut connection).await?;
            }
        }
        Ok(())
    }

    /// Has Redis write its files anew, and waits for it: until then they hold what was removed.
    pub async fn rewrite_files(&self, patience: Duration) -> Files {
        if let Connection::Cluster(_) = self.connection {
            return Files::Kept("each node of a cluster has to be told: BGREWRITEAOF".to_owned());
        }
        match tokio::time::timeout(patience, self.rewrite()).await {
            Ok(Ok(files)) => files,
            Ok(Err(error)) => Files::Kept(QueueError::from(error).to_string()),
            Err(_) => Files::Kept("it was begun and takes longer".to_owned()),
        }
    }

    async fn rewrite(&self) -> redis::RedisResult<Files> {
        let mut connection = self.connection.clone();
        let is = |info: &str, field: &str, value: &str| {
            info.lines()
                .any(|line| line.trim_end() == format!("{field}:{value}"))
        };
        let mut info: String = redis::cmd("INFO")
            .arg("persistence")
            .query_async(&mut connection)
            .await?;
        let is_appended = is(&info, "aof_enabled", "1");
        let snapshots: Vec<String> = redis::cmd("CONFIG")
            .arg("GET")
            .arg("save")
            .query_async(&mut connection)
            .await?;
        let is_saved = snapshots.get(1).is_some_and(|when| !when.is_empty());
        // One that is under way began before the data went: it is waited for, and another made.
        for (wanted, command, running, went) in [
            (
                is_appended,
                "BGREWRITEAOF",
                "aof_rewrite_in_progress",
                "aof_last_bgrewrite_status",
            ),
            (
                is_saved,
                "BGSAVE",
                "rdb_bgsave_in_progress",
                "rdb_last_bgsave_status",
            ),
        ] {
            if !wanted {
                continue;
            }
            for begin in [false, true] {
                if begin {
                    let _: String = redis::cmd(command).query_async(&mut connection).await?;
                }
                loop {
                    info = redis::cmd("INFO")
                        .arg("persistence")
                        .query_async(&mut connection)
                        .await?;
                    let waits = [
                        "aof_rewrite_scheduled",
                        "aof_rewrite_in_progress",
                        "rdb_bgsave_in_progress",
                    ];
                    if !waits.iter().any(|field| is(&info, field, "1")) {
                        break;
                    }
                    sleep(LOOK_AGAIN).await;
                }
            }
            if !is(&info, went, "ok") || is(&info, running, "1") {
                return Ok(Files::Kept(format!("{command} failed: see Redis' log")));
            }
        }
        Ok(match is_appended || is_saved {
            true => Files::Rewritten,
            false => Files::None,
        })
    }
}

/// A bulk's filter that asks for the person, with the name replaced; `None` where it asks for others.
fn without_person(filter: &str, xid: &str) -> Option<String> {
    let mut filter: serde_json::Value = serde_json::from_str(filter).ok()?;
    let name = filter.get_mut("xid").filter(|name| **name == xid)?;
    *name = ERASED.into();
    Some(filter.to_string())
}

/// Whether `text` names the person, as a word of its own.
fn names(text: &str, xid: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric();
    text.match_indices(xid).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + xid.len()..].starts_with(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::{names, without_person};

    #[test]
    fn a_filter_for_the_person_loses_the_name_and_others_stay() {
        let filter = |xid: &str| format!(r#"{{"class":"stale","xid":{xid},"since":1001}}"#);
        assert_eq!(
            without_person(&filter(r#""1001""#), "1001"),
            Some(filter(r#""erased""#))
        );
        for other in [r#""11001""#, "null", "1001"] {
            assert_eq!(without_person(&filter(other), "1001"), None, "{other}");
        }
    }

    #[test]
    fn a_person_is_named_by_the_whole_xid_only() {
        for (text, is_named) in [
            ("left in 2024, see 1001", true),
            ("xid=1001", true),
            ("1001", true),
            ("11001", false),
            ("1001a", false),
            ("", false),
        ] {
            assert_eq!(names(text, "1001"), is_named, "{text}");
        }
    }
}
