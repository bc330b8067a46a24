-- +goose NO TRANSACTION
-- +goose Up
-- Serials of records that were set aside count as seen, too.
CREATE MATERIALIZED VIEW IF NOT EXISTS client_stats_serials_feed TO client_stats_data AS
SELECT client_id, max(serial_ranges.last_serial) AS last_serial
FROM serial_ranges
GROUP BY client_id;
