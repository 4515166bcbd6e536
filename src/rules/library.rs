//! Where the files of a rule library come from: a folder, or the library built into the binary.
//!
//! Comes out: [`Files`], path → text, in order of path. Deliberately unknown here: what the texts mean.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use include_dir::{Dir, include_dir};

static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/audit_rules");

/// No rule file, parameter or knowledge table is larger.
const LARGEST: u64 = 64 << 20;

/// Files of a library by their path below its root, with `/` between.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// How the root is called in messages.
    pub root: String,
    pub texts: BTreeMap<String, String>,
}

impl Files {
    /// The library that was built in.
    #[must_use]
    pub fn built_in() -> Files {
        let mut texts = BTreeMap::new();
        let mut open = vec![&BUILT_IN];
        while let Some(dir) = open.pop() {
            open.extend(dir.dirs());
            for file in dir.files() {
                if let (Some(path), Some(text)) = (file.path().to_str(), file.contents_utf8()) {
                    texts.insert(path.replace('\\', "/"), text.replace("\r\n", "\n"));
                }
            }
        }
        Files { root: "audit_rules".to_owned(), texts }
    }

    /// The library in a folder.
    ///
    /// # Errors
    /// A folder or file that cannot be read.
    pub fn in_folder(root: &Path) -> io::Result<Files> {
        let mut texts = BTreeMap::new();
        let mut open = vec![root.to_path_buf()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    open.push(path);
                    continue;
                }
                let kind = path.extension().and_then(|e| e.to_str());
                if !matches!(kind, Some("toml" | "csv" | "md" | "lock")) || fs::metadata(&path)?.len() > LARGEST {
                    continue;
                }
                let below = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                let text = fs::read_to_string(&path)
                    .map_err(|e| io::Error::new(e.kind(), format!("`{}`: {e}", path.display())))?;
                texts.insert(below, text.replace("\r\n", "\n"));
            }
        }
        Ok(Files { root: root.display().to_string(), texts })
    }
}
