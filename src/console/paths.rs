//! Where one logs in and out, and which page one comes back to.

/// Where one logs in.
pub const LOGIN: &str = "/login";

/// Where one logs out.
pub const LOGOUT: &str = "/logout";

/// Where one comes to where nothing else was wanted.
pub const HOME: &str = "/";

/// A longer address is not come back to.
const LONGEST_WANTED: usize = 512;

/// The login's address for somebody who wanted `path`.
pub fn address(path: &str) -> String {
    match own(path) {
        None | Some(HOME) => LOGIN.to_owned(),
        Some(path) => {
            let next = form_urlencoded::Serializer::new(String::new())
                .append_pair("next", path)
                .finish();
            format!("{LOGIN}?{next}")
        }
    }
}

/// `path` if it leads to one of our own pages and nowhere else.
pub fn own(path: &str) -> Option<&str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "/-._~%?&=:+,@".contains(c);
    let is_ours = path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= LONGEST_WANTED
        && path.chars().all(fits)
        && !path.starts_with(LOGIN)
        && !path.starts_with(LOGOUT);
    is_ours.then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_away_from_the_console() {
        for path in [
            "/",
            "/dead-letters?class=mapping&cause=ab12",
            "/people/x%2F1",
            "/changes/41",
        ] {
            assert_eq!(own(path), Some(path));
        }
        for path in [
            "",
            "dead-letters",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nb",
            "/\u{e9}",
            "/<script>",
            "/login?next=/login",
            "/logout",
            "javascript:alert(1)",
            "/a b",
            "/\"x",
        ] {
            assert_eq!(own(path), None, "{path}");
        }
        assert_eq!(own(&format!("/{}", "a".repeat(600))), None);
    }

    #[test]
    fn the_way_to_the_login_remembers_what_was_wanted() {
        assert_eq!(address("/"), "/login");
        assert_eq!(address("//evil.example"), "/login");
        assert_eq!(
            address("/dead-letters?class=mapping"),
            "/login?next=%2Fdead-letters%3Fclass%3Dmapping"
        );
    }
}
