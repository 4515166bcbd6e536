-- Drugs without an indication among the coded diagnoses of the encounter, nor by its registered disease.
WITH wanted AS (
    SELECT mdtrt_id, feedetl_sn, inscp_amt, own_dise_no, string_agg(diagnoses, '|') AS diagnoses, string_agg(dise_no, '|') AS diseases
    FROM (
        SELECT l.mdtrt_id, l.feedetl_sn, l.inscp_amt, l.dise_no AS own_dise_no, k.diagnoses, k.dise_no FROM paid_line l
        JOIN know_indication k ON starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day)
        QUALIFY row_number() OVER (PARTITION BY l.mdtrt_id, l.feedetl_sn, k.dise_no ORDER BY length(k.code) DESC) = 1)
    GROUP BY ALL
)
SELECT to_json({'mdtrt_id': mdtrt_id, 'feedetl_sn': feedetl_sn}) AS key, inscp_amt AS amount
FROM wanted w
WHERE EXISTS (FROM diagnosis d WHERE d.mdtrt_id = w.mdtrt_id AND regexp_matches(d.diag_code, '^[A-Z][0-9]'))
  AND NOT EXISTS (FROM diagnosis d WHERE d.mdtrt_id = w.mdtrt_id AND any_prefix(d.diag_code, w.diagnoses))
  AND NOT coalesce(list_contains(string_split(diseases, '|'), own_dise_no), false);
