-- +goose NO TRANSACTION
-- +goose Up
DROP VIEW IF EXISTS topic_names;
CREATE VIEW IF NOT EXISTS topic_names AS
SELECT topic_type, any(state_catalog.topic_name) AS topic_name, any(state_catalog.topic) AS topic
FROM state_catalog FINAL
WHERE catalog_hash = (SELECT argMax(catalog_hash, loaded_time) FROM catalog_loads)
GROUP BY topic_type;
