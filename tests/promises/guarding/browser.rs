//! A browser as far as the guards see it: it keeps the cookie that it is given, and sends what it is told to.

use std::net::SocketAddr;

use reqwest::{Client, Method, RequestBuilder, header::HeaderMap, redirect::Policy};
use serde_json::Value;

/// An answer, read to its end.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// A header's text, empty where there is none.
    pub fn header(&self, name: &str) -> String {
        let values = self.headers.get_all(name).iter();
        let texts = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        texts.collect::<Vec<_>>().join(" AND ")
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// What the secret field of its first form holds.
    #[track_caller]
    pub fn csrf(&self) -> String {
        let (_, rest) = self.body.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

#[derive(Clone)]
pub struct Browser {
    client: Client,
    base: String,
    /// `name=value`, as it would be sent.
    pub cookie: Option<String>,
    headers: Vec<(String, Vec<u8>)>,
}

impl Browser {
    pub fn at(address: SocketAddr) -> Self {
        // The client wants one although nothing here is encrypted; a second installation is refused.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .build();
        Self {
            client: client.unwrap(),
            base: format!("http://{address}"),
            cookie: None,
            headers: Vec::new(),
        }
    }

    /// The same that sends this header, too.
    pub fn with(&self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let mut browser = self.clone();
        browser
            .headers
            .push((name.to_owned(), value.as_ref().to_vec()));
        browser
    }

    pub fn bearer(&self, token: &str) -> Self {
        self.with("authorization", format!("Bearer {token}"))
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, Vec::new()).await
    }

    /// Sends a form.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let kind = "application/x-www-form-urlencoded";
        self.send(Method::POST, path, Some(kind), body.into()).await
    }

    /// Sends JSON.
    pub async fn json(&self, method: Method, path: &str, body: &Value) -> Answer {
        let body = body.to_string().into();
        self.send(method, path, Some("application/json"), body)
            .await
    }

    /// Asks for a page that has no end, and leaves it again.
    pub async fn peek(&self, path: &str) -> u16 {
        let answer = self.request(Method::GET, path).send().await;
        answer.unwrap().status().as_u16()
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        kind: Option<&str>,
        body: Vec<u8>,
    ) -> Answer {
        let mut request = self.request(method, path);
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let answer = request.body(body).send().await.unwrap();
        Answer {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: answer.text().await.unwrap(),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        for (name, value) in &self.headers {
            request = request.header(name, value.as_slice());
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        request
    }

    /// Logs in, and keeps the cookie where it is given one.
    pub async fn log_in(&mut self, token: &str, name: &str) -> Answer {
        let answer = self
            .post("/login", &[("token", token), ("name", name)])
            .await;
        if let Some(cookie) = answer.headers.get("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            self.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        }
        answer
    }

    /// Whether its session is good.
    pub async fn is_in(&self) -> bool {
        let answer = self.get("/").await;
        assert!(matches!(answer.status, 200 | 303), "{}", answer.status);
        assert_eq!(
            answer.status == 303,
            answer.header("location").starts_with("/login")
        );
        answer.status == 200
    }

    /// The secret of its forms.
    pub async fn csrf(&self) -> String {
        self.get("/").await.csrf()
    }
}
