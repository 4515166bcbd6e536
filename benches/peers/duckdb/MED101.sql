-- Outpatient, emergency and pharmacy drug lines with more days of supply than a prescription may hold.
WITH barred AS (
    SELECT l.mdtrt_id, l.feedetl_sn FROM paid_line l
    JOIN know_no_long_prescription k ON starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day)
), limited AS (
    SELECT *, CASE WHEN setting = 'emergency' THEN param('rx_days_emergency', day, region)
                   WHEN mdtrt_id IN (FROM chronic_visit) AND NOT EXISTS (
                        FROM barred b WHERE b.mdtrt_id = l.mdtrt_id AND b.feedetl_sn = l.feedetl_sn)
                   THEN param('rx_days_long', day, region)
                   ELSE param('rx_days_ordinary', day, region) END AS most
    FROM paid_line l WHERE is_drug AND setting IN ('outpatient', 'emergency', 'pharmacy') AND days IS NOT NULL
)
SELECT to_json({'mdtrt_id': mdtrt_id, 'feedetl_sn': feedetl_sn}) AS key, share(inscp_amt, days - most, days) AS amount
FROM limited WHERE days > most AND cnt <> 1;
