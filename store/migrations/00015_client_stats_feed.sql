-- +goose NO TRANSACTION
-- +goose Up
CREATE MATERIALIZED VIEW IF NOT EXISTS client_stats_feed TO client_stats_data AS
SELECT client_id, max(serial) AS last_serial, argMaxState(message_time, (serial, message_us)) AS last_message
FROM state_messages
GROUP BY client_id;
