-- All parts of a package charged on a day, dearer than the package, which is not.
WITH wanted AS (
    SELECT p.code, p.price::DECIMAL(16,2) AS price, p."from" AS valid_from, p."until" AS valid_until,
           unnest(string_split(p.parts, '|')) AS part, len(string_split(p.parts, '|')) AS parts
    FROM know_package p
), charged AS (
    SELECT l.mdtrt_id, l.day, w.code, w.price, w.parts, count(DISTINCT w.part) AS found, sum(l.det_item_fee_sumamt) AS total
    FROM paid_line l JOIN wanted w ON starts_with(l.hilist_code, w.part) AND in_force(w.valid_from, w.valid_until, l.day)
    GROUP BY ALL
)
SELECT to_json({'mdtrt_id': mdtrt_id, 'day': day, 'package': code}) AS key, cents(total - price) AS amount
FROM charged c
WHERE found = parts AND total > price
  AND NOT EXISTS (FROM paid_line l WHERE l.mdtrt_id = c.mdtrt_id AND l.day = c.day AND starts_with(l.hilist_code, c.code));
