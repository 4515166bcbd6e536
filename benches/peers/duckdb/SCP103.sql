-- Items for newborns, past the 28th day; a stay that began before may end them.
SELECT to_json({'mdtrt_id': mdtrt_id, 'feedetl_sn': feedetl_sn}) AS key, n.inscp_amt AS amount
FROM (
        SELECT l.* FROM paid_line l
        JOIN know_newborn_only k ON starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day)
        QUALIFY row_number() OVER (PARTITION BY l.mdtrt_id, l.feedetl_sn ORDER BY length(k.code) DESC) = 1) n
LEFT JOIN part_of o USING (mdtrt_id) LEFT JOIN stay s ON s.stay_id = o.stay_id
WHERE age_days > 28 AND NOT coalesce(s.begin_day - n.brdy BETWEEN 0 AND 28, false);
