-- +goose NO TRANSACTION
-- +goose Up
-- The class of each state that has one; any other state's is other.
CREATE VIEW IF NOT EXISTS classes AS
SELECT topic_type, state_id, CAST(class, 'String') AS class
FROM state_classes FINAL
WHERE classes_hash = (SELECT argMax(classes_hash, loaded_time) FROM class_loads);
