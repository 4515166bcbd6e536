-- A person back at the same facility with the same kind of illness within days.
WITH chain AS (
    SELECT *, lag(stay_id) OVER w AS prev_id, lag(last_day) OVER w AS prev_last, lag(main_diag) OVER w AS prev_diag,
           lag(dscg_way) OVER w AS prev_way, lag(med_types) OVER w AS prev_types
    FROM stay WINDOW w AS (PARTITION BY psn_no, fixmedins_code ORDER BY begin_day, stay_id)
)
SELECT to_json({'mdtrt_id_1': prev_id, 'mdtrt_id_2': c.stay_id}) AS key, inscp_amt AS amount
FROM chain c LEFT JOIN items_of_stay i ON i.stay_id = c.stay_id
WHERE begin_day - prev_last BETWEEN 0 AND param('readmission_days', begin_day, region)
  AND left(main_diag, 3) = left(prev_diag, 3)
  AND inscp_amt IS NOT NULL
  AND coalesce(prev_way, '') NOT IN ('2', '3')
  AND left(main_diag, 3) NOT IN ('O80', 'O81', 'O82', 'O83', 'O84')
  AND NOT list_contains(med_types, '2105') AND NOT list_contains(prev_types, '2105')
  AND NOT planned(main_diag, begin_day, coalesce(i.items, []));
