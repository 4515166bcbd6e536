-- Diagnoses that the person's sex cannot have.
SELECT to_json({'mdtrt_id': mdtrt_id, 'diag_code': diag_code}) AS key, 0.00::DECIMAL(16,2) AS amount
FROM (
    SELECT d.diag_code, e.*, k.sex FROM diagnosis d JOIN encounter e USING (mdtrt_id)
    JOIN know_sex_diagnosis k ON starts_with(d.diag_code, k.code) AND in_force(k."from", k."until", e.begin_day)
    QUALIFY row_number() OVER (PARTITION BY d.mdtrt_id, d.diag_code ORDER BY length(k.code) DESC) = 1)
WHERE gend <> sex AND NOT coalesce(begin_day - brdy BETWEEN 0 AND 28, false);
