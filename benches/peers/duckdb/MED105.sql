-- Two drugs of one class in one visit on one day, outside hospital: all but the dearest drug.
WITH drug AS (
    SELECT psn_no, day, mdtrt_id, left(hilist_code, 6) AS atc4, generic, sum(inscp_amt) AS paid
    FROM paid_line l
    WHERE is_drug AND hilist_code LIKE 'X%' AND setting <> 'inpatient'
      AND EXISTS (FROM know_no_duplicate_class k WHERE starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day))
    GROUP BY ALL
), visit AS (
    SELECT psn_no, day, mdtrt_id, atc4, sum(paid) - max(paid) AS paid FROM drug GROUP BY ALL HAVING count(*) > 1
)
SELECT to_json({'psn_no': psn_no, 'day': day, 'atc4': atc4}) AS key, sum(paid) AS amount FROM visit GROUP BY psn_no, day, atc4;
