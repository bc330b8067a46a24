-- +goose NO TRANSACTION
-- +goose Up
-- A client is known from its first report on, even when nothing of it could be stored.
CREATE MATERIALIZED VIEW IF NOT EXISTS client_stats_reports_feed TO client_stats_data AS
SELECT client_id, toUInt64(0) AS last_serial
FROM client_reports
GROUP BY client_id;
