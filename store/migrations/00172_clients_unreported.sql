-- +goose NO TRANSACTION
-- +goose Up
-- Clients that asked for their policy and never reported, likewise.
DROP VIEW IF EXISTS clients_unreported;
CREATE VIEW IF NOT EXISTS clients_unreported AS
SELECT DISTINCT c.client_id AS client_id
FROM (SELECT client_id FROM client_claims WHERE client_id NOT IN (SELECT client_id FROM retired_clients)) AS c
LEFT JOIN (SELECT client_id, toUInt8(1) AS reported FROM clients_seen) AS s ON s.client_id = c.client_id
WHERE s.reported = 0
SETTINGS join_algorithm = 'full_sorting_merge';
