-- Services on a day after the person's death.
SELECT to_json({'mdtrt_id': mdtrt_id, 'feedetl_sn': feedetl_sn}) AS key, inscp_amt AS amount
FROM paid_line WHERE day > death_day;
