-- Dear things outside the catalogue for people in hardship, in hospital: to be looked at, no money at stake.
SELECT to_json({'mdtrt_id': mdtrt_id, 'feedetl_sn': feedetl_sn}) AS key, 0.00::DECIMAL(16,2) AS amount
FROM line l
WHERE setting = 'inpatient' AND chrgitm_lv = '03' AND det_item_fee_sumamt > param('hardship_out_of_catalogue_amount', day, region)
  AND EXISTS (FROM hardship h WHERE h.psn_no = l.psn_no AND h.begin_day <= l.day AND (h.end_day IS NULL OR l.day <= h.end_day));
