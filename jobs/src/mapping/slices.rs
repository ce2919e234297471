//! minijinja 3.1.0 leaves out what is sliced when it lists a template's variables: of `{{ postalCode[:5] }}` it
//! sees none. So the list is made from the template with its slices written as subscripts.

use std::iter::Peekable;

/// `source` with each slice `x[1:2]` as a subscript `x[1-0-2]`, for analysis only: it names the same variables
/// and means something else.
pub(super) fn as_subscripts(source: &str) -> String {
    let mut written = String::with_capacity(source.len());
    let mut chars = source.chars().peekable();
    // Which brackets are open; none in the text around the code.
    let mut open: Vec<char> = Vec::new();
    while let Some(c) = chars.next() {
        written.push(c);
        match (c, open.last()) {
            ('{', None) => match chars.peek() {
                Some('{' | '%') => {
                    written.extend(chars.next());
                    open.push('c');
                }
                Some('#') => comment(&mut chars, &mut written),
                _ => {}
            },
            (_, None) => {}
            ('}' | '%', Some('c')) if chars.peek() == Some(&'}') => {
                written.extend(chars.next());
                open.clear();
            }
            ('"' | '\'', _) => text(c, &mut chars, &mut written),
            ('[' | '{' | '(', _) => open.push(c),
            (']', Some('[')) | ('}', Some('{')) | (')', Some('(')) => drop(open.pop()),
            (':', Some('[')) => {
                written.pop();
                written.push_str("-0");
                while let Some(blank) = chars.next_if(|c| c.is_whitespace()) {
                    written.push(blank);
                }
                if !matches!(chars.peek(), Some(']' | ':')) {
                    written.push('-');
                }
            }
            _ => {}
        }
    }
    written
}

fn comment(chars: &mut Peekable<impl Iterator<Item = char>>, written: &mut String) {
    while let Some(c) = chars.next() {
        written.push(c);
        if c == '#' && chars.peek() == Some(&'}') {
            return;
        }
    }
}

fn text(quote: char, chars: &mut Peekable<impl Iterator<Item = char>>, written: &mut String) {
    while let Some(c) = chars.next() {
        written.push(c);
        match c {
            '\\' => written.extend(chars.next()),
            _ if c == quote => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slices_are_written_anew() {
        for (source, expected) in [
            ("{{ city[1:3] }}", "{{ city[1-0-3] }}"),
            ("{{ city[:5] }}", "{{ city[-0-5] }}"),
            ("{{ city[1:] }}", "{{ city[1-0] }}"),
            ("{{ city[::-1] }}", "{{ city[-0-0--1] }}"),
            ("{{ city[ : ] }}", "{{ city[ -0 ] }}"),
            ("{{ city[(x|f)[1:2]:] }}", "{{ city[(x|f)[1-0-2]-0] }}"),
            (
                "[a:b] {{ {'a': [1]} }} [a:b]",
                "[a:b] {{ {'a': [1]} }} [a:b]",
            ),
            (
                "{# city[1:2] #}{{ x['a:b'] }}",
                "{# city[1:2] #}{{ x['a:b'] }}",
            ),
            (r#"{{ x["\":"] }}"#, r#"{{ x["\":"] }}"#),
            ("{% if city[:1] %}{ [:] %}", "{% if city[-0-1] %}{ [:] %}"),
        ] {
            assert_eq!(as_subscripts(source), expected);
        }
    }
}
