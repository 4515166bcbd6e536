-- One trace code on paid lines of two encounters: the lines after the first encounter's.
WITH traced AS (
    SELECT DISTINCT unnest(string_split(drug_trac_codg, '|')) AS trace_code, mdtrt_id, feedetl_sn, fee_ocur_time, inscp_amt
    FROM paid_line WHERE drug_trac_codg IS NOT NULL
), ordered AS (
    SELECT *, first_value(mdtrt_id) OVER (PARTITION BY trace_code ORDER BY fee_ocur_time, mdtrt_id, feedetl_sn) AS first_id
    FROM traced WHERE trace_code <> ''
)
SELECT to_json({'trace_code': trace_code}) AS key, sum(inscp_amt) AS amount
FROM ordered WHERE mdtrt_id <> first_id GROUP BY trace_code;
