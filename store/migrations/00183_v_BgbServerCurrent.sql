-- +goose NO TRANSACTION
-- +goose Up
-- Counted where SMS_CN_ClientStatus looks, so that the two agree. NULL of a server of which nothing has come yet.
DROP VIEW IF EXISTS v_BgbServerCurrent;
CREATE VIEW IF NOT EXISTS v_BgbServerCurrent AS
SELECT s.server_id AS ServerID, if(isNull(s.online_clients) AND c.online = 0, NULL, c.online) AS OnlineClients
FROM (SELECT server_id, online_clients FROM notification_servers FINAL) AS s
LEFT JOIN
(
    SELECT server_id, count() AS online FROM client_presence FINAL WHERE online_status = 1 GROUP BY server_id
) AS c ON c.server_id = s.server_id;
