//! `[telemetry]`: where traces go.

use secrecy::SecretString;

use super::{
    key::{default, optional, unnamed_secret},
    section::section,
    url::BaseUrl,
};

section! {
    /// Traces, one a change from its fetch to its acknowledgement, as OpenTelemetry has them. They hold
    /// ids, never personal data or secrets.
    TelemetryConfig at "telemetry" {
        /// A collector that takes OTLP over HTTP; `/v1/traces` is added. Absent: no traces.
        otlp_url: Option<BaseUrl> = optional("http://127.0.0.1:4318"),
        /// Headers for the collector: `name=value`, several with commas between them.
        otlp_headers: Option<SecretString> = unnamed_secret(),
        /// Which share of the changes is traced, from 0 to 1. All processes choose the same changes.
        sample_ratio: f64 = default("1.0").within(0.0, 1.0),
    }
}
