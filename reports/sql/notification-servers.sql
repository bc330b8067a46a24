-- title: Notification servers
-- group: Site
-- description: The servers that clients are connected to, how many, and when each reported last. A server that does not
--   report for two intervals of notifier.presence_interval is silent: its clients count as offline then, with the reason
--   server_lost.
-- note last_report: of presence, as a file or at once
-- note lost: clients of which nothing is known since the server is silent
-- link online: presence?is=online&server={server}
-- link http: presence?is=online&channel=HTTP&server={server}
-- link lost: presence?reason=server_lost&server={server}
SELECT
    s.server_name AS server,
    c.online AS online,
    c.tcp AS tcp,
    c.http AS http,
    c.lost AS lost,
    nullIf(s.updated_time, toDateTime64(0, 6, 'UTC')) AS last_report,
    s.server_id AS server_id
FROM (SELECT server_id, server_name, updated_time FROM notification_servers FINAL) AS s
LEFT JOIN
(
    SELECT server_id, countIf(online_status = 1) AS online, countIf(online_status = 1 AND channel_type = 0) AS tcp,
        countIf(online_status = 1 AND channel_type = 1) AS http, countIf(reason = 'server_lost') AS lost
    FROM client_presence FINAL
    GROUP BY server_id
) AS c ON c.server_id = s.server_id
ORDER BY server, server_id
