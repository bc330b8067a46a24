-- +goose NO TRANSACTION
-- +goose Up
CREATE MATERIALIZED VIEW IF NOT EXISTS completions_feed TO completions_data AS
SELECT
    client_id, serial, payload_hash, params, message_time, received_time,
    bitNot(toUInt64(toUnixTimestamp64Micro(received_time))) AS arrival_rank
FROM state_messages
WHERE topic_type = 700 AND state_id = 2;
