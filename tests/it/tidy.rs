//! House rules as tests: what keeps this code pleasant to open, checked rather than remembered.
//!
//! Goes in: the sources, the rule library, the case books, the READMEs, as they lie in the repository. Comes out: every
//! breach at once, each a sentence that says what to do. Deliberately unknown here: what the program does.
//!
//! To add a module: give it a floor in [`FLOORS`]. To add a house rule: a test below that collects sentences and hands them
//! to [`none`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fundaudit::rules::{Files, RuleSet, load};

/// Where each module of the crate lives. Imports point down; modules of one floor do not see each other.
const FLOORS: [(&str, u8); 18] = [
    ("aside", 0),
    ("clock", 0),
    ("points", 0),
    ("span", 0),
    ("sql", 0),
    ("progress", 0),
    ("model", 1),
    ("ingest", 2),
    ("rules", 2),
    ("engine", 3),
    ("findings", 4),
    ("report", 5),
    ("messages", 5),
    ("cases", 5),
    ("store", 6),
    ("operations", 7),
    ("serve", 8),
    ("cli", 9),
];

/// The query engine is a tool of few: whoever else wants it asks one of these.
const MAY_NAME_THE_QUERY_ENGINE: [&str; 4] =
    ["src/sql.rs", "src/engine/", "src/rules/expression.rs", "src/ingest/mapping.rs"];

/// Money and quantities are exact here, so no binary fraction has a name.
const EXACT: [&str; 4] = ["src/model", "src/engine", "src/findings", "src/rules"];

const AUDIT: &str = "cargo run -- audit fixtures/exports/county --out findings";
const TEST: &str = "cargo test";

#[test]
fn imports_point_down() {
    let mut breaches = Vec::new();
    for source in sources() {
        let here = source.module();
        if matches!(here, "lib" | "main") {
            continue;
        }
        let Some(floor) = floor_of(here) else {
            breaches.push(format!("`{}` has no floor: give `{here}` one in FLOORS of tests/it/tidy.rs", source.path));
            continue;
        };
        for (number, line) in source.code() {
            for there in named_modules(&line) {
                let place = format!("{}:{number}", source.path);
                match floor_of(&there) {
                    _ if there == here => {}
                    Some(below) if below < floor => {}
                    Some(same) if same == floor => breaches.push(format!(
                        "{place}: `{here}` uses `crate::{there}`, and both live on floor {floor}: neighbours do not see each \
                         other; put what both need below them"
                    )),
                    Some(above) => breaches.push(format!(
                        "{place}: `{here}` (floor {floor}) uses `crate::{there}` (floor {above}): imports point down; take it \
                         as an argument, or move it below `{here}`"
                    )),
                    None => breaches.push(format!("{place}: `crate::{there}` has no floor: name its module, or give it one")),
                }
            }
        }
    }
    none(&breaches);
}

#[test]
fn the_vocabulary_of_findings_stands_alone() {
    let source = sources().into_iter().find(|s| s.path == "src/findings/mod.rs").unwrap();
    let breaches: Vec<String> = source
        .code()
        .flat_map(|(number, line)| named_modules(&line).into_iter().map(move |there| (number, there)))
        .map(|(number, there)| {
            format!(
                "src/findings/mod.rs:{number}: `crate::{there}`: what a finding is does not depend on how it was made"
            )
        })
        .collect();
    none(&breaches);
}

#[test]
fn every_file_begins_with_why() {
    let breaches: Vec<String> = sources()
        .iter()
        .filter(|s| !s.text.starts_with("//!"))
        .map(|s| format!("`{}` does not open with `//!`: say what it is for, what goes in and comes out", s.path))
        .collect();
    none(&breaches);
}

#[test]
fn nothing_is_left_for_later() {
    let mut breaches = Vec::new();
    for source in sources() {
        for (number, line) in (1..).zip(source.outside_tests().lines()) {
            for word in ["todo!", "unimplemented!", "dbg!", "FIXME", "XXX"] {
                // The shape of the earth is no money: `distance_km` alone computes in floats.
                let distance = source.path.ends_with("engine/functions.rs");
                if line.contains(word) && !distance {
                    breaches.push(format!(
                        "{}:{number}: `{word}`: do it now, or say in words what is not done",
                        source.path
                    ));
                }
            }
        }
        for (number, line) in source.code() {
            if line.contains(".unwrap()") {
                breaches.push(format!("{}:{number}: `.unwrap()`: `?`, or `expect` with the invariant", source.path));
            }
        }
    }
    none(&breaches);
}

#[test]
fn money_is_exact() {
    let mut breaches = Vec::new();
    for source in sources().iter().filter(|s| EXACT.iter().any(|place| s.path.starts_with(place))) {
        for (number, line) in source.code() {
            for word in ["f32", "f64"] {
                // The shape of the earth is no money: `distance_km` alone computes in floats.
                let distance = source.path.ends_with("engine/functions.rs");
                if line.contains(word) && !distance {
                    breaches.push(format!(
                        "{}:{number}: `{word}`: a cent is exact; use `Decimal` or whole fen",
                        source.path
                    ));
                }
            }
        }
    }
    none(&breaches);
}

#[test]
fn few_name_the_query_engine() {
    let mut breaches = Vec::new();
    for source in sources().iter().filter(|s| !MAY_NAME_THE_QUERY_ENGINE.iter().any(|place| s.path.starts_with(place)))
    {
        for (number, line) in source.code() {
            if line.contains("datafusion") {
                breaches.push(format!(
                    "{}:{number}: `datafusion` is named only in {}: ask one of them",
                    source.path,
                    MAY_NAME_THE_QUERY_ENGINE.join(", ")
                ));
            }
        }
    }
    none(&breaches);
}

#[test]
fn every_rule_is_whole() {
    let index = read("audit_rules/README.md");
    let readmes = [("README.md", read("README.md")), ("README.zh-CN.md", read("README.zh-CN.md"))];
    let mut breaches = Vec::new();
    let mut books = BTreeSet::new();
    for rule in &library().rules {
        let (file, name, code) = (&rule.file, &rule.name, &rule.code);
        let Some((family, stem)) =
            file.strip_prefix("audit_rules/").and_then(|f| f.strip_suffix(".toml")).and_then(|f| f.split_once('/'))
        else {
            breaches.push(format!("`{file}`: wanted `audit_rules/<family>/<name>.toml`"));
            continue;
        };
        if stem != name {
            breaches.push(format!("{file}: the rule is called `{name}`: a rule's name is its file's stem"));
        }
        let book = format!("fixtures/{family}/{stem}.md");
        if !root().join(&book).is_file() {
            breaches.push(format!("{file}: no case book `{book}`: tell its cases before it runs"));
        }
        books.insert(book);
        let row = |text: &str| {
            text.lines().any(|l| l.starts_with(&format!("| {code} | [{name}](")) && l.contains(&rule.title))
        };
        if !row(&index) || !index.contains(&format!("]({family}/{stem}.toml)")) {
            breaches.push(format!(
                "{file}: no row `| {code} | [{name}]({family}/{stem}.toml) | {} |` in audit_rules/README.md",
                rule.title
            ));
        }
        for (readme, text) in &readmes {
            if !row(text) {
                breaches.push(format!(
                    "{file}: no row `| {code} | [{name}](audit_rules/{family}/{stem}.toml) | {} |` in {readme}",
                    rule.title
                ));
            }
        }
        for (word, texts) in [("may_be_right_when", &rule.may_be_right_when), ("blind_spots", &rule.blind_spots)] {
            if texts.is_empty() || texts.iter().any(|t| t.trim().is_empty()) {
                breaches.push(format!(
                    "{file}: `{word}` is empty: every rule has some; known gaps are better than unknown ones"
                ));
            }
        }
        if !rule.source.lines().any(|l| l.trim_start().starts_with("status")) {
            breaches.push(format!("{file}: no `status`: wanted draft, trial, stable or retired"));
        }
    }
    let known: BTreeSet<String> = books_in(&root().join("fixtures"));
    breaches.extend(
        known.difference(&books).map(|book| format!("`{book}` is the case book of no rule: name it after its rule")),
    );
    none(&breaches);
}

#[test]
fn every_number_has_a_source() {
    let mut breaches = Vec::new();
    for path in files_under(&root().join("audit_rules/knowledge"), "csv") {
        let name = shown(&path);
        let mut reader = csv::Reader::from_path(&path).unwrap();
        let Some(source) = reader.headers().unwrap().iter().position(|h| h == "source") else {
            breaches.push(format!("{name}: no column `source`: every row says who said so"));
            continue;
        };
        for row in reader.records() {
            let row = row.unwrap();
            if row.get(source).is_none_or(|text| text.trim().is_empty()) {
                let line = row.position().map_or(0, csv::Position::line);
                breaches.push(format!("{name}:{line}: no `source`: a document and its batch, or `经办默认`"));
            }
        }
    }
    for parameter in library().parameters.values() {
        for value in &parameter.values {
            if !value.default && (value.document.is_none() || value.article.is_none() || value.verified_on.is_none()) {
                breaches.push(format!(
                    "audit_rules/parameters/{}.toml: a value without `document`, `article` and `verified_on`: give them, or write \
                     `default = true`",
                    parameter.name
                ));
            }
        }
    }
    none(&breaches);
}

#[test]
fn the_first_two_commands_are_the_same_everywhere() {
    let mut breaches = Vec::new();
    for readme in ["README.md", "README.zh-CN.md"] {
        let text = read(readme);
        let first = text.split("```").nth(1).unwrap_or_default();
        let commands: Vec<&str> =
            first.lines().skip(1).map(|l| l.split('#').next().unwrap_or_default().trim()).collect();
        for wanted in [AUDIT, TEST] {
            if !commands.contains(&wanted) {
                breaches.push(format!(
                    "{readme}: the first fenced block has no line `{wanted}`: a stranger types it first"
                ));
            }
        }
    }
    if !read(".ci/run").lines().any(|l| !l.trim_start().starts_with('#') && l.contains(TEST)) {
        breaches.push(format!(".ci/run does not run `{TEST}`, which the README promises"));
    }
    none(&breaches);
}

/// Fails with all the breaches, a line each.
/// A crate beneath the query engine that has other features under test is built twice, and the engine with it: the newcomer's
/// `cargo run` after `cargo test` would take as long as both.
#[test]
fn running_and_testing_share_one_build() {
    let features = |edges: &str| -> BTreeMap<String, String> {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--locked", "--prefix", "none", "--format", "{p}|{f}", "--edges", edges])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let text = String::from_utf8(tree.stdout).unwrap();
        let lines = text.lines().map(|line| line.trim_end_matches(" (*)"));
        lines.filter_map(|line| line.split_once('|')).map(|(p, f)| (p.to_owned(), f.to_owned())).collect()
    };
    let (run, test) = (features("normal,build"), features("normal,build,dev"));
    assert!(
        run.keys().any(|package| package.starts_with("datafusion-sql ")),
        "the tree lists no query engine: {run:?}"
    );
    let breaches: Vec<String> = run
        .iter()
        .filter_map(|(package, features)| {
            test.get(package).filter(|of_test| *of_test != features).map(|of_test| {
                format!(
                    "`{package}` has the features `{features}`, and `{of_test}` under test: name them in Cargo.toml"
                )
            })
        })
        .collect();
    none(&breaches);
}

fn none(breaches: &[String]) {
    assert!(breaches.is_empty(), "{} breach(es) of the house rules:\n  {}", breaches.len(), breaches.join("\n  "));
}

fn floor_of(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// Modules of the crate that a line of code names: `crate::a::b`, `crate::{a::b, c}`.
fn named_modules(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => found.push(word(rest)),
            Some(list) => {
                let mut depth = 0;
                let mut part = String::new();
                for c in list.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => found.push(word(&std::mem::take(&mut part))),
                        _ => part.push(c),
                    }
                }
                found.push(word(&part));
            }
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

/// The name that a text begins with.
fn word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// A file of `src/`.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The module of the crate that it belongs to: `report` for `src/report/html.rs`.
    fn module(&self) -> &str {
        let inside = self.path.trim_start_matches("src/");
        inside.split(['/', '.']).next().unwrap_or_default()
    }

    /// What stands before its own tests.
    fn outside_tests(&self) -> &str {
        self.text.split("#[cfg(test)]").next().unwrap_or_default()
    }

    /// Its statements with the number of the line they begin on: without comments and tests, a `use` of several lines as one.
    fn code(&self) -> impl Iterator<Item = (usize, String)> + '_ {
        let mut statements: Vec<(usize, String)> = Vec::new();
        let mut open = false;
        for (number, line) in (1..).zip(self.outside_tests().lines()) {
            let line = line.trim();
            if line.starts_with("//") {
                continue;
            }
            match statements.last_mut() {
                Some((_, statement)) if open => statement.push_str(line),
                _ => {
                    statements.push((number, line.to_owned()));
                    open =
                        line.starts_with("use ") || line.starts_with("pub use ") || line.starts_with("pub(super) use ");
                }
            }
            open = open && !line.ends_with(';');
        }
        statements.into_iter()
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("`{path}`: {error}"))
}

/// A path as people write it, from the root of the repository.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

fn sources() -> Vec<Source> {
    let files = files_under(&root().join("src"), "rs");
    files.iter().map(|path| Source { path: shown(path), text: fs::read_to_string(path).unwrap() }).collect()
}

/// The case books: every Markdown file of a family's folder.
fn books_in(fixtures: &Path) -> BTreeSet<String> {
    let families: BTreeSet<String> =
        library().rules.iter().filter_map(|r| Some(r.file.split('/').nth(1)?.to_owned())).collect();
    families
        .iter()
        .flat_map(|family| files_under(&fixtures.join(family), "md"))
        .filter(|path| path.file_stem().is_some_and(|stem| stem != "README"))
        .map(|path| shown(&path))
        .collect()
}

/// The library as it lies in the repository now, not as it was when the binary was built.
fn library() -> RuleSet {
    let files = Files { root: "audit_rules".to_owned(), ..Files::in_folder(&root().join("audit_rules")).unwrap() };
    load(&files).unwrap_or_else(|mistakes| {
        panic!("{}", mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"))
    })
}

/// All files of this ending in a folder and the folders in it, in order.
fn files_under(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("`{}`: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
