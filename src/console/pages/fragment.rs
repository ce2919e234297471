//! A part of a page that is sent anew when it has changed.

use std::hash::{DefaultHasher, Hash, Hasher};

use maud::{Markup, PreEscaped, Render, html};

/// One part. Its element stays on the page; what is in it is replaced.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// Its id, one a page.
    pub id: &'static str,
    /// `section`, `h1`, `div`.
    pub tag: &'static str,
    /// Its classes.
    pub class: &'static str,
    /// The id of its heading, or how it is called.
    pub label: Option<&'static str>,
    /// Whether it is read out when it changes.
    pub spoken: bool,
    /// What is in it.
    pub inner: Markup,
}

impl Fragment {
    /// A section.
    pub fn section(
        id: &'static str,
        class: &'static str,
        label: &'static str,
        inner: Markup,
    ) -> Self {
        Self {
            id,
            tag: "section",
            class,
            label: Some(label),
            spoken: false,
            inner,
        }
    }

    /// Equal for equal content. What counts up or down by itself does not change it.
    pub fn version(&self) -> String {
        let mut hasher = DefaultHasher::new();
        let mut rest = self.inner.0.as_str();
        while let Some((before, from)) = rest.split_once(" data-left=\"") {
            before.hash(&mut hasher);
            rest = from.split_once("</time>").map_or("", |(_, after)| after);
        }
        rest.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }
}

impl Render for Fragment {
    fn render(&self) -> Markup {
        let label = self
            .label
            .map(|label| format!(" aria-label=\"{label}\""))
            .unwrap_or_default();
        let spoken = if self.spoken {
            " aria-live=\"polite\""
        } else {
            ""
        };
        // All of it is ours: tag, id, class and label are constants.
        let open = format!(
            "<{} id=\"{}\" class=\"{}\"{label}{spoken} data-version=\"{}\">",
            self.tag,
            self.id,
            self.class,
            self.version(),
        );
        html! {
            (PreEscaped(open)) (self.inner) (PreEscaped(format!("</{}>", self.tag)))
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::console::pages::text::countdown;

    fn of(inner: Markup) -> String {
        Fragment::section("x", "", "X", inner).version()
    }

    #[test]
    fn a_countdown_that_runs_on_is_no_change_and_a_new_end_is_one() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let shown =
            |left: f64, now| of(html! { "again in " (countdown(left, now)) " · dead " (7) });
        assert_eq!(shown(42.0, at(100)), shown(40.0, at(102)));
        assert_ne!(shown(42.0, at(100)), shown(42.0, at(102)));
        assert_ne!(of(html! { "dead " (7) }), of(html! { "dead " (8) }));
    }
}
