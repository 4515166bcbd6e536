-- Items that need a facility of a level, paid at a lower one. Where only the first prescription needs it, an earlier net
-- line of the drug from such a facility in the 365 days before makes it right, and data that begin later leave it open.
WITH low AS (
    SELECT * FROM (
        SELECT l.*, k.min_level::INT AS min_level, coalesce(k.first_prescription_only, '0') = '1' AS first_only
        FROM paid_line l
        JOIN know_facility_level k ON starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day)
        QUALIFY row_number() OVER (PARTITION BY l.mdtrt_id, l.feedetl_sn ORDER BY length(k.code) DESC) = 1)
    WHERE level < min_level AND setting IS DISTINCT FROM 'pharmacy'
)
SELECT to_json({'mdtrt_id': mdtrt_id, 'feedetl_sn': feedetl_sn}) AS key, inscp_amt AS amount
FROM low w
WHERE NOT first_only
   OR (day - 365 >= (SELECT first_day FROM period)
       AND NOT EXISTS (FROM line b WHERE b.psn_no = w.psn_no AND b.generic = w.generic AND b.level >= w.min_level
                       AND w.day - b.day BETWEEN 1 AND 365));
