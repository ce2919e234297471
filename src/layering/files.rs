//! The files of a crate and what each imports from the others, read from their text.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The names of a path or of a module: `["vendors", "http"]`.
pub type Names = Vec<String>;

/// A file without its tests.
pub struct File {
    pub path: PathBuf,
    /// Without comments.
    pub code: String,
    /// What the paths in it that begin with `crate` or `super` name, from the crate's root.
    pub named: BTreeSet<Names>,
    /// What its `use` statements give a name in it.
    aliases: BTreeMap<String, Names>,
}

/// The files of a crate by their module.
pub struct CrateFiles(pub BTreeMap<Names, File>);

impl CrateFiles {
    /// All below `root` but tests and other crates.
    pub fn below(root: &Path) -> Self {
        let mut paths = Vec::new();
        walk(root, &mut paths);
        Self::of(paths.into_iter().map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path.strip_prefix(root).unwrap().to_owned(), text)
        }))
    }

    /// By their paths from the crate's root.
    fn of(texts: impl IntoIterator<Item = (PathBuf, String)>) -> Self {
        let files = texts.into_iter().map(|(path, text)| {
            let module = module(&path);
            let file = File::of(path, &text, &module);
            (module, file)
        });
        Self(files.collect())
    }

    /// Which files this one uses, its ancestors and descendants left out: a parent names its children, and children may
    /// use what their parent defines.
    pub fn used_by(&self, module: &Names) -> BTreeSet<&Names> {
        let named = self.0[module].named.iter();
        named
            .filter_map(|path| self.defining(path))
            .filter(|used| !used.starts_with(module) && !module.starts_with(used))
            .collect()
    }

    /// The file in which a path ends, re-exports followed.
    fn defining(&self, path: &[String]) -> Option<&Names> {
        let ends = (0..=path.len()).rev();
        let (end, module) = ends
            .filter_map(|end| Some((end, self.0.get_key_value(&path[..end])?.0)))
            .next()?;
        let alias = path
            .get(end)
            .and_then(|name| self.0[module].aliases.get(name));
        match alias {
            // An alias of something in another crate may lead to its own name.
            Some(alias) if !alias.starts_with(&path[..=end]) => {
                self.defining(&[alias, &path[end + 1..]].concat())
            }
            _ => Some(module),
        }
    }

    /// A circle of files that use each other, if there is one.
    pub fn circle(&self) -> Option<Vec<&Names>> {
        let mut finished = BTreeSet::new();
        let mut starts = self.0.keys();
        starts.find_map(|start| self.circle_from(start, &mut Vec::new(), &mut finished))
    }

    fn circle_from<'a>(
        &'a self,
        module: &'a Names,
        way: &mut Vec<&'a Names>,
        finished: &mut BTreeSet<&'a Names>,
    ) -> Option<Vec<&'a Names>> {
        if let Some(start) = way.iter().position(|passed| *passed == module) {
            return Some(way[start..].to_vec());
        }
        if finished.contains(module) {
            return None;
        }
        way.push(module);
        let mut used = self.used_by(module).into_iter();
        let circle = used.find_map(|used| self.circle_from(used, way, finished));
        way.pop();
        finished.insert(module);
        circle
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.join("Cargo.toml").exists() || path.ends_with("tests") {
            continue;
        }
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|is| is == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// The module of a file; the crate's root has no name.
fn module(path: &Path) -> Names {
    let mut names: Names = path
        .with_extension("")
        .iter()
        .map(|name| name.to_str().unwrap().to_owned())
        .collect();
    names.pop_if(|last| last == "mod");
    match names.concat().as_str() {
        "lib" => Names::new(),
        _ => names,
    }
}

impl File {
    fn of(path: PathBuf, text: &str, module: &[String]) -> Self {
        let code = code(text);
        let absolute = |path: Names| absolute(module, &path);
        Self {
            named: paths(&code).into_iter().map(absolute).collect(),
            aliases: uses(&code)
                .into_iter()
                .filter_map(|path| Some((path.last()?.clone(), absolute(path))))
                .collect(),
            path,
            code,
        }
    }
}

/// The program's own part of a file, without its comments.
fn code(text: &str) -> String {
    let is_tests = |(at, _): &(usize, &str)| {
        let line = text[*at..].lines().nth(1);
        line.is_some_and(|line| line.contains("mod ") && line.ends_with('{'))
    };
    let tests = text.match_indices("#[cfg(test)]\n").find(is_tests);
    let own = &text[..tests.map_or(text.len(), |(at, _)| at)];
    own.lines()
        .flat_map(|line| [line.split("//").next().unwrap(), "\n"])
        .collect()
}

/// A path in `module` from the crate's root. One that leads to another crate seems to lead to a child that is not there,
/// and so ends in the module.
fn absolute(module: &[String], path: &[String]) -> Names {
    match path.first().map(String::as_str) {
        Some("crate") => path[1..].to_vec(),
        Some("self") => [module, &path[1..]].concat(),
        _ => {
            let ups = path.iter().take_while(|name| *name == "super").count();
            [&module[..module.len().saturating_sub(ups)], &path[ups..]].concat()
        }
    }
}

/// Every path that begins with `crate` or `super`, wherever it stands.
fn paths(code: &str) -> Vec<Names> {
    let starts = ["crate::", "super::"].into_iter();
    let starts = starts.flat_map(|start| code.match_indices(start));
    starts
        .filter(|(at, _)| {
            let before = code[..*at].chars().next_back();
            !before.is_some_and(|c| is_of_name(c) || c == ':')
        })
        .flat_map(|(at, _)| tree(&code[at..]))
        .collect()
}

/// The paths of all `use` statements of the file's own module.
fn uses(code: &str) -> Vec<Names> {
    const VISIBILITIES: [&str; 4] = ["", "pub ", "pub(crate) ", "pub(super) "];
    let statements = code.match_indices("use ").filter(|(at, _)| {
        let line = code[..*at].rfind('\n').map_or(0, |end| end + 1);
        VISIBILITIES.contains(&&code[line..*at])
    });
    statements
        .flat_map(|(at, word)| tree(&code[at + word.len()..]))
        .collect()
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The paths of the tree that `text` begins with: `a::{b, c::d}` has two.
fn tree(text: &str) -> Vec<Names> {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        return branches(group).into_iter().flat_map(tree).collect();
    }
    let end = text.find(|c| !is_of_name(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let behind = match rest.strip_prefix("::") {
        Some(rest) => tree(rest),
        None => Vec::new(),
    };
    let name = match name {
        "" => Names::new(),
        "self" if behind.is_empty() => Names::new(),
        name => vec![name.to_owned()],
    };
    match behind.is_empty() {
        true => vec![name],
        false => {
            let whole = |path: Names| [name.as_slice(), &path].concat();
            behind.into_iter().map(whole).collect()
        }
    }
}

/// The parts of a group up to its end.
fn branches(group: &str) -> Vec<&str> {
    let (mut depth, mut begins, mut parts) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&group[begins..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[begins..at]);
                begins = at + 1;
            }
            _ => {}
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circle(texts: &[(&str, &str)]) -> Option<Vec<String>> {
        let texts = texts.iter();
        let files = CrateFiles::of(texts.map(|(path, text)| (path.into(), (*text).to_owned())));
        let circle = files.circle()?;
        Some(circle.into_iter().map(|module| module.join("::")).collect())
    }

    #[test]
    fn a_group_of_imports_names_each_of_its_paths() {
        let code = "use crate::{a::{self, b, c as d}, e::f, g}; super::h::i(); pub use crate::{j};";
        let named: Vec<_> = paths(code).iter().map(|path| path.join("::")).collect();
        let expected = [
            "crate::a",
            "crate::a::b",
            "crate::a::c",
            "crate::e::f",
            "crate::g",
            "crate::j",
            "super::h::i",
        ];
        assert_eq!(named, expected);
    }

    #[test]
    fn a_circle_is_found_also_through_what_a_parent_re_exports() {
        let direct = [
            ("a.rs", "use crate::b::c::D;"),
            ("b/c.rs", "use crate::a::E;"),
        ];
        assert_eq!(circle(&direct).unwrap(), ["a", "b::c"]);
        let re_exported = [
            (
                "b/mod.rs",
                "mod c;\nmod e;\npub use c::D;\npub(crate) use self::e::F;\n",
            ),
            ("b/c.rs", "use super::F;"),
            ("b/e.rs", "fn f() -> super::D {}"),
        ];
        assert_eq!(circle(&re_exported).unwrap(), ["b::c", "b::e"]);
    }

    #[test]
    fn parents_children_tests_comments_and_other_crates_make_no_circle() {
        let files = [
            ("lib.rs", "mod a;\npub use a::A;\n"),
            (
                "a/mod.rs",
                "mod b;\npub use b::B;\npub use queue::Queue;\nuse crate::c::C;\n",
            ),
            ("a/b.rs", "use super::{Inner, Queue};\nuse crate::A;\n"),
            (
                "c.rs",
                "// crate::a::A\nuse std::a::A;\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n",
            ),
        ];
        assert_eq!(circle(&files), None);
    }
}
