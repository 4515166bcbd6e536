-- Items for one sex, paid for the other.
SELECT to_json({'mdtrt_id': mdtrt_id, 'feedetl_sn': feedetl_sn}) AS key, inscp_amt AS amount
FROM (
    SELECT l.*, k.sex FROM paid_line l
    JOIN know_sex_limit k ON starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day)
    QUALIFY row_number() OVER (PARTITION BY l.mdtrt_id, l.feedetl_sn ORDER BY length(k.code) DESC) = 1)
WHERE gend <> sex;
