-- +goose NO TRANSACTION
-- +goose Up
-- The origin is the fourth parameter of a detected update (500): archive and component, such as bookworm-security/main.
CREATE MATERIALIZED VIEW IF NOT EXISTS subject_seen_feed TO subject_seen AS
SELECT topic_type, topic_id, min(received_time) AS first_seen,
    max(if(topic_type = 500 AND topic_id_type = 3, params[4], '')) AS origin
FROM state_messages
GROUP BY topic_type, topic_id;
