//! Files and variables of TLS, and those that name proxies: what cannot be used is refused here, and not when the
//! first connection fails.

use std::path::{Path, PathBuf};

use transport::{ClientIdentity, PemError, Proxy, Roots};

use super::{finding::ConfigFinding, reader::Reader, redis::RedisConfig, url::BaseUrl};

/// A path in the configuration starts at the config file's folder.
pub(super) fn resolve(reader: &Reader, path: &mut Option<PathBuf>) {
    if let Some(path) = path {
        *path = resolved(reader, path);
    }
}

/// The same of a path that is always there.
pub(super) fn resolved(reader: &Reader, path: &Path) -> PathBuf {
    let folder = match reader.folder == Path::new(".") {
        true => Path::new(""),
        false => &reader.folder,
    };
    folder.join(path)
}

/// The certificate authority of a server, in the file that `key` names.
pub(super) fn authority(reader: &mut Reader, key: &str, path: &mut Option<PathBuf>) {
    resolve(reader, path);
    // Where the mapping is tested, the files are elsewhere.
    if let (Some(path), true) = (&*path, reader.needs_secrets)
        && let Err(error) = Roots::of_file(path)
    {
        refuse(reader, key, &error);
    }
}

/// The connection to the vendor of a section.
pub(super) fn vendor(
    reader: &mut Reader,
    section: &str,
    address: &BaseUrl,
    ca_file: &mut Option<PathBuf>,
) {
    let (url, file) = (format!("{section}.url"), format!("{section}.ca_file"));
    authority(reader, &file, ca_file);
    if ca_file.is_some() && address.as_str().starts_with("http://") {
        reader.caution(
            &file,
            &format!("has no effect: `{url}` begins with http://"),
            format!("write https:// in `{url}`, or remove `{file}`"),
        );
    }
    if address.is_unencrypted() {
        reader.caution(
            &url,
            "sends secrets and personal data over the network unencrypted",
            "use https://",
        );
    }
}

/// The files of `[redis]`, and whether its servers speak TLS at all.
pub(super) fn redis(reader: &mut Reader, config: &mut RedisConfig) {
    authority(reader, "redis.ca_file", &mut config.ca_file);
    resolve(reader, &mut config.cert_file);
    resolve(reader, &mut config.key_file);
    let files = [
        ("redis.ca_file", config.ca_file.is_some()),
        ("redis.cert_file", config.cert_file.is_some()),
        ("redis.key_file", config.key_file.is_some()),
    ];
    for (key, _) in files
        .iter()
        .filter(|(_, is_set)| *is_set && !config.speaks_tls())
    {
        reader.refuse(
            key,
            "is for TLS, but `redis.url` does not begin with rediss://",
            format!("write rediss:// in `redis.url`, or remove `{key}`"),
        );
    }
    match (&config.cert_file, &config.key_file) {
        (Some(certificate), Some(key)) if reader.needs_secrets => {
            if let Err(error) = ClientIdentity::read(certificate, key) {
                let blamed = match error.path() == certificate {
                    true => "redis.cert_file",
                    false => "redis.key_file",
                };
                refuse(reader, blamed, &error);
            }
        }
        (Some(_), None) => alone(reader, "redis.cert_file", "redis.key_file"),
        (None, Some(_)) => alone(reader, "redis.key_file", "redis.cert_file"),
        _ => {}
    }
}

fn alone(reader: &mut Reader, set: &str, missing: &str) {
    reader.refuse(
        set,
        &format!("is of no use without `{missing}`"),
        "a client certificate needs its private key: set both, or neither",
    );
}

fn refuse(reader: &mut Reader, key: &str, error: &PemError) {
    reader.refuse(
        key,
        &format!("names a file that cannot be used: {error}"),
        "name a PEM file (it has lines like -----BEGIN CERTIFICATE-----) that this user can read; a relative path \
         starts at the config file's folder",
    );
}

/// The environment's part in it.
pub(super) fn variables(reader: &mut Reader) {
    if !reader.needs_secrets {
        return;
    }
    let text = |name: &str| reader.variables.get(name);
    let trust = Roots::check_variables(|name| text(name).map(String::as_str))
        .map_err(|error| (error.to_string(), error.advice()));
    let proxies = Proxy::check_variables(|name| text(name).cloned())
        .map_err(|error| (error.to_string(), error.advice()));
    for (what, todo) in [trust, proxies].into_iter().filter_map(Result::err) {
        reader.problem(ConfigFinding::error(what).help(todo));
    }
}
