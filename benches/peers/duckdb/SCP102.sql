-- Items for children, paid for older people.
SELECT to_json({'mdtrt_id': mdtrt_id, 'feedetl_sn': feedetl_sn}) AS key, inscp_amt AS amount
FROM (
        SELECT l.*, k.max_age::INT AS max_age FROM paid_line l
        JOIN know_child_only k ON starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day)
        QUALIFY row_number() OVER (PARTITION BY l.mdtrt_id, l.feedetl_sn ORDER BY length(k.code) DESC) = 1)
WHERE age > max_age;
