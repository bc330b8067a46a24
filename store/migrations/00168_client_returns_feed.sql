-- +goose NO TRANSACTION
-- +goose Up
-- A report of a retired client ends its retirement.
CREATE MATERIALIZED VIEW IF NOT EXISTS client_returns_feed TO client_retirements AS
SELECT r.client_id AS client_id, 'returned' AS state, any(r.retired_time) AS retired_time, any(r.retired_by) AS retired_by,
    any(r.reason) AS reason, max(c.received_time) AS ended_time, '' AS ended_by, any(r.version) + 1 AS version
FROM client_reports AS c
INNER JOIN
(
    SELECT client_id, retired_time, retired_by, reason, version FROM client_retirements FINAL WHERE state = 'retired'
) AS r ON r.client_id = c.client_id
GROUP BY client_id;
