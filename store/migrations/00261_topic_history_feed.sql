-- +goose NO TRANSACTION
-- +goose Up
CREATE MATERIALIZED VIEW IF NOT EXISTS topic_history_feed TO topic_history
AS SELECT
    topic_type, topic_id, client_id,
    bitOr(bitOr(bitShiftLeft(toUInt256(serial), 128), bitShiftLeft(toUInt256(toUInt64(message_us)), 64)),
        toUInt256(payload_hash)) AS place,
    state_id, received_time,
    bitNot(toUInt64(toUnixTimestamp64Micro(received_time))) AS earliest
FROM state_messages
WHERE serial > 0
COMMENT 'internal';
