//! `[crm]` and `[crm.matching]`: the university's CRM (QS).

use std::{collections::BTreeMap, time::Duration};

use secrecy::SecretString;

use super::{
    key::{default, optional, required, secret, section, table},
    limits::Limits,
    setting::words,
    url::BaseUrl,
};

section! {
    /// The CRM (QS).
    CrmConfig at "crm" {
        /// Whether changes go to the CRM.
        enabled: bool = default("true"),
        /// The API's base address.
        url: BaseUrl = required("https://crm.example.edu/crms/api"),
        /// "password": fetch a token with username and password; "bearer": `password` is a ready-made
        /// token; "none": a gateway in between authenticates.
        auth: CrmAuth = default("password"),
        /// The API user.
        username: Option<SecretString> = secret("CRM_USERNAME"),
        /// The API user's password, or the token when `auth = "bearer"`.
        password: Option<SecretString> = secret("CRM_PASSWORD"),
        /// "update" changes people whom the CRM knows; "upsert" also adds those it does not know.
        operation: CrmOperation = default("update"),
        /// The form in which country fields are sent: "alpha2", "alpha3" or "name".
        country_codes: CountryCodes = default("alpha3"),
        /// Calls at the same time, over all processes.
        concurrency: u32 = default("32").within(1.0, 10_000.0),
        /// Calls a minute, over all processes. Absent: no limit.
        rate_per_minute: Option<u32> = optional("600").within(1.0, 1_000_000.0),
        /// How long one call may take.
        timeout: Duration = default("30s").within(1.0, 600.0),
        /// Attempts before a change is a dead letter.
        max_attempts: u32 = default("10").within(1.0, 1_000.0),
        /// Field of the CRM's ContactUpsertDto -> template over the row's fields. An entry replaces the
        /// default one of the same field; `false` switches a default entry off.
        map: BTreeMap<String, toml::Value> = table(
            "PhoneWork = \"{{ phone }}\"\nEmailAddress2 = \"{{ email }}\"\nContactNoteContent = false",
        ),
        =>
        /// How the CRM finds the person.
        matching: CrmMatching,
    }
}

section! {
    /// How the CRM finds the person: the three URI parameters. A tie goes to the highest CrmNumber, so
    /// a loose setting can update the wrong person.
    CrmMatching at "crm.matching" {
        /// Whether the CRM matches people by similarity.
        enabled: bool = default("true"),
        /// The least score of a confirmed match, 0 to 100.
        min_confirmed_score: u32 = default("82").within(0.0, 100.0),
        /// The least similarity of names, 0 to 1.
        min_name_similarity: f64 = default("0.4").within(0.0, 1.0),
    }
}

words! {
    /// How the CRM knows us.
    CrmAuth {
        /// By a token that username and password are exchanged for.
        Password = "password",
        /// By a ready-made token.
        Bearer = "bearer",
        /// Not at all.
        None = "none",
    }
}

words! {
    /// Which of the CRM's two processes is called.
    CrmOperation {
        /// `processes/updatecontact`
        Update = "update",
        /// `processes/upsertcontact`
        Upsert = "upsert",
    }
}

words! {
    /// The form of country fields.
    CountryCodes {
        /// ISO 3166-1, e.g. `US`.
        Alpha2 = "alpha2",
        /// ISO 3166-1, e.g. `USA`.
        Alpha3 = "alpha3",
        /// The English name.
        Name = "name",
    }
}

/// What to show the CRM.
#[derive(Debug, Clone)]
pub enum CrmCredentials {
    /// Exchanged for a token.
    Password {
        /// The API user.
        username: SecretString,
        /// And its password.
        password: SecretString,
    },
    /// Sent as it is.
    Bearer {
        /// The token.
        token: SecretString,
    },
    /// Nothing.
    None,
}

impl CrmConfig {
    /// What to show the CRM; `None` when a secret that `auth` needs is not set, which no loaded
    /// configuration lacks.
    pub fn credentials(&self) -> Option<CrmCredentials> {
        match self.auth {
            CrmAuth::Password => Some(CrmCredentials::Password {
                username: self.username.clone()?,
                password: self.password.clone()?,
            }),
            CrmAuth::Bearer => Some(CrmCredentials::Bearer {
                token: self.password.clone()?,
            }),
            CrmAuth::None => Some(CrmCredentials::None),
        }
    }

    /// The destination's limits.
    pub fn limits(&self) -> Limits {
        Limits {
            concurrency: self.concurrency,
            rate_per_minute: self.rate_per_minute,
            timeout: self.timeout,
            max_attempts: self.max_attempts,
        }
    }
}
