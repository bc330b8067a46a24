-- +goose NO TRANSACTION
-- +goose Up
-- Topic ids of which something was loaded since the summary; all, where none was made.
CREATE VIEW IF NOT EXISTS subjects_changed AS
SELECT DISTINCT topic_type, topic_id
FROM state_messages
WHERE state_messages.loaded_time >= (SELECT argMax(until, number) FROM summary_progress WHERE job = 'subjects');
