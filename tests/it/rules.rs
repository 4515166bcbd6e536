//! Every rule over every case book; mistakes in rule files.

use std::fs;
use std::path::PathBuf;

use fundaudit::engine::Compiler;
use fundaudit::operations::cases;
use fundaudit::rules::book::Book;
use fundaudit::rules::{Files, load};

fn books() -> Vec<Book> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut found = Vec::new();
    for family in fs::read_dir(root).unwrap() {
        let family = family.unwrap().path();
        if !family.is_dir() {
            continue;
        }
        for file in fs::read_dir(family).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_some_and(|e| e == "md") && file.file_stem().is_some_and(|s| s != "README") {
                let text = fs::read_to_string(&file).unwrap();
                found.push(Book::read(&file.display().to_string(), &text).unwrap_or_else(|m| panic!("{}", m[0])));
            }
        }
    }
    found.sort_by(|a, b| a.file.cmp(&b.file));
    found
}

#[test]
fn every_rule_runs_over_every_book() {
    let set = load(&Files::built_in()).unwrap_or_else(|mistakes| {
        panic!("{}", mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"))
    });
    let rules: Vec<_> = set.rules.iter().collect();
    let plans = Compiler::new(&set).compile(&rules).unwrap_or_else(|mistakes| {
        panic!("{}", mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"))
    });
    let failures: Vec<_> = books().iter().flat_map(|book| cases::test(book, &set, &plans)).collect();
    assert!(failures.is_empty(), "{}", failures.iter().map(ToString::to_string).collect::<String>());
}

/// A file of the library with a line more.
fn and(files: &mut Files, path: &str) {
    let text = files.texts.get_mut(path).unwrap_or_else(|| panic!("no `{path}`"));
    text.push('\n');
}

#[test]
fn the_hash_says_which_library_made_the_findings_and_nothing_else() {
    let of = |change: fn(&mut Files)| {
        let mut files = Files::built_in();
        change(&mut files);
        load(&files).unwrap_or_else(|mistakes| panic!("{}", mistakes[0])).hash
    };
    let as_it_is = of(|_| ());
    // Policy, dictionaries of messages and prose decide what becomes of a finding, not whether there is one.
    assert_eq!(of(|f| and(f, "decisions.toml")), as_it_is);
    assert_eq!(of(|f| and(f, "messages.toml")), as_it_is);
    assert_eq!(of(|f| and(f, "README.md")), as_it_is);
    assert_ne!(of(|f| and(f, "billing/daily-cap-exceeded.toml")), as_it_is);
    assert_ne!(of(|f| and(f, "knowledge/daily_cap.csv")), as_it_is);
    assert_ne!(of(|f| and(f, "parameters/absent_days_min.toml")), as_it_is);
}
