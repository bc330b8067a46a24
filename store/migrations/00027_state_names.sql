-- +goose NO TRANSACTION
-- +goose Up
CREATE VIEW IF NOT EXISTS state_names AS
SELECT topic_type, topic_name, state_id, state_name
FROM state_catalog FINAL
WHERE has_state = 1 AND catalog_hash = (SELECT argMax(catalog_hash, loaded_time) FROM catalog_loads);
