-- +goose NO TRANSACTION
-- +goose Up
CREATE MATERIALIZED VIEW IF NOT EXISTS topic_history_feed TO topic_history
AS SELECT
    topic_type, topic_id, client_id,
    bitOr(bitShiftLeft(toUInt128(serial), 64), toUInt128(toUInt64(message_us))) AS place,
    payload_hash, state_id, received_time,
    bitNot(toUInt64(toUnixTimestamp64Micro(received_time))) AS earliest
FROM state_messages
WHERE serial > 0
COMMENT 'internal';
