-- +goose NO TRANSACTION
-- +goose Up
-- Conflicts that no completion and no baseline has settled since.
CREATE VIEW IF NOT EXISTS open_conflicts AS
SELECT
    client_id,
    serial,
    kind,
    max(c.received_time) AS received_time,
    min(c.detected_time) AS detected_time
FROM serial_conflicts AS c FINAL
LEFT JOIN
(
    SELECT client_id, settled_time FROM client_floors WHERE client_id IN (SELECT client_id FROM serial_conflicts)
) AS f ON f.client_id = c.client_id
WHERE c.received_time > f.settled_time
GROUP BY client_id, serial, kind;
