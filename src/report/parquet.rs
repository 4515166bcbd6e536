//! Parquet: the form in which findings go on to other programs.
//!
//! Goes in: findings and lines. Comes out: `findings.parquet` and `finding_lines.parquet`: identifiers as text, money as
//! `decimal128(16, 2)`, days as dates, `key` and `evidence` as JSON text, compressed with zstd. Written in batches of
//! 65,536 rows: a million findings of some 700 bytes are never in memory a second time.
//! Deliberately unknown here: masks (Parquet keeps whole keys).

use std::io::Write;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int32Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::columns::{COLUMNS, Cell, Column, Kind, cents, epoch_day};
use super::{Error, Told};
use crate::findings::{Finding, FindingLine};

const BATCH_ROWS: usize = 65_536;

/// Writes `findings.parquet`.
pub(super) fn findings(findings: &[Finding], to: impl Write + Send, told: &Told<'_>) -> Result<(), Error> {
    let fields: Vec<Field> = COLUMNS.iter().map(|c| Field::new(c.name, data_type(c.kind), c.nullable)).collect();
    write("findings.parquet", &Arc::new(Schema::new(fields)), findings, (to, told), |chunk| {
        COLUMNS.iter().map(|column| array(column, chunk)).collect()
    })
}

/// Writes `finding_lines.parquet`.
pub(super) fn lines(lines: &[FindingLine], to: impl Write + Send, told: &Told<'_>) -> Result<(), Error> {
    let fields = vec![
        Field::new("finding_id", DataType::Utf8, false),
        Field::new("mdtrt_id", DataType::Utf8, false),
        Field::new("feedetl_sn", DataType::Utf8, false),
        Field::new("kind", DataType::Int32, false),
        Field::new("amount", data_type(Kind::Money), false),
    ];
    write("finding_lines.parquet", &Arc::new(Schema::new(fields)), lines, (to, told), |chunk| {
        let money: Decimal128Array = chunk.iter().map(|line| Some(cents(line.amount))).collect();
        Ok(vec![
            Arc::new(StringArray::from_iter_values(chunk.iter().map(|line| &line.finding_id))) as ArrayRef,
            Arc::new(StringArray::from_iter_values(chunk.iter().map(|line| &line.mdtrt_id))),
            Arc::new(StringArray::from_iter_values(chunk.iter().map(|line| &line.feedetl_sn))),
            Arc::new(Int32Array::from_iter_values(chunk.iter().map(|line| i32::from(line.kind)))),
            Arc::new(money.with_data_type(data_type(Kind::Money))),
        ])
    })
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text | Kind::Json => DataType::Utf8,
        Kind::Day => DataType::Date32,
        Kind::Money => DataType::Decimal128(16, 2),
    }
}

fn array(column: &Column, findings: &[Finding]) -> Result<ArrayRef, Error> {
    let text = |finding| match (column.cell)(finding) {
        Cell::Text(text) => Some(text),
        Cell::Money(_) | Cell::Absent => None,
    };
    Ok(match column.kind {
        Kind::Text | Kind::Json => Arc::new(findings.iter().map(text).collect::<StringArray>()),
        Kind::Money => {
            let money: Decimal128Array = findings
                .iter()
                .map(|finding| match (column.cell)(finding) {
                    Cell::Money(amount) => Some(cents(amount)),
                    Cell::Text(_) | Cell::Absent => None,
                })
                .collect();
            Arc::new(money.with_data_type(data_type(Kind::Money)))
        }
        Kind::Day => {
            let day = |finding: &Finding| match (column.cell)(finding) {
                Cell::Text(day) => epoch_day(day).map(Some).ok_or_else(|| Error::Day {
                    finding_id: finding.finding_id.clone(),
                    column: column.name,
                    found: day.to_owned(),
                }),
                Cell::Money(_) | Cell::Absent => Ok(None),
            };
            Arc::new(findings.iter().map(day).collect::<Result<Date32Array, Error>>()?)
        }
    })
}

fn write<T>(
    file: &str,
    schema: &SchemaRef,
    rows: &[T],
    (to, told): (impl Write + Send, &Told<'_>),
    arrays: impl Fn(&[T]) -> Result<Vec<ArrayRef>, Error>,
) -> Result<(), Error> {
    let failed = |source: ParquetError| Error::Parquet { file: file.to_owned(), source };
    let batch_failed = |source: ArrowError| failed(source.into());
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut writer = ArrowWriter::try_new(to, schema.clone(), Some(properties)).map_err(failed)?;
    for chunk in rows.chunks(BATCH_ROWS) {
        let batch = RecordBatch::try_new(schema.clone(), arrays(chunk)?).map_err(batch_failed)?;
        writer.write(&batch).map_err(failed)?;
        for _ in chunk {
            told.row()?;
        }
    }
    writer.close().map_err(failed)?;
    Ok(())
}
