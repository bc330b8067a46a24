-- +goose NO TRANSACTION
-- +goose Up
-- The members of every collection, those of lists at once, those of saved queries as of the latest look. Retired clients
-- are in none.
CREATE VIEW IF NOT EXISTS collection_members AS
WITH
    kept AS (SELECT name, revision, kind FROM collections FINAL WHERE deleted = 0)
SELECT name, client_id
FROM collection_clients FINAL
WHERE (name, revision) IN (SELECT name, revision FROM kept WHERE kind = 'list')
  AND client_id NOT IN (SELECT client_id FROM retired_clients)
UNION ALL
SELECT name, client_id
FROM collection_now FINAL
WHERE member = 1 AND name IN (SELECT name FROM kept WHERE kind = 'query')
  AND client_id NOT IN (SELECT client_id FROM retired_clients);
