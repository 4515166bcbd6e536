-- More drugs on a prescription than it may hold; herbs aside, hospital wards aside.
SELECT to_json({'mdtrt_id': mdtrt_id, 'rx_drord_no': rx_drord_no}) AS key, 0.00::DECIMAL(16,2) AS amount
FROM (SELECT *, param('drugs_per_prescription_max', day, region) AS most FROM line)
WHERE is_drug AND list_type NOT IN ('102', '106') AND setting <> 'inpatient' AND rx_drord_no IS NOT NULL
GROUP BY mdtrt_id, rx_drord_no HAVING count(DISTINCT generic) > min(most);
