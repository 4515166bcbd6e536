//! Single sheets for other operations than an audit: the same CSV (UTF-8 with a byte order mark, CR LF, no formulas), the same
//! columns of findings.
//!
//! Goes in: rows, and the file to write. Comes out: the file. Deliberately unknown here: what the rows are about, masks (who
//! calls has masked what is to be masked).

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use super::{Context, Error, Format, Output, Told, csv};
use crate::findings::{Finding, FindingLine, Outcome};
use crate::progress::Progress;

/// Writes findings with the columns of `findings.csv`.
///
/// # Errors
/// The disk, or the work is wanted no longer.
pub fn findings(findings: &[Finding], file: &Path, progress: &dyn Progress) -> io::Result<()> {
    let mut to = BufWriter::new(File::create(file)?);
    csv::findings(findings, &mut to, &Told::new(progress))?;
    to.flush()
}

/// Writes findings, and with Parquet and CSV their lines, as an audit writes them, into a folder; which files.
///
/// # Errors
/// The disk, or a writer, or the work is wanted no longer.
pub fn written(
    outcome: &Outcome,
    context: &Context,
    formats: &[Format],
    folder: &Path,
    progress: &dyn Progress,
) -> Result<Vec<&'static str>, Error> {
    let told = Told::new(progress);
    let mut files = Vec::new();
    for output in Output::ALL {
        let wanted = match output {
            Output::Findings(format) => formats.contains(&format),
            Output::LinesParquet => formats.contains(&Format::Parquet),
            Output::LinesCsv => formats.contains(&Format::Csv),
            Output::Page | Output::Coverage | Output::Quarantine | Output::Run => false,
        };
        if wanted {
            output.render(outcome, context, &folder.join(output.file()), &told)?;
            files.push(output.file());
        }
    }
    Ok(files)
}

/// Writes lines with the columns of `finding_lines.csv`.
///
/// # Errors
/// The disk, or the work is wanted no longer.
pub fn lines(lines: &[FindingLine], file: &Path, progress: &dyn Progress) -> io::Result<()> {
    let mut to = BufWriter::new(File::create(file)?);
    csv::lines(lines, &mut to, &Told::new(progress))?;
    to.flush()
}

/// Writes a dataset's list of rows that were set aside, the reasons in the language of the findings.
///
/// # Errors
/// The disk.
pub fn quarantine(list: &Path, file: &Path) -> io::Result<()> {
    let mut to = BufWriter::new(File::create(file)?);
    csv::quarantine(File::open(list)?, &mut to)?;
    to.flush()
}

/// Writes any other table.
///
/// # Errors
/// The disk.
pub fn table<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    file: &Path,
) -> io::Result<()> {
    let mut to = BufWriter::new(File::create(file)?);
    csv::table(head, rows, &mut to)?;
    to.flush()
}
