-- +goose NO TRANSACTION
-- +goose Up
CREATE MATERIALIZED VIEW IF NOT EXISTS wrong_clocks_feed TO wrong_clocks AS
SELECT client_id, max(state_messages.received_time) AS last_received
FROM state_messages
WHERE bitTest(flags, 0) = 1
GROUP BY client_id;
