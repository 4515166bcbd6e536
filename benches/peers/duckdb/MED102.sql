-- Drugs to take home for more days than a discharge allows: 7, chronic 14, special chronic 30.
WITH special AS (
    SELECT l.mdtrt_id, l.feedetl_sn FROM paid_line l JOIN diagnosis d USING (mdtrt_id)
    JOIN know_special_chronic k ON starts_with(d.diag_code, k.code) AND in_force(k."from", k."until", l.day)
    WHERE l.dscg_tkdrug_flag = '1'
), limited AS (
    SELECT l.*, CASE WHEN EXISTS (FROM special s WHERE s.mdtrt_id = l.mdtrt_id AND s.feedetl_sn = l.feedetl_sn)
                     THEN param('takehome_days_special', day, region)
                     WHEN mdtrt_id IN (FROM chronic_visit) THEN param('takehome_days_chronic', day, region)
                     ELSE param('takehome_days', day, region) END AS most
    FROM paid_line l WHERE dscg_tkdrug_flag = '1' AND is_drug AND days IS NOT NULL
)
SELECT to_json({'mdtrt_id': mdtrt_id, 'feedetl_sn': feedetl_sn}) AS key, share(inscp_amt, days - most, days) AS amount
FROM limited WHERE days > most AND cnt <> 1;
