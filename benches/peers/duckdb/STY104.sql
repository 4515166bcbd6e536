-- Outpatient lines on days strictly inside a stay of the same person.
WITH visit AS (
    SELECT l.*, planned(l.main_diag, l.day, coalesce(i.items, [])) AS is_planned
    FROM paid_line l LEFT JOIN items_of_encounter i ON i.mdtrt_id = l.mdtrt_id
    WHERE l.setting = 'outpatient' AND coalesce(l.etip_flag, '0') <> '1'
      AND EXISTS (FROM stay s WHERE s.psn_no = l.psn_no AND s.begin_day < l.day AND l.day < s.last_day)
)
SELECT to_json({'mdtrt_id': mdtrt_id}) AS key, sum(inscp_amt) AS amount
FROM visit WHERE NOT is_planned GROUP BY mdtrt_id;
