-- +goose NO TRANSACTION
-- +goose Up
-- Clients that are retired at this moment, or on the way out of the store. Whatever counts clients leaves these out.
DROP VIEW IF EXISTS retired_clients;
CREATE VIEW IF NOT EXISTS retired_clients AS
SELECT client_id, retired_time, retired_by, reason
FROM client_retirements FINAL
WHERE state IN ('retired', 'erasing');
