-- The second and later operations of a group on a day, charged above the discount; never more than the line's own money.
WITH operation AS (
    SELECT *, row_number() OVER w AS nth, first_value(rx_drord_no) OVER w AS first_rx, first_value(acord_dept_codg) OVER w AS first_dept
    FROM (
        SELECT l.*, k."group", k.list_price::DECIMAL(16,2) AS list_price FROM paid_line l
        JOIN know_operation_group k ON starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day)
        QUALIFY row_number() OVER (PARTITION BY l.mdtrt_id, l.feedetl_sn, k."group" ORDER BY length(k.code) DESC) = 1)
    WINDOW w AS (PARTITION BY mdtrt_id, day, "group" ORDER BY pric DESC NULLS LAST, feedetl_sn)
), later AS (
    SELECT *, least(inscp_amt, cents(det_item_fee_sumamt - param('later_operation_discount', day, region) * list_price * greatest(1, cnt))) AS above
    FROM operation
    WHERE nth > 1 AND NOT coalesce(rx_drord_no <> first_rx AND acord_dept_codg <> first_dept, false)
)
SELECT to_json({'mdtrt_id': mdtrt_id, 'day': day, 'group': "group"}) AS key, sum(above) AS amount
FROM later WHERE above > 0 GROUP BY mdtrt_id, day, "group";
