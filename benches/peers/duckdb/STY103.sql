-- A person back at the same facility with the same kind of illness within days.
WITH chain AS (
    SELECT *, lag(stay_id) OVER w AS prev_id, lag(last_day) OVER w AS prev_last, lag(main_diag) OVER w AS prev_diag,
           lag(dscg_way) OVER w AS prev_way, lag(med_types) OVER w AS prev_types,
           len(list_filter(diagnoses, lambda d: any_prefix(d, 'O80|O81|O82|O83|O84'))) > 0 AS delivery
    FROM stay WINDOW w AS (PARTITION BY psn_no, fixmedins_code ORDER BY begin_day, stay_id)
)
SELECT to_json({'mdtrt_id_1': prev_id, 'mdtrt_id_2': c.stay_id}) AS key, at_stake(inscp_amt) AS amount
FROM (SELECT *, lag(delivery) OVER (PARTITION BY psn_no, fixmedins_code ORDER BY begin_day, stay_id) AS prev_delivery FROM chain) c
WHERE begin_day - prev_last BETWEEN 0 AND param('readmission_days', begin_day, region)
  AND left(main_diag, 3) = left(prev_diag, 3)
  AND coalesce(prev_way, '') NOT IN ('2', '3')
  AND NOT delivery AND NOT prev_delivery
  AND NOT list_contains(med_types, '2105') AND NOT list_contains(prev_types, '2105')
  AND NOT planned(main_diag, begin_day, coalesce(items, []));
