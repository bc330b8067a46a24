-- +goose NO TRANSACTION
-- +goose Up
CREATE VIEW IF NOT EXISTS v_BgbServerCurrent AS
SELECT server_id AS ServerID, online_clients AS OnlineClients
FROM notification_servers FINAL;
