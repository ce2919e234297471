//! What goes wrong on demand.

use std::collections::BTreeMap;

use jobs::destination::Vendor;
use serde::{Deserialize, Serialize};

/// One way in which a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Nothing: lets a scripted call through.
    None,
    /// 500, and nothing happened.
    ServerError,
    /// 503, and nothing happened.
    Unavailable,
    /// 429, Salsa's with its text.
    Throttle,
    /// 200 with Salsa's plain text about the call rate.
    ThrottleText,
    /// 504 with an HTML page.
    HtmlPage,
    /// 200 with an HTML page.
    HtmlInOk,
    /// The connection is reset before the call is handled.
    Reset,
    /// The connection is closed before the call is handled.
    Close,
    /// No answer for [`VendorFaults::hang_seconds`], then the connection is closed; never handled.
    Hang,
    /// The call is handled and the answer stops half-way.
    Truncate,
    /// The call is handled and the connection closed without an answer.
    Lost,
    /// CRM: 401, and the token is good no more.
    RevokeToken,
    /// [`VendorFaults::instead`], and nothing happened.
    Instead,
}

impl Fault {
    /// The wire name, also the `status` under which the report counts a call without an answer.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ServerError => "server_error",
            Self::Unavailable => "unavailable",
            Self::Throttle => "throttle",
            Self::ThrottleText => "throttle_text",
            Self::HtmlPage => "html_page",
            Self::HtmlInOk => "html_in_ok",
            Self::Reset => "reset",
            Self::Close => "close",
            Self::Hang => "hang",
            Self::Truncate => "truncate",
            Self::Lost => "lost",
            Self::RevokeToken => "revoke_token",
            Self::Instead => "instead",
        }
    }
}

/// The faults of all vendors. `PUT /_sandbox/faults` replaces them and starts their clocks anew.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// AlumnIQ's.
    pub alumniq: VendorFaults,
    /// The CRM's.
    pub crm: VendorFaults,
    /// Salsa's.
    pub salsa: VendorFaults,
}

/// The faults of one vendor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VendorFaults {
    /// How long every call takes, half before it is handled and half after, in milliseconds (0).
    pub latency_ms: u64,
    /// Up to so much longer, evenly spread, in milliseconds (0).
    pub jitter_ms: u64,
    /// Probability of each fault per call.
    pub rates: BTreeMap<Fault, f64>,
    /// Operations that the rates and `next` apply to, by the report's names; empty is all.
    pub operations: Vec<String>,
    /// Faults of the very next calls, in this order, before the rates apply.
    pub next: Vec<Fault>,
    /// When every call of the vendor meets one fault.
    pub outages: Vec<Outage>,
    /// How long a hanging call hangs, in seconds (30).
    pub hang_seconds: f64,
    /// `Retry-After` of injected 429 and 503, in seconds (none).
    pub retry_after: Option<u64>,
    /// CRM: the lifetime of tokens issued from now on, in seconds (as the options say).
    pub token_seconds: Option<u64>,
    /// What [`Fault::Instead`] answers.
    pub instead: Instead,
    /// Salsa: probability that a supporter in a PUT is answered SYSTEM_ERROR.
    pub system_error: f64,
    /// CRM: contacts (by StudentInstitutionId) on whom every update fails with 500.
    pub server_error_xids: Vec<String>,
    /// Salsa: supporters (by externalSystemId) always answered SYSTEM_ERROR.
    pub system_error_xids: Vec<String>,
    /// Salsa: supporters (by externalSystemId) always answered VALIDATION_ERROR.
    pub validation_error_xids: Vec<String>,
}

impl Default for VendorFaults {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            jitter_ms: 0,
            rates: BTreeMap::new(),
            operations: Vec::new(),
            next: Vec::new(),
            outages: Vec::new(),
            hang_seconds: 30.0,
            retry_after: None,
            token_seconds: None,
            instead: Instead::default(),
            system_error: 0.0,
            server_error_xids: Vec::new(),
            system_error_xids: Vec::new(),
            validation_error_xids: Vec::new(),
        }
    }
}

/// An answer in the vendor's stead: a gateway's, a firewall's, a page's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Instead {
    /// HTTP status (200).
    pub status: u16,
    /// `Content-Type` (`text/html`).
    pub content_type: String,
    /// The body (empty).
    pub body: String,
    /// The charset in which the body is sent, whatever the content type says (`utf-8`).
    pub charset: String,
}

impl Default for Instead {
    fn default() -> Self {
        Self {
            status: 200,
            content_type: "text/html".to_owned(),
            body: String::new(),
            charset: "utf-8".to_owned(),
        }
    }
}

/// A period in which every call of a vendor meets one fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// Seconds from when the faults were set.
    #[serde(default)]
    pub after_seconds: f64,
    /// How long, in seconds; absent is until the faults are set again.
    #[serde(default)]
    pub seconds: Option<f64>,
    /// What every call meets.
    pub fault: Fault,
}

impl Faults {
    /// Moderate trouble everywhere, and one outage of a few seconds of each destination: every
    /// change can still be applied. Salsa's throttling without `Retry-After` is left out: whoever
    /// meets it holds off for a minute, and a demo should not take minutes.
    pub fn demo() -> Self {
        let outage = |after_seconds, fault| Outage {
            after_seconds,
            seconds: Some(3.0),
            fault,
        };
        Self {
            alumniq: VendorFaults {
                latency_ms: 20,
                jitter_ms: 20,
                rates: BTreeMap::from([(Fault::ServerError, 0.05), (Fault::Lost, 0.05)]),
                ..VendorFaults::default()
            },
            crm: VendorFaults {
                latency_ms: 10,
                jitter_ms: 20,
                rates: BTreeMap::from([
                    (Fault::ServerError, 0.02),
                    (Fault::HtmlPage, 0.005),
                    (Fault::Reset, 0.01),
                    (Fault::Hang, 0.001),
                    (Fault::Lost, 0.01),
                    (Fault::RevokeToken, 0.005),
                ]),
                hang_seconds: 2.0,
                token_seconds: Some(5),
                outages: vec![outage(4.0, Fault::Unavailable)],
                ..VendorFaults::default()
            },
            salsa: VendorFaults {
                latency_ms: 20,
                jitter_ms: 30,
                rates: BTreeMap::from([
                    (Fault::ServerError, 0.02),
                    (Fault::Throttle, 0.01),
                    (Fault::HtmlInOk, 0.01),
                    (Fault::Lost, 0.02),
                    (Fault::Truncate, 0.01),
                ]),
                retry_after: Some(1),
                system_error: 0.005,
                outages: vec![outage(7.0, Fault::Close)],
                ..VendorFaults::default()
            },
        }
    }

    /// The faults of `vendor`, to change.
    pub fn vendor_mut(&mut self, vendor: Vendor) -> &mut VendorFaults {
        match vendor {
            Vendor::Alumniq => &mut self.alumniq,
            Vendor::Crm => &mut self.crm,
            Vendor::Salsa => &mut self.salsa,
        }
    }

    /// The faults of `vendor`.
    pub fn vendor(&self, vendor: Vendor) -> &VendorFaults {
        match vendor {
            Vendor::Alumniq => &self.alumniq,
            Vendor::Crm => &self.crm,
            Vendor::Salsa => &self.salsa,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_shape_of_faults_is_fixed() {
        let faults: Faults = serde_json::from_str(
            r#"{"crm":{"rates":{"lost":0.5},"outages":[{"seconds":3,"fault":"close"}]}}"#,
        )
        .unwrap();
        assert_eq!(faults.crm.rates[&Fault::Lost], 0.5);
        assert_eq!(faults.crm.outages[0].fault, Fault::Close);
        assert!(serde_json::from_str::<Faults>(r#"{"crn":{}}"#).is_err());
        let names = serde_json::to_value(Faults::demo()).unwrap();
        assert_eq!(names["salsa"]["rates"]["html_in_ok"], 0.01);
    }
}
