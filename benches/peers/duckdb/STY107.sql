-- Short stays for examinations alone.
WITH kinds AS (
    SELECT o.stay_id, sum(det_item_fee_sumamt) AS total,
           coalesce(sum(det_item_fee_sumamt) FILTER (med_chrgitm_type IN ('09', '10', '11', '05', '06')), 0) AS treated,
           coalesce(sum(det_item_fee_sumamt) FILTER (med_chrgitm_type IN ('03', '04')), 0) AS examined,
           bool_or(med_chrgitm_type IS NULL) AS unknown
    FROM line JOIN part_of o USING (mdtrt_id) GROUP BY o.stay_id
)
SELECT to_json({'mdtrt_id': stay_id}) AS key, at_stake(s.inscp_amt) AS amount
FROM kinds k JOIN stay s USING (stay_id)
WHERE NOT unknown AND treated < param('treatment_share_max', s.last_day, s.region) * total
  AND examined > param('examination_share_min', s.last_day, s.region) * total
  AND s.stay_days <= param('examination_stay_days', s.last_day, s.region);
