-- +goose NO TRANSACTION
-- +goose Up
CREATE VIEW IF NOT EXISTS SMS_CN_ClientStatus AS
SELECT client_id AS ClientID, online_status AS OnlineStatus, channel_type AS ChannelType,
       last_status_time AS LastStatusTime, server_id AS ServerID
FROM client_presence FINAL;
