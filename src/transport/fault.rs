//! The one table of TLS errors: what each means, and what to do.

use std::{error::Error, io};

use rustls::{
    AlertDescription, CertificateError, Error as TlsError, InvalidMessage, PeerIncompatible,
};

use super::error_chain::causes;

/// Why a TLS connection did not come about. The libraries' own words are for cryptographers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFault {
    /// The other side speaks something else.
    NotTls,
    /// The other side closed the connection during the handshake.
    Closed,
    /// The authority that signed the server's certificate is not trusted.
    UnknownIssuer,
    /// The server shows the certificate of an authority as its own.
    CaAsServer,
    /// The server's certificate has expired.
    Expired,
    /// The server's certificate is not valid yet.
    NotValidYet,
    /// The server's certificate is for another name.
    WrongName,
    /// The server's certificate has another defect.
    BadCertificate,
    /// The server demands a client certificate, and got none.
    WantsClientCertificate,
    /// The server does not accept the client certificate.
    RefusesClientCertificate,
    /// The server speaks no version of TLS that is still safe.
    NoCommonVersion,
    /// The server ends the handshake without saying why.
    Refused,
}

impl TlsFault {
    /// The fault behind an error, however deep; `None` when TLS is not to blame.
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        causes(error).find_map(|cause| {
            if let Some(error) = cause.downcast_ref::<TlsError>() {
                return Some(Self::of_tls(error));
            }
            let io = cause.downcast_ref::<io::Error>()?;
            Self::of_text(&io.to_string())
        })
    }

    /// Of an error that is text alone: so tokio-rustls reports a closed connection, and HTTP/2 every error of reading.
    fn of_text(text: &str) -> Option<Self> {
        let is_alert =
            |alert: &&AlertDescription| TlsError::AlertReceived(**alert).to_string() == text;
        match text {
            HANDSHAKE_EOF => Some(Self::Closed),
            _ => ABOUT_CLIENT_CERTIFICATE
                .iter()
                .find(is_alert)
                .map(|alert| Self::of_alert(*alert)),
        }
    }

    fn of_tls(error: &TlsError) -> Self {
        match error {
            TlsError::InvalidMessage(InvalidMessage::InvalidContentType) => Self::NotTls,
            TlsError::InvalidCertificate(error) => Self::of_certificate(error),
            TlsError::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ) => Self::NoCommonVersion,
            TlsError::AlertReceived(alert) => Self::of_alert(*alert),
            _ => Self::Refused,
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotValidYet
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::WrongName
            }
            // rustls passes the verifier's error on as it is.
            CertificateError::Other(other) if other.0.to_string() == CA_AS_SERVER => {
                Self::CaAsServer
            }
            _ => Self::BadCertificate,
        }
    }

    /// What the server says about us.
    fn of_alert(alert: AlertDescription) -> Self {
        match alert {
            AlertDescription::CertificateRequired => Self::WantsClientCertificate,
            alert if ABOUT_CLIENT_CERTIFICATE.contains(&alert) => Self::RefusesClientCertificate,
            AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity => {
                Self::NoCommonVersion
            }
            AlertDescription::UnrecognisedName => Self::WrongName,
            _ => Self::Refused,
        }
    }

    /// What it means, as a clause.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::NotTls => "the server does not speak TLS on this port",
            Self::Closed => "the server closed the connection during the TLS handshake",
            Self::UnknownIssuer => {
                "the server's certificate is signed by an authority that this program does not trust"
            }
            Self::CaAsServer => {
                "the server presents the certificate of a certificate authority as its own"
            }
            Self::Expired => "the server's certificate has expired",
            Self::NotValidYet => "the server's certificate is not valid yet",
            Self::WrongName => "the server's certificate is for another host name",
            Self::BadCertificate => "the server's certificate cannot be used",
            Self::WantsClientCertificate => "the server requires a client certificate",
            Self::RefusesClientCertificate => "the server does not accept the client certificate",
            Self::NoCommonVersion => "the server offers neither TLS 1.2 nor TLS 1.3",
            Self::Refused => "the TLS handshake failed",
        }
    }

    /// What to do. `url`: the key of the server's address. `ca_file`: the key of its authority, where it has one.
    /// `identity`: the keys of the client certificate, where one can be set.
    pub fn advice(self, url: &str, ca_file: Option<&str>, identity: Option<&str>) -> String {
        match self {
            Self::NotTls | Self::Closed => {
                format!("check the scheme and the port in `{url}`, and that a server with TLS listens there")
            }
            Self::UnknownIssuer => match ca_file {
                Some(ca_file) => format!(
                    "set `{ca_file}` to a PEM file with the certificate of the authority, or add that to this machine's \
                     certificate store or to `SSL_CERT_FILE`; a server must also send its intermediate certificates"
                ),
                None => "add the certificate of the authority to this machine's certificate store or to \
                         `SSL_CERT_FILE`; a server must also send its intermediate certificates"
                    .to_owned(),
            },
            Self::CaAsServer => "give the server a certificate of its own, signed by that authority".to_owned(),
            Self::Expired => "renew the server's certificate, and check this machine's clock".to_owned(),
            Self::NotValidYet => "check this machine's clock and the server's certificate".to_owned(),
            Self::WrongName => {
                format!("write in `{url}` the host name for which the certificate is, or have the server's certificate changed")
            }
            Self::BadCertificate => "have the server's certificate replaced".to_owned(),
            Self::WantsClientCertificate | Self::RefusesClientCertificate => match identity {
                Some(keys) => format!("set {keys} to a certificate that the server accepts"),
                None => "this program shows this server no client certificate: have the server accept its calls without \
                         one, or call it through a gateway that presents one"
                    .to_owned(),
            },
            Self::NoCommonVersion => "have TLS 1.2 or TLS 1.3 enabled on the server".to_owned(),
            Self::Refused => {
                format!("check `{url}`; a server may also refuse so when it requires a client certificate, see its log")
            }
        }
    }

    /// Whether the server ended the connection before it read anything of a request: a TLS 1.3 client has sent its
    /// request already when it learns this.
    pub const fn precedes_request(self) -> bool {
        matches!(
            self,
            Self::WantsClientCertificate | Self::RefusesClientCertificate
        )
    }
}

/// What a server says of a client's certificate. After the handshake of TLS 1.3, as the client sees it.
const ABOUT_CLIENT_CERTIFICATE: [AlertDescription; 9] = [
    AlertDescription::CertificateRequired,
    AlertDescription::UnknownCA,
    AlertDescription::BadCertificate,
    AlertDescription::UnsupportedCertificate,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateUnknown,
    AlertDescription::AccessDenied,
    // The authority that signed it has the name of the server's own, and another key.
    AlertDescription::DecryptError,
];

/// The words of tokio-rustls.
const HANDSHAKE_EOF: &str = "tls handshake eof";

/// The name of the verifier's error, which is its text.
const CA_AS_SERVER: &str = "CaUsedAsEndEntity";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::OtherError;

    use super::*;

    #[test]
    fn an_error_is_found_however_the_libraries_wrap_it() {
        let error = || TlsError::InvalidCertificate(CertificateError::UnknownIssuer);
        let io = || io::Error::new(io::ErrorKind::InvalidData, error());
        let twice = io::Error::other(io());
        let shared: Arc<dyn Error + Send + Sync> = Arc::new(io());
        for error in [&error() as &(dyn Error + 'static), &io(), &twice, &shared] {
            assert_eq!(TlsFault::of(error), Some(TlsFault::UnknownIssuer));
        }
        let other = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(TlsFault::of(&other), None);
    }

    #[test]
    fn every_error_has_its_meaning() {
        let certificate = TlsError::InvalidCertificate;
        let alert = TlsError::AlertReceived;
        for (error, fault) in [
            (
                TlsError::InvalidMessage(InvalidMessage::InvalidContentType),
                TlsFault::NotTls,
            ),
            (certificate(CertificateError::Expired), TlsFault::Expired),
            (
                certificate(CertificateError::NotValidYet),
                TlsFault::NotValidYet,
            ),
            (
                certificate(CertificateError::NotValidForName),
                TlsFault::WrongName,
            ),
            (
                certificate(CertificateError::Revoked),
                TlsFault::BadCertificate,
            ),
            (
                certificate(CertificateError::Other(OtherError(Arc::new(
                    io::Error::other(CA_AS_SERVER),
                )))),
                TlsFault::CaAsServer,
            ),
            (
                alert(AlertDescription::CertificateRequired),
                TlsFault::WantsClientCertificate,
            ),
            (
                alert(AlertDescription::UnknownCA),
                TlsFault::RefusesClientCertificate,
            ),
            (
                alert(AlertDescription::ProtocolVersion),
                TlsFault::NoCommonVersion,
            ),
            (alert(AlertDescription::HandshakeFailure), TlsFault::Refused),
            (TlsError::DecryptError, TlsFault::Refused),
        ] {
            assert_eq!(TlsFault::of(&error), Some(fault), "{error}");
        }
        let alert = "received fatal alert: CertificateRequired";
        let text = io::Error::other(alert);
        assert_eq!(TlsFault::of(&text), Some(TlsFault::WantsClientCertificate));
        let eof = io::Error::new(io::ErrorKind::UnexpectedEof, HANDSHAKE_EOF);
        assert_eq!(TlsFault::of(&eof), Some(TlsFault::Closed));
    }

    #[test]
    fn the_advice_names_the_keys_that_can_be_set() {
        let advice = TlsFault::UnknownIssuer.advice("crm.url", Some("crm.ca_file"), None);
        assert!(advice.contains("`crm.ca_file`"));
        let advice = TlsFault::UnknownIssuer.advice("notify.webhook_url", None, None);
        assert!(advice.contains("SSL_CERT_FILE") && !advice.contains("ca_file"));
        let keys = "`redis.cert_file` and `redis.key_file`";
        let advice = TlsFault::WantsClientCertificate.advice("redis.url", None, Some(keys));
        assert!(advice.contains(keys));
    }
}
