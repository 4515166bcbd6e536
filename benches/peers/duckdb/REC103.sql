-- Uploaded too long after it happened.
SELECT to_json({'mdtrt_id': mdtrt_id, 'feedetl_sn': feedetl_sn}) AS key, 0.00::DECIMAL(16,2) AS amount
FROM all_line l
WHERE (l.setl_id IS NULL OR l.setl_id NOT IN (FROM refunded_with_lines))
  AND epoch(crte_time) - epoch(fee_ocur_time) > 3600 * param('upload_hours_max', fee_ocur_time::DATE, '');
