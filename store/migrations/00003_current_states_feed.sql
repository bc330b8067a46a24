-- +goose NO TRANSACTION
-- +goose Up
CREATE MATERIALIZED VIEW IF NOT EXISTS current_states_feed TO current_states_data AS
SELECT
    topic_type, topic_id, client_id, topic_id_type, state_id, criticality, params,
    message_time, received_time, serial, user, flags,
    bitOr(
        bitOr(bitShiftLeft(toUInt256(serial), 192), bitShiftLeft(toUInt256(toUInt64(message_us)), 128)),
        bitOr(bitShiftLeft(toUInt256(payload_hash), 64),
              toUInt256(bitNot(toUInt64(toUnixTimestamp64Micro(received_time)))))) AS rank
FROM state_messages
WHERE serial > 0;
