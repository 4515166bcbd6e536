-- What work-injury or maternity insurance should pay.
SELECT to_json({'mdtrt_id': mdtrt_id, 'feedetl_sn': feedetl_sn}) AS key, inscp_amt AS amount
FROM (
        SELECT l.*, k.fund FROM paid_line l
        JOIN know_fund_limit k ON starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day)
        QUALIFY row_number() OVER (PARTITION BY l.mdtrt_id, l.feedetl_sn ORDER BY length(k.code) DESC) = 1) f
WHERE fund = 'work_injury'
   OR (fund = 'maternity' AND insutype <> '510' AND coalesce(med_type, '') NOT IN ('51', '52', '53') AND matn_type IS NULL
       AND NOT EXISTS (FROM diagnosis d WHERE d.mdtrt_id = f.mdtrt_id AND (d.diag_code LIKE 'O%' OR d.diag_code LIKE 'Z3%')));
