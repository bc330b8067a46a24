-- +goose NO TRANSACTION
-- +goose Up
DROP VIEW IF EXISTS state_names;
CREATE VIEW IF NOT EXISTS state_names AS
SELECT topic_type, topic_name, state_id, state_name, topic
FROM state_catalog FINAL
WHERE has_state = 1 AND catalog_hash = (SELECT argMax(catalog_hash, loaded_time) FROM catalog_loads);
