-- +goose NO TRANSACTION
-- +goose Up
CREATE VIEW IF NOT EXISTS topic_names AS
SELECT topic_type, any(state_catalog.topic_name) AS topic_name
FROM state_catalog FINAL
WHERE catalog_hash = (SELECT argMax(catalog_hash, loaded_time) FROM catalog_loads)
GROUP BY topic_type;
