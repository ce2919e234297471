//! The vendors over real HTTP, as a client meets them.

mod admin;
mod alumniq;
mod core;
mod crm;
mod faults;
mod promises;
mod robust;
mod salsa;

use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

use super::*;

/// A sandbox and a client.
struct Fixture {
    sandbox: Sandbox,
    client: Client,
}

fn small() -> SandboxOptions {
    SandboxOptions {
        changes: 40,
        people: 10,
        days: 3,
        until: Some(jiff::civil::date(2025, 11, 20)),
        ..SandboxOptions::default()
    }
}

async fn start(options: SandboxOptions) -> Fixture {
    // Another test may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Fixture {
        sandbox: Sandbox::start(options).await.unwrap(),
        client: Client::builder().no_proxy().build().unwrap(),
    }
}

impl Fixture {
    fn admin(&self, path: &str) -> String {
        format!("http://{}/_sandbox/{path}", self.sandbox.addr())
    }

    fn feed_url(&self) -> String {
        format!("{}/sync/address-change/work", self.sandbox.urls().alumniq)
    }

    fn get(&self, filter: &[(&str, &str)]) -> RequestBuilder {
        let query = [filter, &[("apikey", SANDBOX_API_KEY)]].concat();
        self.client.get(self.feed_url()).query(&query)
    }

    async fn rows(&self, filter: &[(&str, &str)]) -> Vec<Value> {
        json_of(self.get(filter)).await.as_array().unwrap().clone()
    }

    async fn all_rows(&self) -> Vec<Value> {
        self.rows(&[("changedSinceDate", "2025-01-01")]).await
    }

    async fn acknowledge(&self, ids: &[String]) -> u16 {
        let list = ids.join(",");
        let form = [("apikey", SANDBOX_API_KEY), ("changeIdList", list.as_str())];
        status(self.client.put(self.feed_url()).form(&form)).await
    }

    async fn token(&self) -> String {
        let form = [
            ("grant_type", "password"),
            ("username", SANDBOX_USERNAME),
            ("password", SANDBOX_PASSWORD),
        ];
        let url = format!("{}/token", self.sandbox.urls().crm);
        let granted = json_of(self.client.post(url).form(&form)).await;
        granted["access_token"].as_str().unwrap().to_owned()
    }

    fn contact(&self, operation: &str, token: &str, body: &Value) -> RequestBuilder {
        let url = format!("{}/processes/{operation}", self.sandbox.urls().crm);
        self.client.post(url).bearer_auth(token).json(body)
    }

    fn salsa(&self, method: &str, path: &str, payload: &Value) -> RequestBuilder {
        let url = format!(
            "{}/api/integration/ext/v1/{path}",
            self.sandbox.urls().salsa
        );
        self.client
            .request(method.parse().unwrap(), url)
            .header("authToken", SANDBOX_TOKEN)
            .json(&json!({ "header": { "refId": "r" }, "payload": payload }))
    }

    async fn search(&self, kind: &str, identifiers: &[&str]) -> Vec<Value> {
        let payload = json!({ "identifiers": identifiers, "identifierType": kind });
        supporters(self.salsa("POST", "supporters/search", &payload)).await
    }

    async fn put(&self, sent: &[Value]) -> Vec<Value> {
        supporters(self.salsa("PUT", "supporters", &json!({ "supporters": sent }))).await
    }

    /// Applies a row to both destinations as the relay would by default.
    async fn apply(&self, token: &str, row: &Value) {
        let xid = text(&row["xid"]);
        let note = format!(
            "changeId {}: {}",
            text(&row["changeId"]),
            text(&row["jobTitle"])
        );
        let document = json!({ "StudentInstitutionId": xid, "ContactNoteContent": note });
        assert_eq!(
            status(self.contact("updatecontact", token, &document)).await,
            200
        );
        let mut supporter = self.search("EXTERNAL_ID", &[&xid]).await.remove(0);
        supporter["customFieldValues"] = json!([{ "name": "Job Title", "value": row["jobTitle"] }]);
        for contact in supporter["contacts"].as_array_mut().unwrap() {
            contact.as_object_mut().unwrap().remove("status");
        }
        assert_eq!(self.put(&[supporter]).await[0]["result"], "UPDATED");
    }
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

async fn json_of(request: RequestBuilder) -> Value {
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

async fn supporters(request: RequestBuilder) -> Vec<Value> {
    let answer = json_of(request).await;
    assert_eq!(answer["header"]["refId"], "r");
    answer["payload"]["supporters"].as_array().unwrap().clone()
}

async fn refused(request: RequestBuilder) -> (u16, String) {
    let answer: Response = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn ids(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| text(&row["changeId"])).collect()
}
