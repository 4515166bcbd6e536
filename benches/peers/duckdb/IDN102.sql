-- Two outpatient or pharmacy visits of one person at two facilities, too far apart for the time between.
WITH visit AS (
    SELECT e.psn_no, e.mdtrt_id, e.fixmedins_code, e.begntime, e.begin_day, e.region, e.lng::DOUBLE AS lng, e.lat::DOUBLE AS lat, p.paid
    FROM encounter e JOIN (SELECT mdtrt_id, sum(inscp_amt) AS paid FROM paid_line GROUP BY mdtrt_id) p USING (mdtrt_id)
    WHERE setting IN ('outpatient', 'pharmacy') AND lng IS NOT NULL AND lat IS NOT NULL AND begntime::TIME <> TIME '00:00:00'
), pair AS (
    SELECT a.mdtrt_id AS a_id, b.*, epoch(b.begntime) - epoch(a.begntime) AS seconds,
           2 * 6371.0088 * asin(sqrt(pow(sin(radians(b.lat - a.lat) / 2), 2)
             + cos(radians(a.lat)) * cos(radians(b.lat)) * pow(sin(radians(b.lng - a.lng) / 2), 2))) AS km
    FROM visit a JOIN visit b ON b.psn_no = a.psn_no AND b.fixmedins_code <> a.fixmedins_code
     AND (a.begntime, a.mdtrt_id) < (b.begntime, b.mdtrt_id) AND b.begntime - a.begntime < INTERVAL 2 DAY
)
SELECT to_json({'psn_no': psn_no, 'mdtrt_id_1': least(a_id, mdtrt_id), 'mdtrt_id_2': greatest(a_id, mdtrt_id)}) AS key, coalesce(paid, 0) AS amount
FROM pair WHERE km > param('distance_km_min', begin_day, region) AND km * 3600 > param('speed_kmh_max', begin_day, region) * seconds;
