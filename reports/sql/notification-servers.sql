-- title: Notification servers
-- group: Site
-- columns: server!, is!, online, tcp, http, last_report, offline, lost, epoch, server_id
-- empty: there is no notification server
-- description: The servers that clients are connected to, how many, and when each reported last. A server that does not
--   report for two intervals of notifier.presence_interval is silent: its clients count as offline then, with the reason
--   server_lost.
-- note is: silent = its last report of presence is older than two intervals; new = it has not reported yet
-- note last_report: when a file of presence came last
-- note epoch: how often the server has started
-- note offline: clients that are known to be so, this server being the last that they were connected to
-- note lost: clients of which nothing is known since the server is silent
-- link online: presence?is=online&server={server}
-- link http: presence?is=online&channel=HTTP&server={server}
-- link offline: presence?is=offline&server={server}
-- link lost: presence?reason=server_lost&server={server}
SELECT
    s.server_name AS server,
    multiIf(s.silent = 1, 'silent', toUnixTimestamp64Micro(s.reported_time) = 0, 'new', 'reporting') AS is,
    c.online AS online,
    c.tcp AS tcp,
    c.http AS http,
    c.offline AS offline,
    c.lost AS lost,
    nullIf(s.reported_time, toDateTime64(0, 6, 'UTC')) AS last_report,
    s.epoch AS epoch,
    s.server_id AS server_id
FROM (SELECT server_id, server_name, reported_time, silent, epoch FROM notification_servers FINAL) AS s
LEFT JOIN
(
    SELECT server_id, countIf(online_status = 1) AS online, countIf(online_status = 1 AND channel_type = 0) AS tcp,
        countIf(online_status = 1 AND channel_type = 1) AS http, countIf(reason = 'server_lost') AS lost,
        countIf(online_status = 0 AND reason != 'server_lost') AS offline
    FROM client_presence FINAL
    WHERE client_id NOT IN (SELECT client_id FROM retired_clients)
    GROUP BY server_id
) AS c ON c.server_id = s.server_id
ORDER BY server, server_id
