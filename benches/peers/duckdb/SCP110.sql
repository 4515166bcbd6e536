-- Paid, and not in the catalogue of the day. Without a catalogue nothing is said.
SELECT to_json({'mdtrt_id': mdtrt_id, 'feedetl_sn': feedetl_sn}) AS key, inscp_amt AS amount
FROM paid_line l
WHERE (SELECT count(*) FROM know_catalogue) > 0
  AND NOT EXISTS (FROM know_catalogue k WHERE starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day));
