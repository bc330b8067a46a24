-- +goose NO TRANSACTION
-- +goose Up
-- Claims of clients of whom nothing was ever loaded. Both tables are read in the order of their keys, beside each other: a third of the
-- work of looking up a million clients, and no memory. A client may have more than one row.
DROP VIEW IF EXISTS clients_unheard;
CREATE VIEW IF NOT EXISTS clients_unheard AS
SELECT c.client_id AS client_id, c.last_serial AS last_serial
FROM (SELECT client_id, CAST(client_claims.last_serial, 'UInt64') AS last_serial FROM client_claims
    WHERE client_id NOT IN (SELECT client_id FROM retired_clients)) AS c
LEFT JOIN (SELECT client_id, toUInt8(1) AS heard FROM client_stats_data) AS s ON s.client_id = c.client_id
WHERE s.heard = 0
SETTINGS join_algorithm = 'full_sorting_merge';
