//! What operators and vendors copy works: unit files start what there is and nothing that the service could do without, and
//! the pages' commands have the options, addresses and files that they name.
//!
//! Goes in: `deploy/` and the READMEs as they lie in the repository. To add a unit: put it there; a service is held to the same
//! bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fundaudit::serve::openapi::ROUTES;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

/// Files of this ending, with their texts.
fn units(ending: &str) -> BTreeMap<String, String> {
    let files = fs::read_dir(deploy()).unwrap().map(|entry| entry.unwrap().path());
    let fitting = files.filter(|path| path.extension().is_some_and(|e| e == ending));
    fitting
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap()))
        .collect()
}

/// What a unit says: a name and a value a line, lines that are continued joined.
fn said(unit: &str) -> Vec<(String, String)> {
    let joined = unit.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';', '[']));
    lines.filter_map(|line| line.split_once('=')).map(|(n, v)| (n.to_owned(), v.trim().to_owned())).collect()
}

fn all<'s>(said: &'s [(String, String)], name: &str) -> Vec<&'s str> {
    said.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
}

/// The variables of an environment file, unquoted as systemd does.
fn variables(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split_once('=').unwrap_or_else(|| panic!("no variable: {line}")))
        .map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
        .collect()
}

/// The arguments of a command line, variables put in: `${NAME}` as one, `$NAME` as words.
fn arguments(line: &str, variables: &BTreeMap<String, String>, used: &mut BTreeSet<String>) -> Vec<String> {
    let mut arguments = Vec::new();
    for word in line.split_whitespace() {
        let Some((before, rest)) = word.split_once('$') else {
            arguments.push(word.to_owned());
            continue;
        };
        let name = rest.trim_start_matches('{');
        let name: String = name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        used.insert(name.clone());
        let value = variables.get(&name).unwrap_or_else(|| panic!("`{name}` is not in the environment file"));
        if rest.starts_with('{') {
            assert!(!value.is_empty(), "`{name}` is empty and would be an empty argument");
            arguments.push(format!("{before}{value}"));
        } else {
            arguments.extend(value.split_whitespace().map(str::to_owned));
        }
    }
    arguments
}

fn help(words: &[&str]) -> String {
    let run =
        Command::new(env!("CARGO_BIN_EXE_fundaudit")).args(words).arg("--help").env("LANG", "C").output().unwrap();
    assert!(
        run.status.success(),
        "`fundaudit {}` is no command: {}",
        words.join(" "),
        String::from_utf8_lossy(&run.stderr)
    );
    String::from_utf8(run.stdout).unwrap()
}

/// What a service that listens to strangers does not need.
const BOUNDS: [(&str, &str); 12] = [
    ("NoNewPrivileges", "yes"),
    ("CapabilityBoundingSet", ""),
    ("ProtectSystem", "strict"),
    ("ProtectHome", "yes"),
    ("PrivateTmp", "yes"),
    ("PrivateDevices", "yes"),
    ("ProtectKernelModules", "yes"),
    ("RestrictNamespaces", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("MemoryDenyWriteExecute", "yes"),
    ("SystemCallArchitectures", "native"),
    ("UMask", "0077"),
];

#[test]
fn a_unit_starts_a_command_that_there_is() {
    let environments = units("env");
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let services = units("service");
    assert!(services.contains_key("fundaudit.service"));
    for (name, text) in &services {
        let said = said(text);
        for (bound, value) in BOUNDS {
            assert_eq!(all(&said, bound), [value], "{name}: `{bound}`");
        }
        assert_ne!(all(&said, "User"), ["root"], "{name}");
        let mut known = BTreeMap::new();
        let files: Vec<&str> = all(&said, "EnvironmentFile").into_iter().map(|f| f.trim_start_matches('-')).collect();
        for file in &files {
            let file = Path::new(file).file_name().unwrap().to_string_lossy().into_owned();
            known.extend(variables(environments.get(&file).unwrap_or_else(|| panic!("{name}: no deploy/{file}"))));
        }
        let mut names = BTreeSet::new();
        let commands = [all(&said, "ExecStart"), all(&said, "ExecStartPre")].concat();
        assert!(!commands.is_empty(), "{name} starts nothing");
        let mut writes = Vec::new();
        for command in commands {
            let arguments = arguments(command, &known, &mut names);
            assert_eq!(arguments[0], "/usr/local/bin/fundaudit", "{name}");
            let words: Vec<&str> =
                arguments[1..].iter().map(String::as_str).take_while(|word| !word.starts_with('-')).collect();
            let help = help(&words);
            for (at, option) in arguments.iter().enumerate().filter(|(_, word)| word.starts_with("--")) {
                assert!(has(&help, option), "{name}: `fundaudit {}` has no {option}", words.join(" "));
                if ["--dataset", "--feedback", "--store", "--out"].contains(&option.as_str()) {
                    writes.push(arguments[at + 1].clone());
                }
            }
        }
        // What it writes it may write.
        let state: Vec<String> =
            all(&said, "StateDirectory").iter().map(|folder| format!("/var/lib/{folder}/")).collect();
        let paths: Vec<&str> = all(&said, "ReadWritePaths").iter().flat_map(|paths| paths.split(' ')).collect();
        for place in writes {
            let path = place.split_once(":///").map_or(place.as_str(), |(_, path)| path);
            let may = state.iter().any(|folder| path.starts_with(folder)) || paths.iter().any(|p| path.starts_with(p));
            assert!(may || !path.starts_with('/'), "{name}: it may not write {place}");
        }
        for file in files {
            used.entry(file.to_owned()).or_default().extend(names.clone());
        }
    }
    // What is only put there, the program reads itself or a later unit.
    for (file, names) in used {
        let file = Path::new(&file).file_name().unwrap().to_string_lossy().into_owned();
        for variable in variables(&environments[&file]).into_keys() {
            assert!(names.contains(&variable) || variable == "FUNDAUDIT_LOG", "deploy/{file}: nobody uses {variable}");
        }
    }
}

/// Whether a command has an option, by its help.
fn has(help: &str, option: &str) -> bool {
    let mut words = help.lines().map(|line| line.trim_start().trim_start_matches("-h, "));
    words.any(|line| line.split([' ', '=', '[']).next() == Some(option))
}

#[test]
fn what_the_pages_say_to_type_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut helps: BTreeMap<Vec<String>, String> = BTreeMap::new();
    let (mut commands, mut requests) = (0, 0);
    for page in ["README.md", "README.zh-CN.md"] {
        let text = fs::read_to_string(root.join(page)).unwrap();
        let blocks = text.split("```").skip(1).step_by(2).filter(|block| block.starts_with("sh\n"));
        for line in blocks.flat_map(str::lines).skip(1) {
            let line = line.split(" #").next().unwrap_or_default().trim();
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.first() {
                Some(&"fundaudit") => {
                    commands += 1;
                    let named = words[1..].iter().take_while(|word| {
                        word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-')
                    });
                    // A word in the place of a subcommand may be a path of the example.
                    let groups = ["rules", "knowledge", "feedback", "case", "findings", "store"];
                    let depth = if groups.contains(&words[1]) { 2 } else { 1 };
                    let named: Vec<String> = named.take(depth).map(|word| (*word).to_owned()).collect();
                    let words_of: Vec<&str> = named.iter().map(String::as_str).collect();
                    let help = helps.entry(named.clone()).or_insert_with(|| help(&words_of));
                    for option in words.iter().filter(|word| word.starts_with("--")) {
                        let option = option.split('=').next().unwrap_or_default();
                        assert!(has(help, option), "{page}: `{line}`: `fundaudit {}` has no {option}", named.join(" "));
                    }
                }
                Some(&"curl") => {
                    requests += 1;
                    let address = words.iter().find(|word| word.starts_with("http")).unwrap();
                    let path = address.splitn(4, '/').nth(3).unwrap();
                    let method = if line.contains("--data-binary") { "post" } else { "get" };
                    let route = (method, format!("/{path}"));
                    assert!(ROUTES.contains(&(route.0, route.1.as_str())), "{page}: no {route:?}");
                    for file in words.iter().filter_map(|word| word.strip_prefix('@')) {
                        assert!(root.join(file).is_file(), "{page}: no file {file}");
                    }
                }
                _ => {}
            }
        }
    }
    assert!(commands > 15 && requests > 7, "{commands} commands, {requests} requests");
}

#[test]
fn a_timer_has_its_service() {
    let services = units("service");
    for (name, text) in units("timer") {
        let said = said(&text);
        let unit = all(&said, "Unit").first().map_or_else(|| name.replace(".timer", ".service"), |u| (*u).to_owned());
        assert!(services.contains_key(&unit), "{name} starts `{unit}`, which is not in deploy/");
        assert!(all(&said, "OnCalendar").len() + all(&said, "OnUnitActiveSec").len() > 0, "{name} never starts");
    }
}

#[test]
fn a_secret_is_in_no_file_that_is_copied_from_here() {
    for entry in fs::read_dir(deploy()).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let looks_like_one = text.split(|c: char| !c.is_ascii_hexdigit()).any(|word| word.len() >= 32);
        assert!(!looks_like_one && !text.contains("PRIVATE KEY"), "{}", path.display());
    }
}
