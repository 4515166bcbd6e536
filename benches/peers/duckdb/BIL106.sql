-- Unit price above the ceiling in force for the facility's region and level, or above the line's own.
WITH listed AS (
    SELECT l.mdtrt_id, l.feedetl_sn, k.max_price::DECIMAL(16,6) AS max_price
    FROM paid_line l
    JOIN know_price_ceiling k ON starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day)
     AND (k.region IS NULL OR k.region IN (l.facility_region, left(l.facility_region, 4) || '00', left(l.facility_region, 2) || '0000'))
     AND (k.level IS NULL OR k.level = l.level::VARCHAR)
    QUALIFY row_number() OVER (PARTITION BY l.mdtrt_id, l.feedetl_sn ORDER BY length(k.code) DESC,
        CASE WHEN k.region IS NULL THEN 0 WHEN k.region LIKE '%0000' THEN 1 WHEN k.region LIKE '%00' THEN 2 ELSE 3 END DESC,
        k.level IS NULL) = 1
), priced AS (
    SELECT l.*, least(p.max_price, CASE WHEN l.pric_uplmt_amt > 0 AND l.pric_uplmt_amt < 99999 AND l.overlmt_selfpay = 0
                                        THEN l.pric_uplmt_amt END) AS ceiling
    FROM paid_line l LEFT JOIN listed p USING (mdtrt_id, feedetl_sn)
)
SELECT to_json({'mdtrt_id': mdtrt_id, 'feedetl_sn': feedetl_sn}) AS key,
       least(cents((pric - ceiling) * cnt), inscp_amt) AS amount
FROM priced WHERE pric - ceiling > 0.01;
