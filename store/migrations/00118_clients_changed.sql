-- +goose NO TRANSACTION
-- +goose Up
-- Clients of whom something was loaded since the summary; all, where none was made.
CREATE VIEW IF NOT EXISTS clients_changed AS
SELECT client_id
FROM clients_seen
WHERE clients_seen.loaded_time >= (SELECT argMax(until, number) FROM summary_progress WHERE job = 'clients');
