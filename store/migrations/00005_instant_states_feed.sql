-- +goose NO TRANSACTION
-- +goose Up
CREATE MATERIALIZED VIEW IF NOT EXISTS instant_states_feed TO instant_states_data AS
SELECT
    topic_type, topic_id, client_id, payload_hash, topic_id_type, state_id, criticality, params,
    message_time, received_time, user, flags, message_us,
    bitNot(toUInt64(toUnixTimestamp64Micro(received_time))) AS arrival_rank
FROM state_messages
WHERE serial = 0;
