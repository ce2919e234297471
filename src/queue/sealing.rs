//! Which keys the payloads of the namespace are sealed under, and how they come under another.

use super::{
    Queue, QueueError,
    record::{self, parts},
    seal::SealError,
};

/// How many of the server's keys one step looks at.
const KEYS_A_STEP: u32 = 1_000;

/// How many payloads are sealed anew at a time: a row may have 2 MiB.
const PAYLOADS_A_CALL: usize = 20;

/// Rounds in which something was left to do; a fleet whose processes all have the new key needs two.
const MOST_ROUNDS: u32 = 10;

/// How the payloads are sealed, as far as was looked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sealing {
    /// Payloads that were looked at.
    pub seen: u64,
    /// Those of them that are not as they would be written now.
    pub behind: u64,
    /// Whether all were looked at.
    pub whole: bool,
}

/// What came of a rotation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Payloads that are under the current key now and were not before.
    pub resealed: u64,
    /// What nobody can open: it was altered in Redis.
    pub broken: u64,
    /// Keys that payloads may still be under: a process goes on sealing under them.
    pub in_use: Vec<String>,
}

/// What a change's row is sealed for begins with this.
const CHANGE: &str = "change:";

/// A payload: what it is sealed for and where it is, both as `payloads.lua` says them, and the key that it is sealed
/// under.
type Found = (String, String, String);

impl Queue {
    /// Keys in use that this process lacks. One read.
    pub async fn missing_keys(&self) -> Result<Vec<String>, QueueError> {
        let used: Vec<String> = redis::cmd("HKEYS")
            .arg(self.keys.of(&["seals"]))
            .query_async(&mut self.connection.clone())
            .await?;
        let mut missing: Vec<_> = used
            .into_iter()
            .filter(|id| !self.settings.seals.knows(id))
            .collect();
        missing.sort_unstable();
        Ok(missing)
    }

    /// Looks at so many steps' payloads at the most.
    pub async fn sealing(&self, most_steps: u32) -> Result<Sealing, QueueError> {
        let mut sealing = Sealing::default();
        let mut cursor = "0".to_owned();
        for _ in 0..most_steps {
            let (next, found) = self.payloads(&cursor).await?;
            sealing.seen += found.len() as u64;
            sealing.behind += found.iter().filter(|found| !self.is_current(found)).count() as u64;
            if next == "0" {
                sealing.whole = true;
                break;
            }
            cursor = next;
        }
        Ok(sealing)
    }

    /// Seals every payload under the current key, or opens all where there is none, in bounded steps; then forgets
    /// the other keys. The fleet may work meanwhile: a payload that changes in between is left as it is and looked
    /// at again. Breaking off and beginning anew loses nothing. `progress` hears how many were done so far.
    ///
    /// # Errors
    /// A key that is in use is not known here: then nothing is done.
    pub async fn rotate(&self, mut progress: impl FnMut(u64)) -> Result<Rotated, QueueError> {
        if let Some(missing) = self.missing_keys().await?.into_iter().next() {
            return Err(QueueError::sealed("payloads", SealError::NoKey(missing)));
        }
        let mut rotated = Rotated::default();
        self.mark("leave").await?;
        for _ in 0..MOST_ROUNDS {
            let (done, left) = self.round(&mut rotated, &mut progress).await?;
            if done == 0 && left == 0 {
                rotated.in_use = self.mark("left").await?;
                return Ok(rotated);
            }
        }
        rotated.in_use = self.mark("tell").await?;
        Ok(rotated)
    }

    /// Once through everything: how many were sealed, and how many had changed meanwhile.
    async fn round(
        &self,
        rotated: &mut Rotated,
        progress: &mut impl FnMut(u64),
    ) -> Result<(u64, u64), QueueError> {
        let (mut cursor, mut done, mut left) = ("0".to_owned(), 0, 0);
        rotated.broken = 0;
        loop {
            let (next, mut found) = self.payloads(&cursor).await?;
            found.retain(|found| !self.is_current(found));
            for found in found.chunks(PAYLOADS_A_CALL) {
                let (sealed, changed, broken) = self.reseal(found).await?;
                done += sealed;
                left += changed;
                rotated.resealed += sealed;
                rotated.broken += broken;
                progress(rotated.resealed);
            }
            if next == "0" {
                return Ok((done, left));
            }
            cursor = next;
        }
    }

    /// How many were sealed, how many had changed meanwhile, and how many cannot be opened.
    async fn reseal(&self, found: &[Found]) -> Result<(u64, u64, u64), QueueError> {
        let mut reading = redis::pipe();
        for (name, place, _) in found {
            let key = self.keys.of(&[name]);
            match (name.strip_prefix(CHANGE), place.as_str()) {
                (Some(id), hash) => reading.hget(self.keys.of(&[hash]), id),
                (None, "") => reading.get(key),
                (None, place) => reading.lindex(key, place.parse().unwrap_or_default()),
            };
        }
        let texts: Vec<Option<String>> = reading.query_async(&mut self.connection.clone()).await?;
        let (mut sealed, mut changed, mut broken) = (0, 0, 0);
        let mut call = self.scripts.reseal.prepare_invoke();
        for ((name, place, _), text) in found.iter().zip(texts) {
            let Some(text) = text else {
                changed += 1;
                continue;
            };
            match self.resealed(name, &text) {
                Ok(anew) => {
                    let was = sha1_smol::Sha1::from(&text).digest().to_string();
                    call.arg(name).arg(place).arg(was).arg(anew);
                }
                Err(QueueError::Sealed {
                    why: SealError::NoKey(_),
                    ..
                }) => changed += 1,
                Err(_) => broken += 1,
            }
        }
        let verdicts: String = self.run(&mut call).await?;
        for verdict in verdicts.chars() {
            match verdict {
                's' => sealed += 1,
                _ => changed += 1,
            }
        }
        Ok((sealed, changed, broken))
    }

    /// The text as it would be written now.
    fn resealed(&self, name: &str, text: &str) -> Result<String, QueueError> {
        match name.strip_prefix(CHANGE) {
            Some(change_id) => {
                let (_, record) = self.read(change_id, text)?;
                let (digits, _) = parts(change_id, text)?;
                let listed = record::listed(change_id, text)?;
                let json = self.written(
                    change_id,
                    record.xid.as_deref(),
                    &record.row,
                    listed.as_deref(),
                )?;
                Ok(format!("{digits}{json}"))
            }
            // An edit stands behind the time at which it was made.
            None if name.starts_with("edits:") => {
                let (at, edit) = text.split_once(' ').unwrap_or_default();
                Ok(format!(
                    "{at} {}",
                    self.seal(&[name], &self.open(&[name], edit)?)
                ))
            }
            None => Ok(self.seal(&[name], &self.open(&[name], text)?)),
        }
    }

    async fn payloads(&self, cursor: &str) -> Result<(String, Vec<Found>), QueueError> {
        let mut call = self.scripts.payloads.prepare_invoke();
        call.arg(cursor).arg(KEYS_A_STEP);
        self.run(&mut call).await
    }

    fn is_current(&self, (_, _, under): &Found) -> bool {
        let current = self.settings.seals.current();
        current.map_or("", |id| id.as_str()) == under
    }

    /// See `seals.lua`.
    async fn mark(&self, what: &str) -> Result<Vec<String>, QueueError> {
        let current = self.settings.seals.current();
        let mut call = self.scripts.seals.prepare_invoke();
        call.arg(what).arg(current.map_or("", |id| id.as_str()));
        self.run(&mut call).await
    }
}
