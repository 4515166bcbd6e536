-- Herbs that are never paid.
SELECT to_json({'mdtrt_id': mdtrt_id, 'feedetl_sn': feedetl_sn}) AS key, inscp_amt AS amount
FROM paid_line l WHERE EXISTS (FROM know_herb_never k WHERE starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day));
