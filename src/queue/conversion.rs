//! Layouts of earlier versions, brought to this program's in bounded steps.
//!
//! No version was released with another layout, so [`CONVERSIONS`] is empty: a namespace in any other is refused. The
//! first released change of the layout adds an entry here, and its script to `scripts/admin`.

use redis::Script;

use super::{
    Queue, QueueError,
    scripts::{QueueScript, ScriptPurpose, assemble},
};

/// How many keys or fields one step looks at.
const A_STEP: u32 = 500;

/// How a namespace gets from one version of the layout to the next.
pub(super) struct Conversion {
    /// The older version.
    pub from: &'static str,
    /// The newer one.
    pub to: &'static str,
    /// The text of a script that does one step. ARGV: cursor ('0' begins), how many keys or fields to look at. Returns the
    /// next cursor ('0' = done). A step that is repeated changes nothing more: whoever converts may be killed.
    pub step: &'static str,
}

/// All of them, oldest first.
pub(super) const CONVERSIONS: &[Conversion] = &[];

impl Queue {
    /// Converts the namespace as far as `conversions` lead from the version `found`. Returns a process that still works on
    /// it in its older layout: then nothing was done.
    ///
    /// # Errors
    /// Redis does not answer. Calling again goes on.
    pub(super) async fn convert(
        &self,
        mut found: String,
        conversions: &[Conversion],
    ) -> Result<Option<String>, QueueError> {
        while let Some(conversion) = conversions.iter().find(|one| one.begins_at(&found)) {
            if let Some(worker) = self.mark_conversion("begin", conversion).await? {
                return Ok(Some(worker));
            }
            let text = assemble(ScriptPurpose::CarriesOn, conversion.step);
            let script = QueueScript::new(ScriptPurpose::CarriesOn, Script::new(&text));
            let mut cursor = "0".to_owned();
            loop {
                let mut call = script.prepare_invoke();
                call.arg(&cursor).arg(A_STEP);
                cursor = self.run_unadmitted(&mut call).await?;
                if cursor == "0" {
                    break;
                }
            }
            self.mark_conversion("end", conversion).await?;
            tracing::info!(
                from = conversion.from,
                to = conversion.to,
                "converted the namespace to this version's layout"
            );
            conversion.to.clone_into(&mut found);
        }
        Ok(None)
    }

    /// Begins or ends a conversion; answers with a process that works on the namespace, if one does.
    async fn mark_conversion(
        &self,
        what: &str,
        conversion: &Conversion,
    ) -> Result<Option<String>, QueueError> {
        let mut call = self.scripts.convert.prepare_invoke();
        call.arg(what).arg(conversion.from).arg(conversion.to);
        let worker: String = self.run_unadmitted(&mut call).await?;
        Ok(Some(worker).filter(|worker| !worker.is_empty()))
    }
}

impl Conversion {
    /// Whether it leads on from this version, or was broken off in it.
    fn begins_at(&self, found: &str) -> bool {
        found == self.from || found.split_once('>') == Some((self.from, self.to))
    }
}

#[cfg(test)]
mod tests;
