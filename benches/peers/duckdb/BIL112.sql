-- Lines of a stay too long before its admission, or after its discharge.
SELECT to_json({'mdtrt_id': l.mdtrt_id, 'feedetl_sn': l.feedetl_sn}) AS key, l.inscp_amt AS amount
FROM (SELECT *, param('days_before_admission', day, region)::INT AS early FROM paid_line) l
JOIN part_of o USING (mdtrt_id) JOIN stay s ON s.stay_id = o.stay_id
WHERE coalesce(l.etip_flag, '0') <> '1'
  AND ((l.day < s.begin_day - l.early AND coalesce(l.med_type, '') <> '24') OR (NOT s.open AND l.day > s.last_day));
